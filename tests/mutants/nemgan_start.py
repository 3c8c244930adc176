"""Mutants of NEMGAN's start by a mixture, its even modes and its balanced lessons."""

from __future__ import annotations

_STAGE, _WEIGHTED = "scgan/stages/noise_gan.py", "scgan/clustering/weighted.py"
_LOSSES = "scgan/losses/nemgan.py"
_OF_GAME, _OF_BATCHES = "tests/systems/test_nemgan.py::", "tests/systems/test_nemgan_batches.py::"
_EVEN = _OF_BATCHES + "test_modes_are_drawn_evenly_and_the_discriminator_weighs_them"
_AUGMENT = "scgan/data/images/augment.py"
_VIEWS = _OF_BATCHES + "test_modes_are_read_off_views_and_noise_off_the_samples"
_BALANCED = _OF_BATCHES + "test_a_mixtures_groups_of_real_rows_are_as_often_as_its_modes"
_BALANCED += "_if_these_are_drawn_evenly"
_GROUPS = _OF_BATCHES + "test_a_mixtures_groups_teach_the_inversion_before_the_first_step"
_GROUPS += "_and_for_a_while"

_OWN = "tests/systems/test_nemgan_views.py::"
_ALONE = _OWN + "test_h_alone_learns_from_real_images_and_views_before_the_game_and_on_in_it"
_LOSS = _OWN + "test_the_loss_is_that_of_a_batch_its_own_views_and_the_modes_weights"

_CHANGES = {
    (_STAGE, _ALONE): [
        ('if c.start == "views":', 'if c.start == "views" and self.state.samples < 96:'),
        ("self.state.samples >= c.start_share * c.num_samples", "True"),
    ],
    (_STAGE, _LOSS): [
        ("            self.prior.weights,\n", "            self.prior.weights * 0 + 1 / 3,\n"),
        ("self.perturbed.viewed(self._blurred(x), self.c.read_views)", "self._blurred(x)"),
    ],
    (_STAGE, _OWN + "test_samples_teach_the_generator_their_modes_but_not_h"): [
        ("{name: w.detach() for name, w in", "{name: w for name, w in"),
        ("(views, y))[1]", "(views.detach(), y))[1]"),
        ("modes + 0 * own", "modes"),
        ("modes + 0 * own", "modes + own - own.detach()"),
    ],
    (_STAGE, _OWN + "test_views_are_read_through_noise"): [
        ("self.perturbed.viewed(self._blurred(x),", "self.perturbed.viewed(x,"),
    ],
    (_STAGE, _OWN + "test_the_stored_inversion_follows_from_the_first_step"): [
        ("average.update(getattr(self, name))", "average.update(average.module)"),
    ],
    ("scgan/losses/information.py", "tests/losses/test_information.py"): [
        ("log_p.exp(), log_p.detach()", "log_p.exp(), log_p"),
        ("CERTAINTY = 0.1", "CERTAINTY = 0.2"),
        ("BALANCE = 2.0", "BALANCE = 0.4"),
        ("torch.cat([p, log_view.exp()])", "p"),
        ("agreement + CERTAINTY", "agreement - CERTAINTY"),
    ],
    (_STAGE, _EVEN): [
        ("self._evenly(noise) if even else", "self._evenly(noise) if not even else"),
        ("(self.num_modes * self.prior.weights)[y] if", "(self.prior.weights)[y] if"),
    ],
    (_STAGE, _BALANCED): [
        ("self._rows(balanced=self.balanced)", "self._rows()"),
        ('c.draw == "even" and c.start == "mixture"', 'c.start == "mixture"'),
        ("weighed = even and not self.balanced", "weighed = even"),
        ("self._real(self._rows()) if self.balanced else real", "real"),
        ("torch.multinomial(self.chances, num,", "torch.multinomial(0 * self.chances + 1, num,"),
    ],
    (_STAGE, _OF_GAME + "test_a_training_is_equation_1_by_hand"): [
        ("number % self.c.r1_every == 0", "number % self.c.r1_every == 1"),
        ("self.chosen.r1_weight * c.r1_every * losses", "self.chosen.r1_weight * losses"),
        ("r1(found, flat)", "r1(made, flat)"),
        ('c.start != "views" or self', "self"),
    ],
    (_STAGE, _VIEWS): [
        ("viewed(seen, self.c.read_views)", "viewed(seen, 1e-6)"),
        ("z_hat[: len(seen)]", "z_hat[len(seen) :]"),
        ("modes[len(seen) :]", "modes[: len(seen)]"),
        ("torch.cat([y, y])", "torch.cat([y, y.flip(0)])"),
    ],
    (_AUGMENT, "tests/data/images/test_augment.py"): [
        ("scale * (shear - turn.sin())", "scale * (shear + turn.sin())"),
        ("scale * stretch * turn.cos(), down", "scale * turn.cos(), down"),
        (
            "F.grid_sample(x + 1, grid, align_corners=False) - 1",
            "F.grid_sample(x, grid, align_corners=False)",
        ),
        ("(strength * most * (2 * draws", "(most * (2 * draws"),
        ("0.3, 0.12, 0.12)", "0.3, 0.12, 0.06)"),
    ],
    (_STAGE, _GROUPS): [
        ("range(START_LESSONS)", "range(1)"),
        ("done >= c.start_share * c.num_samples", "done >= c.num_samples"),
        ("return shares.argmax(1), torch", "return shares.argmin(1), torch"),
    ],
    (_STAGE, _OF_GAME + "test_each_term_has_a_switch"): [
        ('c.start == "mixture" and self.state.samples == 0', "self.state.samples == 0"),
    ],
    (_STAGE, _OF_BATCHES + "test_lessons_have_all_labels_alike_often"): [
        ("1 / torch.bincount(self.y", "torch.bincount(self.y"),
    ],
    (_LOSSES, "tests/losses/test_nemgan.py"): [
        ("weights * pair(zero, fake_logits)", "pair(zero, fake_logits)"),
        ("(both - weights * pair(zero, zero))", "both"),
    ],
    (_WEIGHTED, "tests/clustering/test_weighted.py"): [
        ("bias = bias + log_w - (density", "bias = log_w - 0 * (density"),
        ("if fit.likelihood > best:", "if best == -math.inf:"),
        ("generator=generator)[: len(weights)]", "generator=None)[: len(weights)]"),
        ("rows @ axes.flip(1)[:, :num]", "rows @ axes[:, :num]"),
        ("rows = rows - rows.mean(0)", "rows = rows * 1"),
        ("return (weights[:, None] * gaps).T @ gaps", "return gaps.T @ gaps / len(gaps)"),
    ],
}

MUTANTS = [
    (path, old, new, (tests,))
    for (path, tests), changes in _CHANGES.items()
    for old, new in changes
]
