"""One-line mutations of the stages of tables and of the system SC-GAN."""

from __future__ import annotations

_STAGES, _FED = "scgan/stages/tables/", "tests/stages/tables/test_fed.py"
_WIRING, _EQUATIONS = "tests/stages/tables/test_wiring.py", "tests/stages/tables/test_equations.py"
_ENCODE, _CLUSTER, _LATENTS = _STAGES + "encode.py", _STAGES + "cluster.py", _STAGES + "latents.py"
_MAP, _DECODE = _STAGES + "map.py", _STAGES + "decode.py"
_FITS = _STAGES + "mapper_fits.py"
_SYSTEM, _OF_SYSTEM = "scgan/systems/scgan.py", "tests/systems/test_scgan.py"
_SHARDS, _ROWS = _STAGES + "shards.py", _STAGES + "rows.py"
_STREAM = "tests/stages/tables/test_shards.py"


def _fed(name: str) -> str:
    return f"{_FED}::{name}"


_EQ1 = f"{_EQUATIONS}::test_contrastive_step_raises_the_bound_of_equation_1"
_EQ2 = f"{_EQUATIONS}::test_mappers_minimise_equation_2_cluster_by_cluster"
_EQ4 = f"{_EQUATIONS}::test_decoder_minimises_equation_4"
_GENERATES = f"{_WIRING}::test_it_generates_from_the_latents_that_are_set"
_NOISE = f"{_WIRING}::test_its_noise_is_standard_normal_and_new_at_every_step_layer_and_row"
_CURVE = "tests/stages/tables/test_decoding.py::test_the_curve_says_what_it_names"
_AVERAGE = f"{_WIRING}::test_the_averaged_weights_are_stored_and_not_the_last"
_SETTING = f"{_WIRING}::test_every_setting_changes_what_its_stage_makes"
_STREAM_FED = f"{_STREAM}::test_what_the_stages_of_a_stream_are_fed"
_MAPPER_ROWS = (
    f"{_WIRING}::test_a_mapper_is_trained_on_its_clusters_rows_but_a_tenth_and_on_no_other"
)
_ORDER = f"{_WIRING}::test_codes_of_clusters_are_theirs_in_the_rows_order"
_KEPT = f"{_WIRING}::test_the_partition_keeps_every_rows_code_and_the_latents_a_part"
_PRIOR = f"{_WIRING}::test_the_priors_of_the_mappers_are_standard_normal"
_MERGED = f"{_WIRING}::test_parts_merge_into_what_all_units_make_at_once"
_WEIGHTS = _fed("test_a_latent_model_draws_its_clusters_by_their_rows_and_with_their_spread")

# Who notices what is changed in a file, where a mutation doesn't say otherwise.
_TESTS = {
    _ENCODE: _FED,
    _CLUSTER: _FED,
    _LATENTS: "tests/stages/tables/test_latents.py",
    _MAP: _FED,
    _FITS: _FED,
    _DECODE: _FED,
    _SHARDS: _STREAM,
    _ROWS: _STREAM,
    _SYSTEM: _OF_SYSTEM,
}

# The file, its text, what a careless hand makes of it, and who notices.
_CHANGES: list[tuple[str, str, str, str | None]] = [
    (
        _ENCODE,
        "noise_views(x[index], noise_std, generator)",
        "noise_views(x[index], 0.05, generator)",
        _EQ1,
    ),
    (_ENCODE, "noise_views(x[index], noise_std, generator)", "(x[index], x[index])", _EQ1),
    (
        _ENCODE,
        "noise_views(x[index], noise_std, generator)",
        "noise_views(x[: c.batch_size], noise_std, generator)",
        None,
    ),
    (_ENCODE, "torch.randint(len(x), (c.batch_size,)", "torch.randint(16, (c.batch_size,)", None),
    (
        _ENCODE,
        "u0, u1, c.temperature, gathered=gathered, rank=runtime.rank",
        "u0, u1, 1.0, gathered=gathered, rank=runtime.rank",
        _EQ1,
    ),
    (_ENCODE, "gathered=gathered, rank=runtime.rank", "gathered=None, rank=0", None),
    (_ENCODE, "gathered=gathered, rank=runtime.rank", "gathered=gathered, rank=0", None),
    (
        _ENCODE,
        "runtime.share(view) for view in views",
        "runtime.share(views[0]) for view in views",
        _EQ1,
    ),
    (_ENCODE, "runtime.share(view) for view in views", "view for view in views", None),
    (_ENCODE, "descend(optimizer, loss)", "descend(optimizer, -loss)", _EQ1),
    (_ENCODE, "adam(network, c.learning_rate)", "adam(network, 1e-3)", _EQ1),
    (_ENCODE, "max(0.05, float(distances.median())", "max(0.05, float(distances.mean())", None),
    (_ENCODE, "max(0.05, float(distances.median())", "max(0.0, float(distances.median())", None),
    (_ENCODE, "/ math.sqrt(x.shape[1]))", ")", None),
    (_ENCODE, "[:512].to(x.device)", "[:4096].to(x.device)", None),
    (_ENCODE, "    if c.noise_std is not None:\n        return c.noise_std\n", "", None),
    (_ENCODE, "encoder.fit_scale(resident[: 2**18])", "encoder.fit_scale(resident[: 2**4])", None),
    (_ENCODE, "    encoder.fit_scale(resident[: 2**18])\n", "", None),
    (
        _ENCODE,
        'inputs.generator("encode", "batches", runtime.device)',
        "torch.Generator(runtime.device).manual_seed(0)",
        _EQ1,
    ),
    (
        _CLUSTER,
        "        min_rows=c.min_rows,\n        max_iter=c.max_iter,",
        "        min_rows=2,\n        max_iter=c.max_iter,",
        None,
    ),
    (_CLUSTER, "mini_batch_above=c.mini_batch_above", "mini_batch_above=50_000", None),
    (
        _CLUSTER,
        'generator=inputs.generator("cluster", "start")',
        "generator=torch.Generator().manual_seed(0)",
        None,
    ),
    (
        _CLUSTER,
        "self.k.argsort(stable=True)",
        "self.k.argsort(stable=True, descending=True)",
        _ORDER,
    ),
    (
        _CLUSTER,
        "self.codes[pieces[k]] for k in clusters",
        "self.codes[pieces[k]] for k in sorted(clusters)",
        _ORDER,
    ),
    (
        _CLUSTER,
        "self.codes[pieces[k]] for k in clusters",
        "self.codes[pieces[k][:16]] for k in clusters",
        _MAPPER_ROWS,
    ),
    (
        _CLUSTER,
        '{"num_clusters": len(self.counts), "dissolved": self.dissolved}',
        '{"num_clusters": len(self.counts), "dissolved": 0}',
        None,
    ),
    (
        _CLUSTER,
        "ClusteredCodes.of(found, found.k, eps)",
        "ClusteredCodes.of(found, found.k, eps[:KEPT_CODES])",
        _KEPT,
    ),
    (
        _LATENTS,
        "clusters.counts.float().to(device)",
        "torch.ones(len(clusters.counts), device=device)",
        _WEIGHTS,
    ),
    (
        _LATENTS,
        "clusters.counts.float().to(device)",
        "clusters.counts.flip(0).float().to(device)",
        _WEIGHTS,
    ),
    (_LATENTS, "weights.to(generator.device), num", "torch.ones_like(weights), num", None),
    (_LATENTS, 'if name == "gaussian":', 'if name in ("gaussian", "centres"):', _GENERATES),
    (
        _LATENTS,
        '    if name == "gaussian":\n        return GaussianLatents(codes)\n',
        '    if name == "gaussian":\n        return RealLatents(codes, k)\n',
        _GENERATES,
    ),
    (
        _LATENTS,
        "return RealLatents(codes, k)",
        "return RealLatents(codes, torch.zeros_like(k))",
        _WEIGHTS,
    ),
    (
        _LATENTS,
        "return RealLatents(codes, k)",
        "return CentreLatents(clusters.centres, clusters.spread, weights)",
        _GENERATES,
    ),
    (
        _LATENTS,
        "clusters.spread.to(device), weights",
        "torch.ones_like(clusters.spread), weights",
        _WEIGHTS,
    ),
    (_LATENTS, "self.mean + z @ self.root.T", "z @ self.root.T", None),
    (_LATENTS, "self.mean + z @ self.root.T", "self.mean + z", None),
    (_LATENTS, "self.spread[k, None] * noise", "self.spread.mean() * noise", None),
    (_LATENTS, "self.spread[k, None] * noise", "0 * noise", None),
    (_LATENTS, "torch.full((num,), cluster, device", "torch.full((num,), 0, device", None),
    (
        _LATENTS,
        "codes = self.codes if cluster is None else self.codes[self.k == cluster]",
        "codes = self.codes",
        None,
    ),
    (_LATENTS, "torch.randint(len(codes), (num,)", "torch.randint(1, (num,)", None),
    (_LATENTS, "variance.clamp_min(0).sqrt()", "variance.clamp_min(0)", None),
    (_MAP, "min(c.code_dim or data_dim, dim)", "min(c.code_dim or dim, dim)", None),
    (_MAP, "min(c.code_dim or data_dim, dim)", "c.code_dim or data_dim", None),
    (_FITS, "stacked_adam(coder, c.learning_rate)", "stacked_adam(coder, c.d_learning_rate)", _EQ2),
    (
        _FITS,
        "list(mappers.discriminator.parameters()), c.d_learning_rate",
        "list(mappers.discriminator.parameters()), c.learning_rate",
        _EQ2,
    ),
    (
        _FITS,
        "torch.optim.Adam(groups, learning_rate, betas=GAN_BETAS)",
        "torch.optim.Adam(groups, learning_rate)",
        _EQ2,
    ),
    (_FITS, "lambda_eps=c.lambda_eps", "lambda_eps=10.0", f"{_SETTING}[mappers-lambda_eps]"),
    (
        _FITS,
        "rows, *logits, r1_weight=c.r1_weight, adversarial",
        "rows, *logits, r1_weight=0.0, adversarial",
        _EQ2,
    ),
    (
        _FITS,
        "rows, *logits, r1_weight=c.r1_weight, adversarial",
        "rows, *logits[::-1], r1_weight=c.r1_weight, adversarial",
        _EQ2,
    ),
    (
        _FITS,
        'losses["reconstruction"], losses["g_loss"] =',
        'losses["g_loss"], losses["reconstruction"] =',
        None,
    ),
    (
        _FITS,
        'losses["d_loss"] = loss.d_loss.mean()',
        'losses["d_loss"] = loss.d_loss.mean() / 2',
        None,
    ),
    (
        _FITS,
        "mappers.whitening(eps_block[:, place]), omega_block[:, place]",
        "mappers.whitening(eps_block[:, 0]), omega_block[:, place]",
        _EQ2,
    ),
    (
        _FITS,
        "torch.randint(length, (steps, c.batch_size), **on",
        "torch.randint(16, (steps, c.batch_size), **on",
        _MAPPER_ROWS,
    ),
    (
        _FITS,
        "torch.randint(length, (steps, c.batch_size), **on",
        "torch.randint(lengths[0], (steps, c.batch_size), **on",
        _MAPPER_ROWS,
    ),
    (_FITS, "prior.append(torch.randn(", "prior.append(torch.rand(", _PRIOR),
    (
        _MAP,
        '[inputs.generator("map", unit) for unit in units]',
        '[inputs.generator("map", "all") for unit in units]',
        _EQ2,
    ),
    (
        _MAP,
        "numbers = [int(unit) for unit in units]",
        "numbers = list(range(len(units)))",
        _MAPPER_ROWS,
    ),
    (_MAP, "quality, floor = mapper_quality(", "floor, quality = mapper_quality(", None),
    (_MAP, "meta[key] = [values[i] for i in order]", "meta[key] = values", None),
    (_MAP, 'share = len(part.meta["units"]) / num_units', "share = 1 / len(parts)", None),
    (_MAP, 'inputs.artifacts["cluster"].meta["num_clusters"])', "1)", None),
    (
        _DECODE,
        "code, latent, z = (runtime.share(t[place]) for t in block)",
        "code, latent, z = (t[place] for t in block)",
        None,
    ),
    (_DECODE, "torch.randn(num, *shape, generator", "torch.rand(num, *shape, generator", _NOISE),
    (
        _DECODE,
        "torch.randn(num, *shape, generator=generator, device=device)",
        "torch.randn(1, *shape, generator=generator, device=device).repeat(num, 1, 1)",
        _NOISE,
    ),
    (
        _DECODE,
        "latents = latent_model(c.latent, config",
        'latents = latent_model("mapping", config',
        _GENERATES,
    ),
    (
        _DECODE,
        "drawn = x[index], eps_of_x[index], latent, z",
        "drawn = x[index], eps_of_x[index.flip(0)], latent, z",
        None,
    ),
    (
        _DECODE,
        "drawn = x[index], eps_of_x[index], latent, z",
        "drawn = x[index], eps_of_x[index], eps_of_x[index], z",
        _GENERATES,
    ),
    (
        _DECODE,
        "torch.randint(len(x), (num,), generator",
        "torch.randint(16, (num,), generator",
        None,
    ),
    (_DECODE, 'inputs.generator("decode", "batches").initial_seed()', "0", None),
    (
        _DECODE,
        "discriminator_loss(rows, *logits, r1_weight",
        "discriminator_loss(rows, *logits[::-1], r1_weight",
        _EQ4,
    ),
    (
        _DECODE,
        "reconstruction_weight=c.reconstruction_weight",
        "reconstruction_weight=100.0",
        f"{_SETTING}[decoder-reconstruction_weight]",
    ),
    (
        _DECODE,
        "loss.total + c.orthogonality_weight * losses",
        "loss.total + losses",
        f"{_SETTING}[decoder-orthogonality_weight]",
    ),
    (
        _DECODE,
        'losses["reconstruction"] = loss.entropy',
        'losses["reconstruction"] = loss.total',
        _CURVE,
    ),
    (
        _DECODE,
        "adam(decoder, c.learning_rate, betas",
        "adam(decoder, c.d_learning_rate, betas",
        _EQ4,
    ),
    (
        _DECODE,
        "adam(critics, c.d_learning_rate, betas",
        "adam(critics, c.learning_rate, betas",
        _EQ4,
    ),
    (
        _DECODE,
        "adam(decoder, c.learning_rate, betas=GAN_BETAS)",
        "adam(decoder, c.learning_rate)",
        _EQ4,
    ),
    (
        _DECODE,
        "SubspaceDecoder = average.module",
        "SubspaceDecoder = decoder",
        _AVERAGE,
    ),
    (
        _DECODE,
        "Average(decoder, c.ema_half_life, c.batch_size)",
        "Average(decoder, 50_000, c.batch_size)",
        None,
    ),
    (
        _DECODE,
        "Average(decoder, c.ema_half_life, c.batch_size)",
        "Average(decoder, c.ema_half_life, 1)",
        None,
    ),
    (_DECODE, "        average.update(decoder)\n", "", _EQ4),
    (_DECODE, "noise_scale=c.noise_scale", "noise_scale=0.01", f"{_SETTING}[decoder-noise_scale]"),
    (_DECODE, "noise_dim=c.noise_dim", "noise_dim=6", f"{_SETTING}[decoder-noise_dim]"),
    (
        _SYSTEM,
        "margins(self.decoder.draw(eps, generator))\n            rows",
        "margins(by_rows(self.decoder, eps))\n            rows",
        None,
    ),
    (
        _SYSTEM,
        "by_rows(self.decoder, self.encode(x))",
        "by_rows(self.decoder, self.encode(x), self.decoder.noise(len(x), torch.Generator()))",
        None,
    ),
    (
        _SYSTEM,
        "name = latent or self.trained_latent",
        "name = self.trained_latent",
        None,
    ),
    (
        _SYSTEM,
        "name = latent or self.trained_latent",
        'name = latent or "mapping"',
        None,
    ),
    (_SYSTEM, "generator, cluster)\n            x", "generator, None)\n            x", None),
    (_SYSTEM, "min(chunk, wanted)", "min(chunk, wanted + 1)", None),
    (
        _SYSTEM,
        "nearest_centre(self.encode(x), self.centres)",
        "nearest_centre(-self.encode(x), self.centres)",
        None,
    ),
    (
        _SYSTEM,
        '"mapper distance": self.mapper_distances',
        '"mapper distance": self.mapper_distance_floors',
        None,
    ),
    (_SYSTEM, 'mapped["quality_floor"]', 'mapped["quality"]', None),
    (
        _SYSTEM,
        "of(model.mapper_distances), of(model.mapper_distance_floors)",
        "of(model.mapper_distance_floors), of(model.mapper_distances)",
        None,
    ),
    (
        _SYSTEM,
        "of(model.mapper_distances), of(model.mapper_distance_floors)",
        "of(model.mapper_distances), of(model.mapper_distance_floors) / 2",
        None,
    ),
    (_SYSTEM, '("worst", max)', '("worst", min)', None),
    (_SYSTEM, "yield from super().evaluate(model, data, seed)", "yield from ()", None),
    (
        _SYSTEM,
        "model.sample(len(x), generator, latent=name)",
        "model.sample(len(x), generator, latent=model.trained_latent)",
        None,
    ),
    (_SYSTEM, "x = data.test[:NUM_ROWS]", "x = data.train[:NUM_ROWS]", None),
    (
        _SYSTEM,
        "eps, k = model.encode(x).cpu(), model.assign(x).cpu()",
        "eps, k = model.encode(x).cpu() * 2, model.assign(x).cpu()",
        None,
    ),
    (
        _SYSTEM,
        "trained = LATENT_TITLES[model.trained_latent]",
        'trained = LATENT_TITLES["mapping"]',
        None,
    ),
    (
        _LATENTS,
        '"gaussian": "single Gaussian",\n    "centres": "noisy centres",',
        '"gaussian": "noisy centres",\n    "centres": "single Gaussian",',
        f"{_OF_SYSTEM}::test_each_latent_model_is_drawn_under_its_own_name",
    ),
    (
        _SYSTEM,
        'self.counts = artifacts["cluster"].tensors["counts"]',
        'self.counts = artifacts["cluster"].tensors["counts"].flip(0)',
        None,
    ),
    (
        _SYSTEM,
        'all by their weights", len(self.counts)',
        'all by their weights", len(self.counts) + 1',
        None,
    ),
    # A table larger than memory.
    (_SHARDS, 'order = shards.argsort(kind="stable")', "order = shards.argsort()[::-1]", None),
    (_SHARDS, 'named(x[order], "x")', 'named(x, "x")', None),
    (_SHARDS, 'named(eps[order].numpy(), "eps")', 'named(eps.numpy(), "eps")', None),
    (_SHARDS, "key=lambda file: file.name", "key=lambda file: file.sha256", None),
    (
        _SHARDS,
        "schema.encode(columns, rng).numpy()",
        "schema.encode(columns, rng).numpy() * 2",
        None,
    ),
    (_SHARDS, "    if held:\n        yield _joined(held)\n", "", None),
    (_SHARDS, "k = nearest_centre(eps, centres)", "k = nearest_centre(eps, centres[:1])", None),
    (_ROWS, "divmod(turn, self.num_shards)", "(0, turn % self.num_shards)", None),
    (_ROWS, "int(order[place]), self.inputs", "place, self.inputs", None),
    (_ROWS, "turn = samples // self.length", "turn = 0", None),
    (_ROWS, "return torch.from_numpy(x)[order]", "return torch.from_numpy(x)", None),
    (
        _ROWS,
        "    return Sharded(stage, inputs, runtime, read_shard_codes)",
        "    return Sharded(stage, inputs, runtime)",
        _STREAM_FED,
    ),
    (_ROWS, "torch.cat(found.pop(k))[:limit] for k", "torch.cat(found.pop(k)) for k", None),
    (_ROWS, "[:limit] for k in clusters]", "[:limit] for k in sorted(clusters)]", None),
    (_ROWS, 'np.searchsorted(k, number, "left"), np', "0, np", None),
    (_MAP, "limit=config.mappers.num_samples", "limit=16", _STREAM_FED),
    (_CLUSTER, "max_passes=c.max_iter", "max_passes=30", _STREAM_FED),
    (
        _CLUSTER,
        "min_rows=c.min_rows,\n        max_passes",
        "min_rows=2,\n        max_passes",
        _STREAM_FED,
    ),
    (_CLUSTER, "nearest_centre(codes, found", "nearest_centre(-codes, found", _STREAM_FED),
]

MUTANTS = [(path, old, new, (test or _TESTS[path],)) for path, old, new, test in _CHANGES]
