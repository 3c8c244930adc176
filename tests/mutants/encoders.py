"""Mutants of the encoders' three losses, and of what trains them: file, tests, changes."""

from __future__ import annotations

_LOSS = "tests/losses/test_contrastive.py::"
_TRAINING = "tests/stages/images/test_encoder_training.py::"

_CHANGES = {
    "scgan/losses/contrastive.py": {
        _LOSS + "test_byol_equals_the_slow_loop_and_its_closed_form[6-2]": [
            ("F.normalize(target, dim=1)", "target"),
            (".square().sum(1).mean()", ".square().mean()"),
        ],
        _LOSS + "test_byols_momentum_starts_at_the_base_and_ends_at_1": [
            ("(math.cos(math.pi * done) + 1) / 2", "math.cos(math.pi * done)"),
        ],
        _LOSS + "test_barlow_twins_equals_the_slow_loop[5e-3-9-2]": [
            ("F.normalize(u - u.mean(0), dim=0)", "F.normalize(u, dim=0)"),
            ("F.normalize(u - u.mean(0), dim=0)", "F.normalize(u - u.mean(0), dim=1)"),
            ("correlation.square().sum() - alike.square().sum()", "correlation.square().sum()"),
            ("(1 - alike).square().sum()", "(1 - alike).square().mean()"),
        ],
    },
    "scgan/stages/images/siamese.py": {
        _TRAINING + "test_every_update_goes_down_equation_1[0.2]": [
            ("return nt_xent(", "return -nt_xent("),
            ("nt_xent(u0, u1, self.c.temperature", "nt_xent(u0, u1, 0.5"),
            ("nt_xent(u0, u1, self", "nt_xent(u0, u0, self"),
            (
                "self.network(views).float().chunk(2)",
                "self.network(views).float().view(-1, 2, self.c.projection_dim).unbind(1)",
            ),
        ],
        _TRAINING + "test_a_worker_takes_its_half_and_has_the_others_views_as_negatives[1]": [
            ("rank=self.runtime.rank)", "rank=0)"),
            ("gathered=gathered", "gathered=None"),
        ],
        _TRAINING + "test_a_worker_correlates_the_views_of_all_workers": [
            ("(self.runtime.gather(u) for u in self._project(views))", "self._project(views)"),
        ],
        _TRAINING + "test_every_update_of_barlow_twins_goes_down_its_equation_1[0.3]": [
            ("self.c.redundancy_weight", "5e-3"),
        ],
        _TRAINING + "test_every_update_of_byol_goes_down_its_equation_2_and_the_target_follows": [
            ("byol(q0, t1) + byol(q1, t0)", "byol(q0, t0) + byol(q1, t1)"),
            ("byol(q0, t1) + byol(q1, t0)", "byol(q0, t1)"),
            ("self.target(views)", "self.encoder(views)"),
            ("1 - keep)", "keep)"),
            ("byol_momentum(self.c.target_momentum, done)", "self.c.target_momentum"),
        ],
        _TRAINING
        + "test_byols_target_starts_as_the_encoder_and_alone_is_stored_without_its_predictor": [
            (
                "copy.deepcopy(encoder).requires_grad_(False)",
                "copy.deepcopy(encoder).apply(\n"
                '            lambda m: getattr(m, "reset_parameters", int)()\n'
                "        ).requires_grad_(False)",
            ),
        ],
        _TRAINING + "test_a_killed_training_of_the_encoder_goes_on_bit_for_bit[byol]": [
            ('{"encoder": online, "target": self.target}', '{"encoder": online}'),
        ],
    },
}

MUTANTS = [
    (path, old, new, (tests,))
    for path, by_test in _CHANGES.items()
    for tests, changes in by_test.items()
    for old, new in changes
]
