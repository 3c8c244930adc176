"""One-line mutations of the page, of chosen noise, of the drawn set, of strengths and pictures."""

from __future__ import annotations

_EXPLORER, _PAGE = "scgan/explore/explorer.py", "scgan/explore/page.py"
_PICTURE, _SERVING = "scgan/explore/picture.py", "scgan/explore/serving.py"
_COEFFICIENTS, _STRENGTH = "scgan/nn/coefficients.py", "scgan/metrics/strength.py"
_SCENES, _SYNTHETIC = "scgan/data/images/scenes.py", "scgan/data/images/synthetic.py"
_BY_ATTRIBUTE, _DEFAULT = "scgan/figures/by_attribute.py", "scgan/figures/default_figures.py"
_TABLES, _INFOSCC = "scgan/reproductions/infoscc_gan_attributes.py", "scgan/systems/infoscc_gan.py"
_EIGENGAN, _CAPABILITIES = "scgan/systems/eigengan.py", "scgan/capabilities.py"

_PICTURES = "tests/systems/images/test_image_pictures.py"
_DRAWING = "tests/systems/images/test_image_drawing.py"
_TESTS = {
    _EXPLORER: "tests/explore/test_explorer.py",
    _PAGE: "tests/explore/test_page.py",
    _PICTURE: "tests/explore/test_explorer.py",
    _SERVING: "tests/explore/test_explorer.py",
    _COEFFICIENTS: "tests/nn/test_coefficients.py",
    _STRENGTH: "tests/metrics/test_strength.py",
    _SCENES: "tests/data/images/test_synthetic.py",
    _SYNTHETIC: "tests/data/images/test_synthetic.py",
    _BY_ATTRIBUTE: _PICTURES,
    _DEFAULT: _PICTURES,
    _TABLES: "tests/reproductions/test_infoscc_attributes.py",
    _INFOSCC: _DRAWING,
    _EIGENGAN: _DRAWING,
    _CAPABILITIES: "tests/systems/test_capabilities.py",
}

_CHANGES = [
    (_EXPLORER, '"--seed", str(view.seed)', '"--seed", str(view.num)'),
    (_EXPLORER, 'words += [f"--{name}", text]', "words += [text]"),
    (
        _EXPLORER,
        "view.num, view.seed, chosen)\n\n    def grid",
        "view.num, 0, chosen)\n\n    def grid",
    ),
    (_EXPLORER, "[0].argsort()[:num]", "[0].argsort(descending=True)[:num]"),
    (_EXPLORER, "View(POOL, view.seed, view.given)", "View(POOL, view.num, view.given)"),
    (_EXPLORER, "self._pool[0] != view", "self._pool[0] == view"),
    (_EXPLORER, "if isinstance(model, Reading):", "if False:"),
    (_EXPLORER, "pixels.repeat(times, 0).repeat(times, 1)", "pixels.repeat(times, 0)"),
    (_PAGE, "{**state[MOVED], key: state[key]}", "{key: state[key]}"),
    (_PAGE, 'f"{name}={value:g}"', 'f"{name}={value:.0f}"'),
    (_PAGE, "            state[key] = 0.0\n", "            pass\n"),
    (_PAGE, "        state[MOVED] = {}\n", ""),
    (_PAGE, "if not isinstance(option, Amounts):", "if False:"),
    (
        _PAGE,
        "            st.error(str(error))\n            return\n\n        st.image(shown",
        "            raise\n\n        st.image(shown",
    ),
    (_PICTURE, "self._draw_on_top(points[-1])", "self._draw_on_top(points[0])"),
    (_PICTURE, "self._canvas.restore_region(self._below)", "pass"),
    (_PICTURE, "np.where(mask_of(column), np.nan, numbers)", "numbers"),
    (_COEFFICIENTS, "descending=True, stable=True", "stable=True"),
    (_COEFFICIENTS, "    z = z.clone()\n", ""),
    (_COEFFICIENTS, "if not math.isnan(value):", "if True:"),
    (_COEFFICIENTS, "1 + place % len", "place % len"),
    (_STRENGTH, "penalty[-1, -1] = 0", "penalty[-1, -1] = 1"),
    (_STRENGTH, "RIDGE * len(x)", "RIDGE"),
    (_STRENGTH, "float(both / spread), float", "float(both), float"),
    (_SCENES, '"Sun", 0.3, (0.46, 0.96', '"Sun", 0.3, (0.56, 0.96'),
    (_SCENES, "_oval(0, 0.04, 0.08, 0.1)", "_oval(0, 0.34, 0.08, 0.1)"),
    (_SCENES, "return _inside(0.9 - np.maximum", "return 0 * _inside(0.9 - np.maximum"),
    (_SYNTHETIC, "strengths = np.where(graded, uniform, there)", "strengths = 1.0 * there"),
    (_SYNTHETIC, "rng = np.random.default_rng((seed, start))", "rng = np.random.default_rng(seed)"),
    (_SYNTHETIC, "draw(NUM_TEST, seed=1)", "draw(NUM_TEST, seed=0)"),
    (_SYNTHETIC, "max(0, place % 10 - 7)", "max(0, place % 10 - 8)"),
    (_SYNTHETIC, "there = uniform > 1 - _SHARES", "there = uniform < 1 - _SHARES"),
    (_BY_ATTRIBUTE, "seen.argsort()[:NUM_FAILED]", "seen.argsort(descending=True)[:NUM_FAILED]"),
    (_BY_ATTRIBUTE, "float(missed.float().mean())", "1 - float(missed.float().mean())"),
    (_BY_ATTRIBUTE, "most = int(r.abs().argmax())", "most = int(r.argmax())"),
    (_BY_ATTRIBUTE, "correlation[layer, coordinate]", "correlation[layer, 0]"),
    (_DEFAULT, "rows = closest.argsort()[:NUM_CLOSE]", "rows = closest.argsort()[-NUM_CLOSE:]"),
    (_DEFAULT, "features(extractor, data.test[:NUM_IMAGES]), h", "h, h"),
    (_TABLES, 'f"judge_control_{ending}"', 'f"control_{ending}"'),
    (_TABLES, "if budget < 1 else None", "if budget < 0 else None"),
    (_TABLES, "y[:, names.index(name)] = asked", "y[:, place] = asked"),
    (_TABLES, "for s in (CELEBA, STAND_IN)", "for s in (STAND_IN,)"),
    (
        _INFOSCC,
        "            z = with_coefficients(z, self.generator.importances(), coefficients)\n",
        "",
    ),
    (_INFOSCC, "logits.softmax(1) if", "logits.sigmoid() if"),
    (
        _EIGENGAN,
        "            z = with_coefficients(z, self.generator.importances(), coefficients)\n",
        "",
    ),
    (
        _CAPABILITIES,
        "low, high, not_given = -4.0, 4.0, math.nan",
        "low, high, not_given = -4.0, 4.0, 0.0",
    ),
]

MUTANTS = [(path, old, new, (_TESTS[path],)) for path, old, new in _CHANGES]
