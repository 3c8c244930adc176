"""Of the decoder's noise, scaled to what codes leave open."""

_DECODE = "scgan/stages/tables/decode.py"
_TESTS = ("tests/stages/tables/test_noise.py",)

MUTANTS = [
    (_DECODE, "if c.noise_spread is not None:", "if True:", _TESTS),
    (_DECODE, "codes, rows, c.noise_spread, seed", "codes, rows, 1.0, seed", _TESTS),
    (_DECODE, "NOISE_ROUNDS, MOST_STEP = 5,", "NOISE_ROUNDS, MOST_STEP = 1,", _TESTS),
    (_DECODE, "min(MOST_STEP, wanted / ratio)", "min(MOST_STEP, ratio / wanted)", _TESTS),
    (_DECODE, "if not 0 < ratio < math.inf:", "if not ratio < math.inf:", _TESTS),
    (_DECODE, "ratio = spread_ratio(draws, x)", "ratio = spread_ratio(draws, eps[:, :2])", _TESTS),
    ("scgan/nn/subspace.py", 'get_parameter("L").mul_(', 'get_parameter("U").mul_(', _TESTS),
]
