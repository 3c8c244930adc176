"""Of significant digits."""

_DIGITS, _COLUMN = "scgan/data/tables/digits.py", "scgan/data/tables/column.py"
_MOMENTS, _MEASURING = "scgan/data/tables/moments.py", "scgan/data/tables/measuring.py"
_TESTS = ("tests/data/tables/test_digits.py",)

MUTANTS = [
    (_DIGITS, "if values.dtype != np.float64:", "if False:", _TESTS),
    (_DIGITS, "for rows in (values[:64], values)", "for rows in (values[:64],)", _TESTS),
    (_DIGITS, "int(digits - 1 - size)", "int(digits - size)", _TESTS),
    (_DIGITS, "if abs(decimals) <= MOST_DECIMALS:", "if True:", _TESTS),
    (_DIGITS, "range(1, MOST + 1)", "range(1, MOST)", _TESTS),
    (_COLUMN, "values = to_digits(values, self.digits)", "pass", _TESTS),
    (_MEASURING, "digits = digits_of(numbers)", "digits = None", _TESTS),
    (_MOMENTS, "decimals=self.decimals, digits=self.digits", "decimals=self.decimals", _TESTS),
    (_MOMENTS, "else max(found, before)", "else found", _TESTS),
    (_MOMENTS, "    if before is None:\n        return None\n", "", _TESTS),
]
