"""One-line mutations of what is served, and of what MLflow shows of runs."""

from __future__ import annotations

_SERVING, _TRACKING = "scgan/serving/", "scgan/tracking/"
_HTTP, _SERVICE, _MODEL = _SERVING + "http.py", _SERVING + "service.py", _TRACKING + "model.py"
_NAMING, _VIEW = _TRACKING + "naming.py", _TRACKING + "view.py"
_RUN, _ENTRY, _MACHINE = _TRACKING + "run.py", _TRACKING + "entry.py", _TRACKING + "machine.py"

_OF_HTTP, _OF_MODEL = ("tests/serving/test_http.py",), ("tests/tracking/test_model.py",)
_OF_PAGES = ("tests/tracking/test_pages_content.py",)
_OF_TRACKING = ("tests/tracking/test_tracking.py",)
_OF_GOING_ON = ("tests/tracking/test_interruptions.py",)

MUTANTS = [
    (_HTTP, "if self.token and not hmac", "if not hmac", _OF_HTTP),
    (_HTTP, "if self.token and not hmac", "if False and not hmac", _OF_HTTP),
    (_HTTP, "none = none | np.isnan(data)", "none = none", _OF_HTTP),
    (_HTTP, "values.astype(str) if values.dtype == object", "values if True", _OF_HTTP),
    (_SERVICE, "place if one.seed is not None or", "place if", _OF_HTTP),
    (_SERVICE, "alone = place if one.seed", "alone = place if True or one.seed", _OF_HTTP),
    (_SERVICE, "start += size", "start += 0", _OF_HTTP),
    (_SERVICE, "1 <= num <= self.max_rows", "1 <= num", _OF_HTTP),
    (_SERVICE, "secrets.randbits(63) if seed is None", "0 if seed is None", _OF_HTTP),
    (_SERVICE, "(rows[alike] - 1) // self.max_rows", "0", _OF_HTTP),
    (_MODEL, '{"seed": secrets.randbits(63), **request}', '{"seed": 0, **request}', _OF_MODEL),
    (_MODEL, "{**(params or {}), **row}", "{**row, **(params or {})}", _OF_MODEL),
    (_MODEL, "if not 1 <= total <= most:", "if not 1 <= total:", _OF_MODEL),
    (_MODEL, "or value != value)", "or False)", _OF_MODEL),
    (_NAMING, "len(found[name]), name != ", "0, name != ", _OF_PAGES),
    (_NAMING, "if last[short] > 1 else short", "if False else short", _OF_PAGES),
    (_VIEW, "not key.endswith((FLOOR, RATIO))", "True", _OF_PAGES),
    (_VIEW, "in runs}) > 1", "in runs}) > 0", _OF_PAGES),
    (_MACHINE, "resume_logging=True", "resume_logging=False", _OF_PAGES),
    (_RUN, "self.parent.log_metrics(curve_points", "child.log_metrics(curve_points", _OF_TRACKING),
    (_ENTRY, "known.value, known.timestamp, step", "known.value, timestamp, step", _OF_GOING_ON),
    (_ENTRY, "            self._read(key)\n", "", _OF_GOING_ON),
]
