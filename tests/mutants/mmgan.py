"""One-line mutations of MMGAN, of clusters for anybody's data, and of counting modes."""

from __future__ import annotations

_LOSSES, _LATENT = "scgan/losses/mmgan.py", "scgan/nn/latent_mixture.py"
_STAGE, _SYSTEM = "scgan/stages/mixture_gan.py", "scgan/systems/mmgan.py"
_SETTINGS = "scgan/stages/mixture_settings.py"
_MEMORY, _CLUSTERING = "scgan/clustering/in_memory.py", "scgan/metrics/clustering.py"
_SCORES, _DEFAULT = "scgan/metrics/scores.py", "scgan/metrics/default_scores.py"
_ASSIGNING, _COUNTING = "scgan/pipeline/assigning.py", "scgan/pipeline/counting.py"
_KEYS, _CAPABILITIES = "scgan/data/tables/keys.py", "scgan/capabilities.py"
_TOY, _MIXTURE, _ESTIMATOR = "scgan/data/toy.py", "scgan/data/mixture.py", "scgan/estimator/base.py"

_TESTS = {
    _LOSSES: "tests/losses/test_mmgan.py",
    _LATENT: "tests/nn/test_latent_mixture.py",
    _STAGE: "tests/systems/test_mmgan.py",
    _SETTINGS: "tests/systems/test_mmgan.py",
    _SYSTEM: "tests/systems/test_mmgan.py",
    _MEMORY: "tests/clustering/test_in_memory.py",
    _CLUSTERING: "tests/metrics/test_clustering_metrics.py",
    _SCORES: "tests/metrics/test_scores.py",
    _DEFAULT: "tests/metrics/test_default_scores.py",
    _ASSIGNING: "tests/pipeline/test_assigning.py",
    _COUNTING: "tests/pipeline/test_counting.py",
    _KEYS: "tests/pipeline/test_assigning.py",
    _CAPABILITIES: "tests/systems/test_capabilities.py",
    _TOY: "tests/data/test_toy.py",
    _MIXTURE: "tests/data/test_toy.py",
    _ESTIMATOR: "tests/test_estimator.py::test_mmgan_saved_and_loaded",
}

_CHANGES = [
    # The losses.
    (_LOSSES, "F.softplus(behind - ahead)", "F.softplus(ahead - behind)"),
    (_LOSSES, "return sums / len(logits)", "return sums / counts.clamp(min=1)"),
    (_LOSSES, "sums / counts.clamp(min=1), logits.mean())", "sums / counts.clamp(min=1), 0)"),
    (_LOSSES, 'judged.k, num, "cluster")[judged.k]', 'judged.k, num, "batch")[judged.k]'),
    (_LOSSES, '"cluster")[judged.k]', '"cluster")[judged.k_prior]'),
    (_LOSSES, "game.divisor)[judged.k_prior]", "game.divisor)[judged.k]"),
    (
        _LOSSES,
        "means_by_cluster(judged.paired, judged.k,",
        "means_by_cluster(judged.prior, judged.k,",
    ),
    (_LOSSES, "sign = 1 if of_critic else -1", "sign = 1"),
    (
        _LOSSES,
        "F.softplus(sign * (judged.prior - real))",
        "F.softplus(-sign * (judged.prior - real))",
    ),
    (_LOSSES, '"both": (judged.paired, judged.prior)', '"both": (judged.prior, judged.prior)'),
    (
        _LOSSES,
        "fakes.get(game.batches, (judged.prior,))",
        "fakes.get(game.batches, (judged.paired,))",
    ),
    (_LOSSES, "pair = (judged.real, fake) if of_critic", "pair = (judged.real, fake) if True"),
    (_LOSSES, "_replace(prior=judged.paired, k_prior=judged.k)", "_replace(prior=judged.paired)"),
    (_LOSSES, "zero = torch.zeros_like(judged.k)", "zero = judged.k"),
    (_LOSSES, "g_loss + alpha * entropy", "g_loss + entropy"),
    # The latent mixture.
    (_LATENT, "y @ self.mu + (y @ self.sigma)", "y @ self.mu + (y @ self.sigma).square()"),
    (_LATENT, "self.sigma.clamp_(min=self.sigma_floor)", "self.sigma.clamp_(min=0)"),
    (_LATENT, "/ self.sigma.square()", "/ self.sigma"),
    (_LATENT, "self.sigma.log() + math.log(2 * math.pi) / 2", "self.sigma.log()"),
    (_LATENT, "return y + p - p.detach()", "return p"),
    (_LATENT, "if not straight_through:", "if straight_through:"),
    (_LATENT, "randperm(2**dim, generator=generator)[:num, None]", "arange(2**dim)[:num, None]"),
    (_LATENT, "torch.cat([drawn, more]).unique(dim=0)", "torch.cat([drawn, more])"),
    (
        _LATENT,
        "return drawn[torch.randperm(len(drawn), generator=generator)[:num]]",
        "return drawn[:num]",
    ),
    # What each network is fed.
    (_STAGE, "c.straight_through and not self.alone", "not self.alone"),
    (_STAGE, "self.generate(torch.cat([y, y_prior]), z)", "self.generate(torch.cat([y, y]), z)"),
    (
        _STAGE,
        "self.generate(torch.cat([y, y_prior]), z)",
        "self.generate(torch.cat([y, y_prior]), z[0])",
    ),
    (_STAGE, "flat.view_as(x), fake.detach()", "flat.view_as(x), fake.detach().flip(0)"),
    (_STAGE, "self._read(fake[len(x) :])", "self._read(fake[: len(x)])"),
    (_STAGE, "return self.cluster(fake)", "return self.cluster(fake.detach())"),
    (_STAGE, "alpha=self.chosen.alpha)", "alpha=1.0)"),
    (_STAGE, "        self.generator.latent.hold()\n", ""),
    (_STAGE, "share(z), share(z_prior)", "share(z), share(z)"),
    (_STAGE, "Judged(real, gather(k), paired, prior,", "Judged(real, gather(k), prior, paired,"),
    (_STAGE, "real, paired, prior = (gather(part) for", "real, paired, prior = (part for"),
    (_STAGE, "number % self.c.r1_every:", "number % self.c.r1_every == 1:"),
    (_STAGE, "chosen.r1_weight * self.c.r1_every * losses", "chosen.r1_weight * losses"),
    (_SETTINGS, "OF_ROWS if len(shape) == 1 else OF_IMAGES", "OF_ROWS"),
    (_SETTINGS, 'Choices(1.0, 0.005, "noise")', 'Choices(1.0, 0.5, "noise")'),
    (_STAGE, "else [self.generator, self.encoder]", "else [self.generator]"),
    (_STAGE, "adam(self.critic, c.d_learning_rate", "adam(self.critic, c.learning_rate"),
    (_STAGE, "Average(self.encoder, c.ema_half_life", "Average(self.encoder, 1e9"),
    (
        _STAGE,
        "Game(len(self.generator.latent.mu), c.critic, c.batches",
        'Game(len(self.generator.latent.mu), c.critic, "both"',
    ),
    (_STAGE, "best = max(range(len(told))", "best = min(range(len(told))"),
    (_STAGE, "trainings[best].averages.items()", "trainings[0].averages.items()"),
    (_STAGE, "found[best].argmax(1), minlength", "found[0].argmax(1), minlength"),
    (_STAGE, 'own = f" {start}" if start else ""', 'own = ""'),
    (_STAGE, "number = state.samples // c.batch_size", "number = 0"),
    (_STAGE, 'f"{name}_{start}": value', 'f"{name}_0": value'),
    # The system.
    (_SYSTEM, "if 2 <= classes <= MOST_LABELS", "if classes"),
    (_SYSTEM, "labels is None or labels.ndim != 1", "labels is None"),
    (_SYSTEM, "torch.full_like(k, cluster)", "torch.zeros_like(k)"),
    (_SYSTEM, "if num > 2**c.code_dim:", "if num >= 2**c.code_dim:"),
    (_SYSTEM, '"weight": [1 / num] * num', '"weight": [1.0] * num'),
    (_SYSTEM, "self.probabilities(x).log())", "self.probabilities(x))"),
    # How sure a clustering is.
    (_MEMORY, "spread.double().square() / counts.sum()", "spread.double() / counts.sum()"),
    (_MEMORY, "/ (2 * max(variance, least))", "/ max(variance, least)"),
    (_CAPABILITIES, "F.one_hot(model.assign(x), len(model.counts))", "F.one_hot(model.assign(x))"),
    # Scores of clusters.
    (_CLUSTERING, "table.amax(dim=1) / table.sum(dim=1)", "table.amax(dim=1) / table.sum()"),
    (_CLUSTERING, "entr(p).sum(1).mean()", "entr(p).sum(1)[0]"),
    (_CLUSTERING, "if not 1 < len(", "if not 0 < len("),
    (_CLUSTERING, "rows = order[:NUM_SILHOUETTE]", "rows = order"),
    (_SCORES, '"label_hungarian": (hungarian_accuracy, True)', '"label_hungarian": (purity, True)'),
    (_SCORES, '"label_majority": (majority_accuracy, False)', '"label_majority": (purity, False)'),
    (_DEFAULT, "silhouette(data.test, k, seed=seed)", "silhouette(data.train, k, seed=seed)"),
    (_DEFAULT, "if labels is not None and are_classes(labels):", "if labels is not None:"),
    (_DEFAULT, "if labels is not None and are_classes(labels):", "if False:"),
    # Anybody's rows and samples.
    (_ASSIGNING, "p.gather(1, k[:, None])[:, 0]", "p.max(1).values.roll(1)"),
    (_ASSIGNING, "    if taken:", "    if False:"),
    (
        _ASSIGNING,
        "for column in stored.schema.modelled]",
        "for column in stored.schema.columns[:1]]",
    ),
    (_KEYS, "values if table.labels is None else values[table.labels]", "values[: table.num_rows]"),
    (_KEYS, "values[raw.missing[other]] = None", "pass"),
    (_KEYS, "if other not in columns] if keep is None", "] if keep is None"),
    (_COUNTING, "return rows[order[:num]]", "return rows[order]"),
    (_COUNTING, "if name not in (SPREAD, WEIGHT))", "if name != SPREAD)"),
    (
        _COUNTING,
        "mixture.centres, mixture.spreads, mixture.weights)",
        "mixture.centres, 1.0, mixture.weights)",
    ),
    (
        _ESTIMATOR,
        'Artifact({"k": torch.from_numpy(self.labels_)})',
        'Artifact({"k": torch.from_numpy(0 * self.labels_)})',
    ),
    # Toy sets' pieces.
    (
        _TOY,
        "torch.stack((1 - t.cos(), 0.5 - t.sin()), 1)",
        "torch.stack((1 - t.cos(), -t.sin()), 1)",
    ),
    (_TOY, "k = (uniform[:, 0] < 0.5).long()", "k = (uniform[:, 1] < 0.5).long()"),
    (_TOY, "log_weight = (weights / 4).log()", "log_weight = (weights / 2).log()"),
    (_TOY, 'Moons("moons", std=0.05)', 'Moons("moons", std=0.1)'),
    (
        _MIXTURE,
        "generator=generator, device=device), k\n",
        "generator=generator, device=device), k.flip(0)\n",
    ),
]

MUTANTS = [(path, old, new, (_TESTS[path],)) for path, old, new in _CHANGES]
