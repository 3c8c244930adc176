"""Mutants of NEMGAN: its losses, noise, training, labels, and how modes are matched and drawn."""

from __future__ import annotations

_LOSSES, _INVERSION = "scgan/losses/nemgan.py", "scgan/nn/inversion.py"
_STAGE, _SYSTEM = "scgan/stages/noise_gan.py", "scgan/systems/nemgan.py"
_LABELS, _MATCHING = "scgan/data/labels.py", "scgan/metrics/mode_matching.py"
_FIGURES, _MODES = "scgan/figures/modes.py", "scgan/metrics/modes.py"

_OF_GAME, _OF_BATCHES = "tests/systems/test_nemgan.py::", "tests/systems/test_nemgan_batches.py::"
_OF_MODEL = "tests/systems/test_nemgan_model.py::"
_BY_HAND = _OF_GAME + "test_a_training_is_equation_1_by_hand[table]"
_LESSON = _OF_BATCHES + "test_a_lesson_is_due_after_every_so_many_steps"
_LESSON += "_and_teaches_the_inversion_alone"
_CHOSEN = _OF_BATCHES + "test_lessons_are_of_the_chosen_rows_with_their_own_labels"
_PLAIN = _OF_GAME
_PLAIN += "test_the_plain_gan_has_noise_of_modes_but_does_not_learn_by_the_inversion"
_DRAWN = _OF_MODEL
_DRAWN += "test_what_is_drawn_of_a_mode_is_of_its_noise_and_else_of_all_by_the_prior"
_PRIOR = _OF_BATCHES + "test_a_fixed_prior_stays_and_a_learned_one_waits_for_its_start"
_TOWARDS = _OF_BATCHES + "test_a_learned_prior_goes_towards_the_modes_found_in_real_rows"
_REFUSED = _OF_MODEL + "test_settings_that_the_data_cannot_bear_are_refused"
_COUNTS = _OF_MODEL
_COUNTS += "test_the_mode_of_a_row_is_the_inversions_and_the_counts_are_of_training_rows"

# File to tests to changes: a text that occurs in the file once, and what stands instead.
_CHANGES = {
    _LOSSES: {
        "tests/losses/test_nemgan.py": [
            ("(z - z_hat).abs().pow(p).mean()", "(z - z_hat).abs().mean()"),
            ("(z - z_hat).abs().pow(p).mean()", "(z - z_hat).abs().pow(p).sum(1).mean()"),
            ("return F.cross_entropy(logits, y)", "return F.cross_entropy(logits, y.flip(0))"),
            ("scale * (cosines - margin *", "scale * (cosines + margin *"),
            ("scale * (cosines - margin *", "(scale * cosines - margin *"),
            ("real_modes.mean(0)", "real_modes[0]"),
            ("log_found - logits.log_softmax(0)", "log_found - logits"),
            ("found.clamp_min(torch.finfo(found.dtype).tiny).log()", "found.log()"),
            ("reconstruction_weight * reconstruction", "reconstruction"),
            ("mode_weight * modes", "modes"),
            ("noise_reconstruction(z, z_hat, p)", "noise_reconstruction(z, z_hat, 1)"),
            ("PAIRS[adversarial].g_loss", 'PAIRS["non_saturating"].g_loss'),
        ],
    },
    _INVERSION: {
        "tests/nn/test_inversion.py": [
            ("dtype=torch.float32).log())", "dtype=torch.float32))"),
            ("spread * (2 * uniform - 1)", "spread * uniform"),
            ("z[:, :num_modes] += F.one_hot", "z[:, -num_modes:] += F.one_hot"),
            ("SHARPNESS * self.h2(z_hat)", "SHARPNESS * self.h2(z_hat.tanh())"),
            ("SHARPNESS * self.h2(z_hat)", "self.h2(z_hat)"),
            ("F.normalize(self.h2.weight, dim=1)", "self.h2.weight"),
            ("z_hat[:, : self.num_modes]", "z_hat[:, -self.num_modes :]"),
            ("if y is None:", "if y is not None:"),
            ("replacement=True, generator=generator", "replacement=True"),
        ],
    },
    _STAGE: {
        _BY_HAND: [
            ("fake.detach()])", "fake])"),
            ("[self.generator, self.inversion])\n", "[self.generator])\n"),
            ("adam(both, c.learning_rate", "adam(both, 1e-3"),
            ("reconstruction_weight=chosen.reconstruction_weight", "reconstruction_weight=1.0"),
            ("c.mode_weight if c.teaches", "1.0 if c.teaches"),
            ("average.update(getattr(self, name))", "pass"),
            ("self.prior.draw(c.batch_size, noise)", "torch.zeros(c.batch_size).long()"),
        ],
        _OF_BATCHES + "test_noise_has_the_settings_spread": [
            ("chosen.code_dim, chosen.noise_spread, noise", "chosen.code_dim, 0.3, noise"),
        ],
        _PLAIN: [("fake if c.teaches else fake.detach()", "fake")],
        _OF_BATCHES + "test_the_inversion_reads_through_noise_and_the_discriminator_does_not": [
            ("left * self.c.read_noise)", "left)"),
            ("max(0.0, 3 - 4 * done)", "max(0.0, 3)"),
            ("least + (1 - least) * min", "least + min"),
            ("max(0.0, 3 - 4 * done)", "max(0.0, 1 - done)"),
            ("return self.invert(seen, y)", "return self.invert(fake, y)"),
        ],
        _OF_GAME + "test_the_terms_change_what_the_generator_learns_by": [
            ("p=c.norm", "p=1"),
        ],
        _OF_GAME + "test_the_adversarial_loss_is_the_one_that_is_set": [
            ("made, c.adversarial, weights)", 'made, "non_saturating", weights)'),
        ],
        _OF_GAME + "test_a_margin_makes_the_modes_harder_in_training": [
            ("return self.invert(seen, y)", "return self.invert(seen)"),
        ],
        _PRIOR: [
            ('c.prior == "learned" and done', "done"),
            (" and done >= c.prior_start * c.num_samples", ""),
        ],
        _TOWARDS: [
            ("self.inversion(real)[1].softmax(1)", "self.inversion(real)[1]"),
            (
                "        with torch.no_grad():\n            found",
                "        if True:\n            found",
            ),
        ],
        _LESSON: [
            ("(done // c.batch_size + 1) % c", "(done // c.batch_size) % c"),
            ("range(c.supervised_steps)", "range(1)"),
        ],
        _CHOSEN: [
            ("self.y[rows]", "self.y[rows.flip(0)]"),
            ("rows = self.labelled[some]", "rows = self.labelled[0 * some]"),
            ('inputs.generator("gan", "labelled")', "torch.Generator()"),
        ],
        _COUNTS: [("[1].argmax(1)\n    tensors", "[1].argmin(1)\n    tensors")],
    },
    "scgan/stages/noise_settings.py": {
        _OF_GAME + "test_each_term_has_a_switch": [
            ("return self.mode_weight > 0 or not self.teaches", "return True"),
        ],
    },
    _SYSTEM: {
        _DRAWN: [
            ("y if cluster is None else torch.full_like(y, cluster)", "y"),
            ("self.prior.weights.tolist()", "self.counts.tolist()"),
            ("for part in z.split(chunk)", "for part in [z]"),
        ],
        _COUNTS: [
            ("[1].softmax(1)", "[1].sigmoid()"),
            ("self.probabilities(x).argmax(1)", "self.probabilities(x).argmin(1)"),
        ],
        _OF_MODEL + "test_inference_is_the_generator_of_what_h1_reads": [
            ("[self.generator(part) for part in z_hat.split", "[part for part in x.split"),
        ],
        _OF_MODEL + "test_networks_have_their_settings_sizes": [
            ("build_generator(noise_dim, shape", "build_generator(num_modes, shape"),
            ("build_reader(shape, 1, sizes", "build_reader(shape, 2, sizes"),
            ("Sizes(c.width, c.num_layers", "Sizes(c.width, 1 + c.num_layers"),
        ],
        _BY_HAND: [("Prior(c.weights or [1.0]", "Prior([1.0]")],
        _REFUSED: [
            ("len(c.weights) != num or ", ""),
            ("min(c.weights) <= 0", "min(c.weights) < 0"),
            ("len(labels.names) > num", "len(labels.names) > 10_000"),
        ],
    },
    "scgan/contract.py": {
        _OF_MODEL + "test_scores_say_how_modes_match": [
            (
                "            yield from mode_matching_scores(model, data, seed)\n",
                "            pass\n",
            ),
        ],
    },
    "scgan/nn/dcgan.py": {
        "tests/nn/test_dcgan.py": [
            ("self.scale * self.norm(logits)", "self.norm(logits)"),
            ("self.scale * self.norm(logits)", "self.scale * logits"),
            ("(num_clusters, affine=False)", "(num_clusters)"),
            ("self.norm(logits), others]", "self.norm(logits), self.scale * others]"),
            ("self.image_width * 2**i for", "self.image_width for"),
            ("sizes.channels(size)[::-1]", "sizes.channels(size)"),
            ("*shape], activation)", "*shape])"),
            ("outputs], activation)", "outputs])"),
            ("functools.partial(nn.LeakyReLU, SLOPE)", "nn.LeakyReLU"),
            ("nn.BatchNorm2d(before), ", ""),
            ("*layers, nn.Tanh())", "*layers)"),
            ("nn.Linear(flat, sizes.width), leaky_relu()", "nn.Linear(flat, sizes.width)"),
        ],
    },
    "scgan/losses/clustergan.py": {
        "tests/losses/test_clustergan.py": [
            ("beta_n * continuous + beta_c * discrete", "beta_c * continuous + beta_n * discrete"),
        ],
    },
    "scgan/systems/clustergan.py": {
        "tests/systems/test_clustergan.py": [
            ("c.noise_std * z_n", "z_n"),
            ("z[:, : c.code_dim], z_n_hat", "z[:, -c.code_dim :], z_n_hat"),
            ('losses["g_loss"] + terms.total', 'losses["g_loss"]'),
            ("adam(both, c.learning_rate", "adam(both, c.d_learning_rate"),
            ("[:, c.code_dim :].argmax(1)", "[:, : c.code_dim].argmax(1)"),
            ("[:, self.c.code_dim :].softmax(1)", "[:, self.c.code_dim :].sigmoid()"),
            ("y if cluster is None else torch.full_like(y, cluster)", "y"),
            ("or num_classes(inputs.data) or", "or"),
        ],
    },
    "scgan/losses/aae.py": {
        "tests/losses/test_aae.py": [
            ("reconstruction + prior_weight * (clusters + style)", "reconstruction + clusters"),
        ],
    },
    "scgan/systems/aae.py": {
        "tests/systems/test_aae.py": [
            ("_telling(judge_y, prior_y, y.detach())", "_telling(judge_y, y.detach(), prior_y)"),
            ("torch.cat([prior, found])", "torch.cat([prior, prior])"),
            ("nn.ModuleList(networks[:2])", "nn.ModuleList(networks[1:2])"),
            ("read[:, :num_clusters].softmax(1)", "read[:, :num_clusters].sigmoid()"),
            ("prior_weight=c.prior_weight", "prior_weight=1.0"),
            ("if cluster is not None:", "if cluster is None:"),
            ("average.update(network)", "pass"),
            ("if len(shape) > 1 else encoder", "if len(shape) == 1 else encoder"),
            ("USUAL_STYLE if len(shape) == 1", "USUAL_STYLE if len(shape) > 1"),
            ("(average.module.eval() for", "(average.module.train() for"),
        ],
    },
    "scgan/losses/gmvae.py": {
        "tests/losses/test_gmvae.py": [
            ("+ ratio - 1).sum(-1)", "+ ratio).sum(-1)"),
            ("squares / (2 * std**2)", "squares / std**2"),
            ("log_q + math.log(logits.shape[1])", "log_q"),
        ],
    },
    "scgan/systems/gmvae.py": {
        "tests/systems/test_gmvae.py": [
            ("(0.5 * q.log_var).exp() * noise", "q.log_var.exp() * noise"),
            ("(0.5 * network.log_var[k]).exp()", "network.log_var[k].exp()"),
            ("k if cluster is None else torch.full_like(k, cluster)", "k"),
            ("return x + network.std *", "return x + 0 *"),
            ("parts.append(self.network.decoder(q.mean[chosen]))", "parts.append(rows)"),
            ("OF_IMAGES if images else OF_ROWS", "OF_ROWS"),
            ("(num_clusters) if images else", "(num_clusters) if not images else"),
            ("average.module.eval()", "average.module.train()"),
            ("average.update(network)", "pass"),
        ],
    },
    _LABELS: {
        "tests/data/test_labels.py": [
            ('UNLABELLED = ("", "-1", "-1.0")', 'UNLABELLED = ("", "-1")'),
            ('Labels((f"no {name}", name), with_it', 'Labels((name, f"no {name}"), with_it'),
            ("column if labels.shape[1] == 1 else None", "column"),
            ("places.get(value, -1)", "places.get(value, 0)"),
            ("number[torch.from_numpy(place)], -1)", "number[torch.from_numpy(place)], 0)"),
            ("math.ceil(share", "math.floor(share"),
            ("2 <= found <= MOST_CLASSES", "1 <= found <= MOST_CLASSES"),
            ("y[y >= 0].unique()", "y.unique()"),
            ("torch.randperm(len(rows), generator=generator)", "torch.arange(len(rows))"),
            ("if data.train_labels is not train:", "if False:"),
        ],
    },
    _MATCHING: {
        "tests/metrics/test_mode_matching.py": [
            ("q.double()).abs().sum()) / 2", "q.double()).abs().sum())"),
            ("_distance(x, x, NEIGHBOUR + 1)", "_distance(x, x, NEIGHBOUR)"),
            ("float(x.shape[1] * ratio)", "float(ratio)"),
            ("len(y) / (len(x) - 1)", "len(x) / (len(y) - 1)"),
            ("float((drawn - prior).abs().max())", "float((drawn - prior).max())"),
            ("total_variation(prior, found)", "total_variation(drawn, found)"),
            ("len(prior) - len(enough)", "len(enough)"),
            ("nearest_neighbour_kl(half_b, half_a)", "nearest_neighbour_kl(half_a, half_a)"),
            ("generator, cluster=k)", "generator)"),
            ("if len(x) > NEIGHBOUR <= len(y)", "if len(x) > NEIGHBOUR"),
        ],
    },
    _MODES: {
        "tests/metrics/test_modes.py": [
            ("(shares - true_shares).abs().sum()) / 2", "(shares - true_shares).abs().max())"),
        ],
    },
    _FIGURES: {
        "tests/figures/test_mode_figures.py": [
            ("(y[known], k[known])", "(y[known], y[known])"),
            ("known = y >= 0", "known = y >= -1"),
            ("counts.sum(1, keepdim=True)", "counts.sum(0, keepdim=True)"),
            ("made[mode][:NUM_A_ROW]", "made[0][:NUM_A_ROW]"),
            ("x[k == mode][:NUM_A_ROW]", "x[k == 0][:NUM_A_ROW]"),
            ('"held-out": shares(k, num)', '"held-out": shares(drawn, num)'),
            ("torch.arange(len(made)).repeat_interleave(NUM_POINTS)", "torch.zeros(len(rows))"),
            ("comparable(data, x[y == label]", "comparable(data, x[k == label]"),
        ],
    },
}

MUTANTS = [
    (path, old, new, (test,))
    for path, by_test in _CHANGES.items()
    for test, changes in by_test.items()
    for old, new in changes
]
