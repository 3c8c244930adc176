"""Mutants of groups that images share with their views: MMGAN's, and what both have."""

from __future__ import annotations

_SHARED, _STAGE = "scgan/stages/image_groups.py", "scgan/stages/mixture_gan.py"
_SYSTEM, _USUAL = "scgan/systems/mmgan.py", "scgan/training/settings.py"
_TESTS = "tests/systems/test_mmgan_views.py"
_OF_SYSTEM = "tests/systems/test_mmgan.py"

_CHANGES = {
    (_SHARED, "tests/stages/test_image_groups.py"): [
        ("if deviation == 0:", "if deviation >= 0:"),
        ("x + deviation * self", "x + self"),
        ("share(draws), strength)", "share(draws), 1.0)"),
        ("gather(logits), runtime.gather(shared)", "gather(shared), runtime.gather(logits)"),
        ("torch.cat([x, views])", "torch.cat([views, x])"),
        ("    descend(optimizer, loss)\n", ""),
        ("gather(shared), weights)", "gather(shared), weights * 0 + 1 / len(weights))"),
        ("self.runtime.share(noise)", "noise[: len(x)]"),
        ("self.runtime.share(draws)", "draws[: len(x)]"),
    ],
    (_STAGE, _TESTS): [
        ('self.alone = self.chosen.start == "views"', "self.alone = False"),
        ("number * c.batch_size >= c.start_share * c.num_samples", "True"),
        (
            "        if self.alone:\n            losses",
            "        if self.alone and number < 6:\n            losses",
        ),
        ("average.update(getattr(self, name))", "average.update(average.module)"),
        ("self._views(x), weights", "x, weights"),
        ("self.perturbed.noisy(x, self.c.read_noise)", "self.perturbed.noisy(x, 0.3)"),
        ("self.perturbed.viewed(noisy, self.c.read_views)", "noisy"),
        ("with frozen([self.encoder]):", "if True:"),
        ("self.encoder(self._views(fake))", "self.encoder(fake)"),
        ("self.encoder(self._views(fake))", "self.encoder(self._views(fake.detach()))"),
        (
            "            self.optimizers,\n",
            "            dict(list(self.optimizers.items())[:2]),\n",
        ),
    ],
    (_STAGE, _OF_SYSTEM): [
        ("if not self.alone or number", "if number"),
    ],
    (_SYSTEM, _OF_SYSTEM): [
        ('c.start == "views" and data.kind == "table"', 'c.start == "views" and False'),
    ],
    (_USUAL, _OF_SYSTEM): [
        ("if value is not None", "if value"),
    ],
}

MUTANTS = [
    (path, old, new, (tests,))
    for (path, tests), changes in _CHANGES.items()
    for old, new in changes
]
