"""One-line mutations of the scores of a run and what they mean."""

from __future__ import annotations

_METRICS = "scgan/metrics/"
_DEFAULT = _METRICS + "default_scores.py"
_SCORES = _METRICS + "scores.py"
_IMAGE_SCORES = _METRICS + "image_scores.py"
_OBJECTIVES = _METRICS + "objectives.py"
_MEANINGS = _METRICS + "meanings.py"
_DEFAULTS = "tests/metrics/test_default_scores.py"
_TABLE = "tests/metrics/test_scores.py::"
_SAME_PART = _TABLE + "test_the_value_is_of_the_samples_and_the_floor_of_real_rows"
_DISJOINT = _TABLE + "test_parts_are_disjoint_as_far_as_the_rows_go"
_OFF = _TABLE + "test_off_support_exactly"
_MODES = _TABLE + "test_mode_scores_flatten_the_coverage"
_OFF_FLOOR = _TABLE + "test_off_support_floor_is_of_rows_that_do_not_set_the_threshold"
_FIRST = _TABLE + "test_off_support_refers_to_the_first_rows_of_train"
_SIZE = _TABLE + "test_size_of_a_comparison_is_the_smaller_side"
_MODE_WEIGHTS = _TABLE + "test_modes_have_their_true_weights"
_LABEL = _TABLE + "test_label_scores_tell_how_much_clusters_say_of_labels"
_LABELS = _TABLE + "test_a_scores_label_says_with_what_it_was_measured"
_DIRECTIONS = _TABLE + "test_which_direction_is_better"
_CHAMFER = "tests/metrics/test_image_scores.py::test_chamfer_distances_are_told_apart"

# Who notices what is changed in a file, where a mutation doesn't say otherwise.
_OF_C2ST = "tests/metrics/test_objectives.py"
_TESTS = {
    _DEFAULT: _DEFAULTS,
    _OBJECTIVES: _DEFAULTS,
    _IMAGE_SCORES: "tests/metrics/test_image_scores.py",
}

# The file, its text, what a careless hand makes of it, and who notices.
_CHANGES: list[tuple[str, str, str, str | None]] = [
    (
        _DEFAULT,
        "compare_rows(samples, data.test, data.train, seed=seed, ",
        "compare_rows(samples, data.train, data.test, seed=seed, ",
        None,
    ),
    (
        _DEFAULT,
        "compare_rows(samples, data.test, data.train, seed=seed, ",
        "compare_rows(samples, data.test, data.train, seed=seed + 1, ",
        None,
    ),
    (
        _DEFAULT,
        "compare_rows(samples, data.test, data.train, seed=seed, ",
        "compare_rows(samples, data.train, data.train, seed=seed, ",
        None,
    ),
    (
        _DEFAULT,
        "model.sample(NUM_SAMPLES, generator)",
        "model.sample(len(data.test), generator)",
        None,
    ),
    (
        _DEFAULT,
        "generator = torch.Generator(model.device).manual_seed(seed)\n    columns",
        "generator = torch.Generator(model.device).manual_seed(seed + 1)\n    columns",
        None,
    ),
    (
        _DEFAULT,
        "samples = data.table_schema.encode(columns)",
        "samples = model.sample(NUM_SAMPLES, generator.manual_seed(seed))",
        None,
    ),
    (
        _DEFAULT,
        "error = (x_hat - data.test).square()",
        "error = (x_hat - data.train[: len(x_hat)]).square()",
        None,
    ),
    (
        _DEFAULT,
        "error = (x_hat - data.test).square()",
        "error = (x_hat - data.test).abs()",
        None,
    ),
    (_DEFAULT, "np.square(made - real)", "np.abs(made - real)", None),
    (_DEFAULT, "float(np.square(made - real).mean())", "float(error.mean())", None),
    (
        _DEFAULT,
        "k, labels = model.assign(data.test).cpu()",
        "k, labels = model.assign(data.train).cpu()",
        None,
    ),
    (
        _DEFAULT,
        "mode_scores(samples, modes, toy.mode_std",
        "mode_scores(real, modes, toy.mode_std",
        None,
    ),
    (_DEFAULT, "modes, toy.mode_std, toy.mode_weights", "modes, toy.mode_std, None", None),
    (
        _DEFAULT,
        "compare_images(data.train, fake, networks, seed, held_out=data.test, num_max=num)",
        "compare_images(data.test, fake, networks, seed, held_out=data.train, num_max=num)",
        None,
    ),
    (
        _DEFAULT,
        "compare_images(data.train, fake, networks",
        "compare_images(data.train, data.train, networks",
        None,
    ),
    (_DEFAULT, "seed, held_out=data.test, num_max=num)", "seed, num_max=num)", None),
    (_DEFAULT, "[*extractors_of(model), *more] or [PIXELS]", "[*more] or [PIXELS]", None),
    (
        _DEFAULT,
        "model.sample(num, torch.Generator(model.device).manual_seed(seed)).cpu()\n    networks",
        "model.sample(num, torch.Generator(model.device).manual_seed(0)).cpu()\n    networks",
        None,
    ),
    (_DEFAULT, "(len(data.train) + len(data.test)) // 2", "len(data.train) + len(data.test)", None),
    (_SCORES, "sum(floors) / len(floors)", "sum(floors) / len(floors) / 2", _SAME_PART),
    (
        _SCORES,
        "return sum(values) / len(values), sum(floors) / len(floors)",
        "return sum(floors) / len(floors), sum(values) / len(values)",
        _SAME_PART,
    ),
    (
        _SCORES,
        "metric(generated, real_a, seed + i)",
        "metric(generated, real_a, seed + i + 1)",
        _SAME_PART,
    ),
    (_SCORES, "metric(real_b, real_a, seed + i)", "metric(real_a, real_a, seed + i)", _SAME_PART),
    (
        _SCORES,
        "real_a, real_b = next(real).split(num)",
        "real_a, real_b = next(real)[:num], next(real)[:num]",
        _DISJOINT,
    ),
    (_SCORES, "return value, floor", "return floor, value", _OFF),
    (
        _SCORES,
        "share(half_b, half_a) + share(half_a, half_b)",
        "share(half_a, half_a) + share(half_b, half_b)",
        _OFF_FLOOR,
    ),
    (_SCORES, "for rows in (samples, test)", "for rows in (test, test)", _OFF),
    (_SCORES, "reference = train[:NUM_REFERENCE]", "reference = test[:NUM_REFERENCE]", _OFF),
    (_SCORES, "reference = train[:NUM_REFERENCE]", "reference = train", _FIRST),
    (_SCORES, "len(samples), len(test) // 2)", "len(samples), len(test) // 3)", _SIZE),
    (_SCORES, "cls(float(value), floor, found.better", 'cls(float(value), floor, "lower"', _MODES),
    (
        _SCORES,
        '", ".join([found.label, *rest.split("_")]) if rest else found.label',
        "found.label",
        _LABELS,
    ),
    (
        _SCORES,
        '"modes_captured": coverage.num_captured',
        '"modes_captured": coverage.num_modes',
        _MODES,
    ),
    (
        _SCORES,
        "mode_coverage(samples_raw, modes, mode_std, weights)",
        "mode_coverage(samples_raw, modes, mode_std, None)",
        _MODE_WEIGHTS,
    ),
    (_SCORES, "commonest if floored else None", "1 - commonest if floored else None", _LABEL),
    (
        _SCORES,
        "float(torch.bincount(codes).max()) / len(codes)",
        "float(torch.bincount(clusters).max()) / len(codes)",
        _LABEL,
    ),
    (
        _IMAGE_SCORES,
        "Score.of(name, fid(real_a, made), fid(real_a, real_b))",
        "Score.of(name, fid(real_a, real_b), fid(real_a, real_b))",
        None,
    ),
    (
        _IMAGE_SCORES,
        "Score.of(name, fid(real_a, made), fid(real_a, real_b))",
        "Score.of(name, fid(real_a, real_b), fid(real_a, made))",
        None,
    ),
    (
        _IMAGE_SCORES,
        "kid(real_a, made, seed), kid(real_a, real_b, seed)",
        "kid(real_b, made, seed), kid(real_a, real_b, seed)",
        None,
    ),
    (_IMAGE_SCORES, "for h in (made, real_a)]", "for h in (real_a, made)]", None),
    (_IMAGE_SCORES, "held_out[others[:num]]", "real[own[:num]][: len(held_out)]", None),
    (
        _IMAGE_SCORES,
        "images.mean(1), 8).flatten(1)",
        "images.mean(1), 4).flatten(1)",
        "tests/metrics/test_default_scores.py::test_pixels_are_grey_values_averaged_to_eight_by_eight",
    ),
    (
        _IMAGE_SCORES,
        "diversities(made, y, seed), diversities(true, real_y, seed)",
        "diversities(true, real_y, seed), diversities(made, y, seed)",
        None,
    ),
    (_IMAGE_SCORES, "worst = min(asked_for", "worst = max(asked_for", None),
    (_IMAGE_SCORES, "float(ratios.min())", "float(ratios.mean())", None),
    (_IMAGE_SCORES, "(made.overall, real.overall)", "(made.overall, made.overall)", None),
    (_IMAGE_SCORES, "(asked_for[worst], ceilings.get(worst))", "(asked_for[worst], 1.0)", None),
    (_IMAGE_SCORES, "(share, ceilings.get(name))", "(share, ceilings.get(worst))", None),
    (
        _IMAGE_SCORES,
        "chamfer_tsne(real_a, other, seed, num)",
        "chamfer_tsne(real_a, other, seed)",
        None,
    ),
    (_IMAGE_SCORES, "        if name not in known:", "        if False:", None),
    (
        _IMAGE_SCORES,
        "value.real_to_fake_sum, floor.real_to_fake_sum",
        "value.symmetric_mean, floor.symmetric_mean",
        _CHAMFER,
    ),
    (
        _OBJECTIVES,
        "    x = data.test[:NUM_ROWS]\n    generator",
        "    x = data.train[:NUM_ROWS]\n    generator",
        None,
    ),
    (
        _OBJECTIVES,
        "schema.encode(schema.decode(model.sample(num, generator).cpu()))",
        "model.sample(num, generator).cpu()",
        _OF_C2ST,
    ),
    (_OBJECTIVES, "abs(fmean(accuracies) - 0.5)", "fmean(accuracies) - 0.5", _OF_C2ST),
    (
        _OBJECTIVES,
        "samples, data.test, seed=seed + draw",
        "samples, data.train, seed=seed + draw",
        _OF_C2ST,
    ),
    (_OBJECTIVES, "seed=seed + draw, num_max", "seed=seed, num_max", _OF_C2ST),
    (
        _OBJECTIVES,
        "x, rows = data.test[:NUM_ROWS], torch.Generator(model.device).manual_seed(seed)",
        "x, rows = data.train[:NUM_ROWS], torch.Generator(model.device).manual_seed(seed)",
        None,
    ),
    (
        _OBJECTIVES,
        "    x = data.test[:NUM_ROWS]\n    return float",
        "    x = data.train[:NUM_ROWS]\n    return float",
        None,
    ),
    (_OBJECTIVES, "NUM_DRAWS * len(x), generator", "len(x), generator", None),
    (
        _OBJECTIVES,
        "real, fake = data.test[:NUM_IMAGES], _images(model, data, seed)\n    return",
        "real, fake = data.train[:NUM_IMAGES], _images(model, data, seed)\n    return",
        None,
    ),
    (
        _OBJECTIVES,
        "return fid(features(PIXELS, real), features(PIXELS, fake))",
        "return fid(features(PIXELS, real), features(PIXELS, real))",
        None,
    ),
    (
        _OBJECTIVES,
        "return 1 - control_accuracy",
        "return control_accuracy",
        "tests/metrics/test_objectives.py::test_image_metrics_tell_wrong_attributes_and_lost_diversity",
    ),
    (
        _OBJECTIVES,
        "samples = _as_given(model, data, NUM_DRAWS * len(x), generator)",
        "samples = model.sample(NUM_DRAWS * len(x), generator).cpu()",
        _OF_C2ST,
    ),
    (
        _OBJECTIVES,
        "draws = (_as_given(model, data, min(len(x), 5000), rows) for",
        "draws = (model.sample(min(len(x), 5000), rows).cpu() for",
        _OF_C2ST,
    ),
    (
        _OBJECTIVES,
        "directions = torch.Generator().manual_seed(seed)",
        "directions = torch.Generator()",
        None,
    ),
    (_MEANINGS, "entry = max(known, key=len)", "entry = min(known, key=len)", _LABELS),
    (_MEANINGS, 'name.removeprefix(entry).strip("_")', "name", _LABELS),
    (
        _MEANINGS,
        '0.5 is guessing, 1 is always.",\n        "lower",',
        '0.5 is guessing, 1 is always.",\n        "higher",',
        _DIRECTIONS,
    ),
]

MUTANTS = [(path, old, new, (test or _TESTS[path],)) for path, old, new, test in _CHANGES]
