"""Columns by ranks whose wide gaps part them, and where a search of SC-GAN starts."""

_SCALES, _TESTS = "scgan/data/tables/scales.py", ("tests/data/tables/test_scales.py",)

MUTANTS = [
    (_SCALES, "steps[gaps] = True", "pass", _TESTS),
    (_SCALES, "> WIDE_GAP * (middle[1] - middle[0])", "> 0", _TESTS),
    (_SCALES, "len(values) - 1 - i) >= LEAST_VALUES", "len(values) - 1 - i) >= 0", _TESTS),
    (_SCALES, "min(share, 1 - above[i]) >= LEAST_PART", "share >= LEAST_PART", _TESTS),
    (_SCALES, "gaps = [] if tied else", "gaps = [] if True else", _TESTS),
    (_SCALES, "np.clip(np.rint(apart / APART), 0,", "np.clip(np.floor(apart / APART), 0,", _TESTS),
    (_SCALES, "_quantiles(_TAIL + (1 - 2 * _TAIL) * share)", "_quantiles(share)", _TESTS),
    (
        _SCALES,
        "(_normal(apart - APART * part) - _TAIL) /",
        "_normal(apart - APART * part) /",
        _TESTS,
    ),
    (_SCALES, "np.sqrt(1 + shares @", "np.sqrt(shares @", _TESTS),
    (
        _SCALES,
        "raised = Ranks(self.d, lower, upper, breaks)",
        "raised = Ranks(self.d, lower, upper, self.breaks)",
        _TESTS,
    ),
    (
        "scgan/systems/scgan.py",
        "Choice((None, 4, 16, 64, 256))",
        "Choice((4, 16, 64, 256))",
        ("tests/test_space.py",),
    ),
]
