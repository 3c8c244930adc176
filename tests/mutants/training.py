"""One-line mutations of the losses, of how networks are trained, and of K-means."""

from __future__ import annotations

_LOOP, _SETTINGS = "scgan/training/loop.py", "scgan/training/settings.py"
_STATE, _RUNTIME = "scgan/training/state.py", "scgan/training/runtime.py"
_BLOCKS, _MEMORY = "scgan/training/blocks.py", "scgan/clustering/in_memory.py"
_STREAMED, _SCGAN_LOSS = "scgan/clustering/streamed.py", "scgan/losses/scgan.py"
_ADVERSARIAL, _CONTRASTIVE = "scgan/losses/adversarial.py", "scgan/losses/contrastive.py"
_REGULARIZERS, _INFOSCC_LOSS = "scgan/losses/regularizers.py", "scgan/losses/infoscc_gan.py"
_CLASSIFICATION = "scgan/losses/classification.py"

_WORKER = "tests/training/test_worker.py"
_KILLED = "tests/training/test_loop.py::test_a_killed_fit_goes_on_bit_for_bit"
_FINITE = "tests/training/test_loop.py::test_a_loss_that_is_not_finite_stops_the_fit_and_says_where"
_APART = "tests/training/test_loop.py::test_adversarial_step_keeps_each_sides_gradients_apart"
_FORGETS = "tests/training/test_loop.py::test_the_average_forgets_its_start_in_a_short_training"

# Who notices what is changed in a file, where a mutation doesn't say otherwise.
_TESTS = {
    _LOOP: _WORKER,
    _SETTINGS: _WORKER,
    _STATE: _WORKER,
    _RUNTIME: _WORKER,
    _BLOCKS: "tests/training/test_loop.py",
    _MEMORY: "tests/clustering/test_in_memory.py",
    _STREAMED: "tests/clustering/test_streamed.py",
    _SCGAN_LOSS: "tests/losses/test_scgan.py",
    _ADVERSARIAL: "tests/losses/test_adversarial.py",
    _CONTRASTIVE: "tests/losses/test_contrastive.py",
    _REGULARIZERS: "tests/losses/test_regularizers.py",
    _INFOSCC_LOSS: "tests/losses/test_infoscc_gan.py",
    _CLASSIFICATION: "tests/losses/test_classification.py",
}

# The file, its text, what a careless hand makes of it, and who notices.
_CHANGES: list[tuple[str, str, str, str | None]] = [
    (_LOOP, "SCHEDULES[c.schedule](state.samples / num_samples)", "1.0", None),
    (
        _LOOP,
        "SCHEDULES[c.schedule](state.samples / num_samples)",
        'SCHEDULES["late_linear"](state.samples / num_samples)',
        None,
    ),
    (_LOOP, 'group.setdefault("initial_lr", group["lr"]) * factor', 'group["lr"] * factor', None),
    (
        _LOOP,
        "network.parameters(), learning_rate, betas=betas",
        "network.parameters(), learning_rate, betas=GAN_BETAS",
        None,
    ),
    (_LOOP, "weight_decay: float = 0.0", "weight_decay: float = 1e-4", None),
    (_LOOP, "GAN_BETAS = (0.5, 0.99)", "GAN_BETAS = (0.0, 0.99)", None),
    (_LOOP, "while state.samples < end:", "while state.samples <= end:", None),
    (_LOOP, '{"samples": state.samples, **means}', '{"samples": before, **means}', None),
    (
        _LOOP,
        "        if self.runtime.rank != 0:\n            return\n\n        now",
        "        now",
        None,
    ),
    (
        _LOOP,
        "self.runtime.checkpoints is None or self.runtime.rank != 0",
        "self.runtime.checkpoints is None",
        None,
    ),
    (
        _LOOP,
        "    descend(d_optimizer, d_loss())\n    with frozen(discriminators):\n",
        "    descend(g_optimizer, g_loss())\n    descend(d_optimizer, d_loss())\n    if False:\n",
        _APART,
    ),
    (_LOOP, "        state.restore(saved, runtime.device)\n", "        pass\n", _KILLED),
    (_LOOP, "if not math.isfinite(value):", "if math.isnan(value) and False:", _FINITE),
    (_SETTINGS, '"linear": lambda done: 1 - done', '"linear": lambda done: 1 - done / 2', None),
    (_SETTINGS, "min(1.0, 2 * (1 - done))", "min(1.0, 1.5 * (1 - done))", None),
    (
        _SETTINGS,
        "0.5 * (1 + math.cos(math.pi * done))",
        "0.5 * (1 + math.cos(math.pi * done / 2))",
        None,
    ),
    (_STATE, "self.sums[key] / count for key", "self.sums[key] for key", None),
    (
        _STATE,
        "self.sums[key] / count for key",
        "self.sums[key] / max(self.counts.values()) for key",
        None,
    ),
    (_STATE, "self.sums, self.counts = {}, {}", "self.sums = {}", None),
    (_STATE, "1 - 0.5 ** (self.batch_size / half_life)", "1 - 0.5 ** (1 / half_life)", None),
    (
        _STATE,
        "1 - 0.5 ** (self.batch_size / half_life)",
        "0.5 ** (self.batch_size / half_life)",
        None,
    ),
    (_STATE, "min(self.half_life, EMA_RAMP", "max(self.half_life, EMA_RAMP", None),
    (_STATE, "EMA_RAMP = 0.05", "EMA_RAMP = 1.0", _FORGETS),
    (
        _STATE,
        "            _restore_generator(name, generator, artifact)\n",
        "            pass\n",
        _KILLED,
    ),
    (
        _STATE,
        '_restore_optimizer(optimizer, artifact.section(f"optimizer.{name}"))',
        "pass",
        _KILLED,
    ),
    (
        _RUNTIME,
        "batch[self.rank * rows : (self.rank + 1) * rows]",
        "batch[self.rank :: self.world_size]",
        None,
    ),
    (_RUNTIME, "batch[self.rank * rows : (self.rank + 1) * rows]", "batch[:rows]", None),
    (
        _RUNTIME,
        'if precision == "fp32":\n            return contextlib',
        'if precision == "bf16":\n            return contextlib',
        None,
    ),
    (_BLOCKS, "(seed + 0x9E3779B97F4A7C15 * number)", "(seed)", None),
    (_BLOCKS, "generator.manual_seed((seed +", "generator.manual_seed((self.seeds[0] +", None),
    (_MEMORY, "keep = counts >= min_rows", "keep = counts > min_rows", None),
    (_MEMORY, "keep = counts >= min_rows", "keep = counts >= 1", None),
    (_MEMORY, '"random_state": seed', '"random_state": 0', None),
    (_MEMORY, '"max_iter": max_iter,\n', '"max_iter": 300,\n', None),
    (_MEMORY, '"n_init": num_starts', '"n_init": 1', None),
    (_MEMORY, "if len(eps) > mini_batch_above:", "if len(eps) < mini_batch_above:", None),
    (
        _MEMORY,
        "(eps - centres[k]).double().square().mean(1)",
        "(eps - centres[k]).double().square().sum(1)",
        None,
    ),
    (_MEMORY, "/ counts\n    ).sqrt()", "/ counts\n    )", None),
    (_MEMORY, "k[moving] = nearest", "k[moving] = 0", None),
    (_MEMORY, "int((~keep).sum())", "int(keep.sum())", None),
    (
        _MEMORY,
        "torch.cdist(rows, centres).argmin(1) for rows",
        "torch.cdist(rows, centres).argmax(1) for rows",
        None,
    ),
    (_STREAMED, "sums[moved] / counts[moved, None]", "sums[moved]", None),
    (_STREAMED, "sums = (counts[:, None] * centres)", "sums = torch.zeros_like(centres)", None),
    (
        _STREAMED,
        "k = nearest_centre(eps, self.centres)\n        self.counts +=",
        "k = nearest_centre(eps, self.centres)\n        self.counts =",
        None,
    ),
    (_STREAMED, "tiny = counts < TINY * counts.max()", "tiny = counts < 0 * counts.max()", None),
    (_STREAMED, "len(batch) // 2)]", "len(batch))]", None),
    (_STREAMED, "counts[chosen] = counts[~tiny].min()", "counts[chosen] = 0", None),
    (
        _STREAMED,
        "np.random.default_rng((seed, self.turn, i))",
        "np.random.default_rng((self.turn, i))",
        None,
    ),
    (_STREAMED, "num_clusters, random_state=seed)", "num_clusters, random_state=0)", None),
    (
        _STREAMED,
        "(eps - self.centres[k]).double().square().mean(1)",
        "(eps - self.centres[k]).double().square().sum(1)",
        None,
    ),
    (_STREAMED, "keep = self.counts >= min_rows", "keep = self.counts > min_rows", None),
    (_STREAMED, "num_files * min(max_passes,", "num_files * max(max_passes,", None),
    (_SCGAN_LOSS, "divergence + lambda_eps * entropy\n", "divergence + entropy\n", None),
    (
        _SCGAN_LOSS,
        "(x_hat - x).square().mean((-2, -1))",
        "(x_hat - x).square().sum(-1).mean(-1)",
        None,
    ),
    (_SCGAN_LOSS, "r1(real_logits, real).mean(-1)", "r1(real_logits, real).sum(-1)", None),
    (_SCGAN_LOSS, "r1_weight * r1(", "0.5 * r1_weight * r1(", None),
    (
        _SCGAN_LOSS,
        "d_loss(real_logits, fake_logits).mean",
        "d_loss(fake_logits, real_logits).mean",
        None,
    ),
    (
        _ADVERSARIAL,
        "F.softplus(-real_logits) + F.softplus(fake_logits)",
        "F.softplus(real_logits) + F.softplus(-fake_logits)",
        None,
    ),
    (
        _ADVERSARIAL,
        "F.relu(1 - real_logits) + F.relu(1 + fake_logits)",
        "F.relu(1 - real_logits) + F.relu(1 - fake_logits)",
        None,
    ),
    (_ADVERSARIAL, "return F.softplus(-fake_logits)", "return -F.softplus(fake_logits)", None),
    (
        _ADVERSARIAL,
        '"hinge_clipped": Pair(hinge_d_loss, hinge_clipped_g_loss)',
        '"hinge_clipped": Pair(hinge_d_loss, hinge_g_loss)',
        None,
    ),
    (
        _CONTRASTIVE,
        "logits = logits.scatter(1, itself[:, None], -torch.inf)",
        "logits = logits + 0",
        None,
    ),
    (_CONTRASTIVE, "torch.cat(others)) / temperature", "torch.cat(others)) * temperature", None),
    (
        _CONTRASTIVE,
        "torch.arange(b, device=u0.device) + rank * b",
        "torch.arange(b, device=u0.device)",
        None,
    ),
    (_CONTRASTIVE, "2 * a @ b.T - a", "a @ b.T - a", None),
    (_REGULARIZERS, "gradient.square().sum(-1)", "gradient.square().mean(-1)", None),
    (_REGULARIZERS, "grams = [U @ U.T for U in bases]", "grams = [U.T @ U for U in bases]", None),
    (_INFOSCC_LOSS, "g_loss + orthogonality_weight * penalty", "g_loss + penalty", None),
    (_CLASSIFICATION, '"one":\n        return F.cross', '"many":\n        return F.cross', None),
]

MUTANTS = [(path, old, new, (test or _TESTS[path],)) for path, old, new, test in _CHANGES]
