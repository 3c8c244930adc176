"""One-line mutations of the pipeline, its scores, what models can do, and the store."""

from __future__ import annotations

_PIPELINE, _METRICS, _STORE = "scgan/pipeline/", "scgan/metrics/", "scgan/store/"
_RUN, _FINISHING = _PIPELINE + "run.py", _PIPELINE + "finishing.py"
_EXECUTOR, _SPEC = _PIPELINE + "executor.py", _PIPELINE + "spec.py"
_STORED, _SCORING = _PIPELINE + "stored.py", _PIPELINE + "scoring.py"
_DEFAULT, _SCORES = _METRICS + "default_scores.py", _METRICS + "scores.py"
_IMAGE_SCORES, _OBJECTIVES = _METRICS + "image_scores.py", _METRICS + "objectives.py"
_MEANINGS, _CONTRACT = _METRICS + "meanings.py", "scgan/contract.py"
_CAPABILITIES, _ARTIFACTS = "scgan/capabilities.py", _STORE + "artifacts.py"
_FOLDER, _STORAGE = _STORE + "folder.py", _STORE + "storage.py"
_INVENTORY, _PARQUET = _STORE + "inventory.py", _STORE + "parquet.py"

_STUB, _DEFAULTS = "tests/pipeline/test_stub.py", "tests/metrics/test_default_scores.py"
_UNDECLARED = "tests/systems/test_contract.py::test_an_undeclared_read_is_an_error_that_names_both"
_AGAIN = f"{_STUB}::test_stages_come_from_the_store_and_listeners_hear_where_from"
_ANYBODY = "tests/pipeline/test_scoring.py::"
_HALVES = _ANYBODY + "test_half_of_the_reference_is_compared_with_and_half_is_the_support"
_SCORED = _ANYBODY + "test_good_samples_are_near_the_floor_and_bad_ones_far"
_BY_NAME = _ANYBODY + "test_columns_are_taken_by_name_whatever_their_order_and_company"
_TABLE = "tests/metrics/test_scores.py::"
_SAME_PART = _TABLE + "test_the_value_is_of_the_samples_and_the_floor_of_real_rows"
_DISJOINT = _TABLE + "test_parts_are_disjoint_as_far_as_the_rows_go"
_OFF, _MODES = _TABLE + "test_off_support_exactly", _TABLE + "test_mode_scores_flatten_the_coverage"
_OFF_FLOOR = _TABLE + "test_off_support_floor_is_of_rows_that_do_not_set_the_threshold"
_FIRST = _TABLE + "test_off_support_refers_to_the_first_rows_of_train"
_SIZE = _TABLE + "test_size_of_a_comparison_is_the_smaller_side"
_MODE_WEIGHTS = _TABLE + "test_modes_have_their_true_weights"
_LABEL = _TABLE + "test_label_scores_tell_how_much_clusters_say_of_labels"
_LABELS = _TABLE + "test_a_scores_label_says_with_what_it_was_measured"
_DIRECTIONS = _TABLE + "test_which_direction_is_better"
_CHAMFER = "tests/metrics/test_image_scores.py::test_chamfer_distances_are_told_apart"
_FILES = "tests/store/test_artifacts.py::"
_SECTION = _FILES + "test_a_section_is_of_its_name_and_no_longer_one"
_TWO = _FILES + "test_a_writer_never_removes_what_another_has_just_written"
_LINKS = _FILES + "test_links_that_lead_out_of_the_store_are_refused"
_LEFT = _FILES + "test_a_write_leaves_the_file_and_nothing_beside_it"
_HOURS = _FILES + "test_what_is_left_behind_is_waste_after_so_many_hours"
_NAMES = _FILES + "test_names_cannot_leave_the_store"
_ROWS = "tests/store/test_parquet.py::"
_TABLES_ORDER = _LABELLED = _ROWS + "test_the_files_of_an_artifact_are_in_the_order_of_their_labels"

# Who notices what is changed in a file, where a mutation doesn't say otherwise.
_TESTS = {
    _RUN: _STUB,
    _FINISHING: _STUB,
    _EXECUTOR: _STUB,
    _SPEC: _STUB,
    _STORED: _STUB,
    _CONTRACT: _STUB,
    _DEFAULT: _DEFAULTS,
    _OBJECTIVES: _DEFAULTS,
    _IMAGE_SCORES: "tests/metrics/test_image_scores.py",
    _CAPABILITIES: "tests/systems/test_capabilities.py",
    _ARTIFACTS: "tests/store/test_artifacts.py",
    _INVENTORY: "tests/cli/test_store.py",
    _PARQUET: "tests/store/test_parquet.py",
}

# The file, its text, what a careless hand makes of it, and who notices.
_CHANGES: list[tuple[str, str, str, str | None]] = [
    (_RUN, '"seed": spec.seed,\n    }', '"seed": 0,\n    }', None),
    (_RUN, '"version": stage.version', '"version": 1', None),
    (_RUN, '"data": inputs.data.fingerprint', '"data": inputs.data.name', None),
    (_RUN, "{name: keys[name] for name in stage.needs}", "{}", None),
    (_RUN, "{section: tree[section] for section in stage.sections}", "tree", None),
    (_RUN, "{section: tree[section] for section in stage.sections}", "{}", None),
    (_RUN, 'stage.recipe or f"{spec.system}.{stage.name}"', "stage.name", None),
    (_RUN, 'stage.recipe or f"{spec.system}.{stage.name}"', 'f"{spec.system}.{stage.name}"', None),
    (
        _RUN,
        "Inputs(data, Declared(stage.name, needed), spec.seed)",
        "Inputs(data, Declared(stage.name, needed), 0)",
        None,
    ),
    (
        _RUN,
        "needed = {name: fitted[name].artifact for name in stage.needs}",
        "needed = {name: f.artifact for name, f in fitted.items()}",
        None,
    ),
    (_RUN, "Declared(stage.name, needed)", "needed", _UNDECLARED),
    (
        _RUN,
        "stored or train_stage(job, store, executor, listeners)",
        "train_stage(job, store, executor, listeners)",
        _AGAIN,
    ),
    (_RUN, "None if stored else seconds", "seconds", None),
    (_RUN, 'if not seen & set(part.meta["units"]):', "if True:", None),
    (_RUN, 'if not key.endswith(".checkpoint")]', "if True]", None),
    (_RUN, "missing = [unit for unit in units if unit not in done]", "missing = list(units)", None),
    (_RUN, "len(units) - len(missing), listeners)", "0, listeners)", None),
    (_RUN, "        store.save(job.key, artifact, job.provenance)\n", "", None),
    (_RUN, 'for key in list(store.keys(f"{job.key}.part-")):', "for key in list[str]():", None),
    (_RUN, "if fitted[name].new)", "if not fitted[name].new)", None),
    (
        _RUN,
        "samples = sum(pack.samples for pack in packs)",
        "samples = max(pack.samples for pack in packs)",
        None,
    ),
    (_RUN, "total = self.rows or sum(", "total = sum(", None),
    (_RUN, "seconds = max(pack.seconds", "seconds = min(pack.seconds", None),
    (_RUN, "self.done += len(units)", "self.done = len(units)", None),
    (
        _RUN,
        '"artifacts": {name: keys[name] for name in stages},',
        '"artifacts": dict(keys),',
        None,
    ),
    (_RUN, "last = [EVALUATE, FIGURES] if pictures", "last = [EVALUATE] if pictures", None),
    (_RUN, "    system.check(spec.config, data)\n", "", None),
    (_RUN, "if data.kind not in system.examples:", "if False:", None),
    (_RUN, "if not system.stages(data):", "if False:", None),
    (_RUN, '"scores": {name: asdict(score)', '"scores": {score.label: asdict(score)', None),
    (
        _FINISHING,
        "system.evaluate(model, inputs.data, inputs.seed)",
        "system.evaluate(model, inputs.data, 0)",
        None,
    ),
    (
        _FINISHING,
        "system.figures(model, inputs.data, inputs.seed)",
        "system.figures(model, inputs.data, inputs.seed + 1)",
        None,
    ),
    (_FINISHING, "sections = tuple(system.Config.model_fields)", "sections = ()", None),
    (
        _FINISHING,
        "needs = tuple(stage.name for stage in stages)",
        "needs = (stages[-1].name,)",
        None,
    ),
    (
        _FINISHING,
        'artifact.tensors[f"{i:03d}"].numpy()',
        'artifact.tensors[f"{len(captions) - 1 - i:03d}"].numpy()',
        None,
    ),
    (_FINISHING, "enumerate(pictures.values())", "enumerate(reversed(pictures.values()))", None),
    (_FINISHING, 'f"{i:03d}": torch.frombuffer', 'f"{i}": torch.frombuffer', None),
    (
        _FINISHING,
        "fits = {EVALUATE: _evaluate, FIGURES: _draw}",
        "fits = {EVALUATE: _draw, FIGURES: _evaluate}",
        None,
    ),
    (_EXECUTOR, "if runtime.rank == 0:", "if True:", None),
    (_EXECUTOR, "        store.delete(checkpoint)\n", "", None),
    (_EXECUTOR, '{**artifact.meta, "units": list(units)}', "artifact.meta", None),
    (_EXECUTOR, "digest(list(units))[:16]", "digest(len(list(units)))[:16]", None),
    (
        _EXECUTOR,
        'packs = {unit: [unit] for unit in units} if job.definition.by_file else {"all": units}',
        'packs = {"all": units}',
        None,
    ),
    (
        _EXECUTOR,
        'packs = {unit: [unit] for unit in units} if job.definition.by_file else {"all": units}',
        "packs = {unit: [unit] for unit in units}",
        None,
    ),
    (_EXECUTOR, "stage.view(job.config)", "job.config", _UNDECLARED),
    (_SPEC, '"seed": self.seed,', '"seed": 0,', None),
    (
        _SPEC,
        'tree["system"], build(DataConfig, tree["data"]), config, tree["seed"])',
        'tree["system"], build(DataConfig, tree["data"]), config)',
        None,
    ),
    (_STORED, "{key: Score(**score) for key", '{key: Score.of(key, score["floor"]) for key', None),
    (
        _STORED,
        "if data.fingerprint != self.fingerprint:",
        "if False:",
        "tests/pipeline/test_run.py::test_a_run_whose_data_changed_is_not_scored_against_other_rows",
    ),
    (_STORED, '"table" if isinstance(self.schema, Schema) else "images"', '"images"', None),
    (
        _SCORING,
        "rows, data.test, data.train, seed=seed",
        "rows, data.train, data.test, seed=seed",
        _HALVES,
    ),
    (
        _SCORING,
        "rows, data.test, data.train, seed=seed",
        "data.test, data.test, data.train, seed=seed",
        _SCORED,
    ),
    (_SCORING, "reference, 0.5, seed, Scaling", "reference, 0.2, seed, Scaling", _HALVES),
    (
        _SCORING,
        "replace(choice, columns=table.names, label=None)",
        "replace(choice, label=None)",
        _BY_NAME,
    ),
    (
        _SCORING,
        "read_local(reference, real, choice)",
        "read_local(reference, real, replace(choice, columns=None))",
        "tests/pipeline/test_scoring.py::test_chosen_columns_only",
    ),
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
        "return sliced_wasserstein_to(data.test[:NUM_ROWS], model, seed)",
        "return sliced_wasserstein_to(data.train[:NUM_ROWS], model, seed)",
        None,
    ),
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
    (_OBJECTIVES, "NUM_DRAWS * len(x), torch", "len(x), torch", None),
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
    (_CONTRACT, 'f"{self.seed}/{stage}/{unit}"', 'f"{stage}/{unit}"', None),
    (_CONTRACT, 'f"{self.seed}/{stage}/{unit}"', 'f"{self.seed}/{stage}"', None),
    (_CONTRACT, 'f"{self.seed}/{stage}/{unit}"', 'f"{self.seed}/{unit}"', None),
    (
        _CONTRACT,
        'score = score_table if data.kind == "table" else score_images',
        "score = score_table",
        "tests/metrics/test_default_scores.py",
    ),
    (
        _CONTRACT,
        'objectives.GENERATION if data.kind == "table" else objectives.IMAGES',
        "objectives.GENERATION",
        "tests/metrics/test_default_scores.py",
    ),
    (
        _CONTRACT,
        "if name not in self._sections:",
        'if not hasattr(self, "_sections"):',
        _UNDECLARED,
    ),
    (
        _CONTRACT,
        "    (part,) = parts\n    return part",
        "    return parts[0]",
        "tests/pipeline/test_stub.py::test_a_stage_of_one_unit_has_one_part",
    ),
    (
        _CAPABILITIES,
        "        if value is None:\n            continue\n        if name",
        "        if name",
        None,
    ),
    (_CAPABILITIES, "chosen[name] = options[name].read(value)", "chosen[name] = value", None),
    (_CAPABILITIES, "y[self.names.index(name)] =", "y[len(seen) - 1] =", None),
    (
        _CAPABILITIES,
        "model.counts.double() / model.counts.sum()",
        "model.counts.double() / model.counts.max()",
        None,
    ),
    (_CAPABILITIES, "if not 0 <= number < self.below:", "if not 0 <= number <= self.below:", None),
    (
        _CAPABILITIES,
        "if not self.low <= number <= self.high:",
        "if number < self.low:",
        "tests/pipeline/test_sampling.py::test_degrees_of_attributes_are_read",
    ),
    (
        _ARTIFACTS,
        'sort_keys=True, separators=(",", ":"), allow_nan=False',
        'separators=(",", ":"), allow_nan=False',
        None,
    ),
    (
        _ARTIFACTS,
        "replaced = self.files(key)\n",
        "replaced = self.files(key)\n        self.storage.write(_manifest(key), text.encode())\n",
        "tests/store/test_artifacts.py::test_killed_before_the_manifest_the_old_artifact_stays",
    ),
    (
        _ARTIFACTS,
        'if manifest["format"] != FORMAT or manifest["key"] != key:',
        'if manifest["format"] != FORMAT:',
        None,
    ),
    (
        _ARTIFACTS,
        'if manifest.pop("sha256") != digest(manifest):',
        'if not manifest.pop("sha256"):',
        None,
    ),
    (_ARTIFACTS, "if hashlib.sha256(content).hexdigest() != checksum:", "if not checksum:", None),
    (_ARTIFACTS, "if name.startswith(start)]", "if name.startswith(prefix)]", _SECTION),
    (
        _ARTIFACTS,
        "for other in replaced - files.keys():",
        "for other in files.keys() - replaced:",
        None,
    ),
    (_ARTIFACTS, "secrets.token_hex(4)", "'00000000'", _TWO),
    (_ARTIFACTS, 'if name.endswith("/manifest.json"):', "if True:", None),
    (
        _ARTIFACTS,
        'names = sorted(name for name in files if name.endswith(".parquet"))',
        'names = sorted((name for name in files if name.endswith(".parquet")), reverse=True)',
        _TABLES_ORDER,
    ),
    (
        _FOLDER,
        "                os.replace(temporary, path)\n",
        "                Path(path).write_bytes(content)\n",
        _LEFT,
    ),
    (
        _FOLDER,
        "if name.startswith(prefix) and NAME.fullmatch(name):",
        "if NAME.fullmatch(name):",
        "tests/store/test_artifacts.py::test_keys_are_those_that_begin_with_the_prefix",
    ),
    (_FOLDER, "if not path.resolve().is_relative_to(self.root.resolve()):", "if False:", _LINKS),
    (
        _STORAGE,
        'if not NAME.fullmatch(name) or ".." in name:',
        'if ".." in name:',
        _NAMES,
    ),
    (_INVENTORY, "time.time() - 3600 * hours", "time.time() - 60 * hours", _HOURS),
    (_INVENTORY, "if lately[_stage(item)] >= before]", "if item.modified >= before]", None),
    (
        _INVENTORY,
        "            open_ends += _upstream(store, key)\n",
        "",
        "tests/cli/test_store.py::test_what_a_running_job_was_made_from_is_kept",
    ),
    (
        _INVENTORY,
        'if storage.read("estimator.json") is not None:',
        "if False:",
        "tests/cli/test_store.py::test_a_saved_estimator_is_all_used",
    ),
    (_INVENTORY, "if item.key not in kept:", "if item.key in kept:", None),
    (
        _INVENTORY,
        'missing = [f"its {stage} artifact {key}" for stage, key in needed if key not in whole]',
        "missing = list[str]()",
        "tests/cli/test_store.py::test_verify_names_what_is_damaged",
    ),
    (
        _INVENTORY,
        "if write.entry.modified < before:",
        "if True:",
        "tests/cli/test_store.py::test_unfinished_writes_of_a_folder_go",
    ),
    (
        _PARQUET,
        "if first < len(ordered) and ordered[first] <= found.max:",
        "if first < len(ordered) and ordered[first] < found.max:",
        None,
    ),
    (
        _PARQUET,
        "keep = np.isin(columns[by], np.asarray(values))",
        "keep = columns[by] >= min(values)",
        None,
    ),
    (_PARQUET, "self.storage.delete(file.name)", "pass", None),
    (_PARQUET, "{label}-{checksum[:16]}.parquet", "{checksum[:16]}.parquet", _LABELLED),
]

MUTANTS = [(path, old, new, (test or _TESTS[path],)) for path, old, new, test in _CHANGES]
