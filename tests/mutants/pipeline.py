"""One-line mutations of the pipeline, the contract of a system and what models can do."""

from __future__ import annotations

_PIPELINE = "scgan/pipeline/"
_RUN = _PIPELINE + "run.py"
_FINISHING = _PIPELINE + "finishing.py"
_EXECUTOR = _PIPELINE + "executor.py"
_SPEC = _PIPELINE + "spec.py"
_STORED = _PIPELINE + "stored.py"
_SCORING = _PIPELINE + "scoring.py"
_CONTRACT = "scgan/contract.py"
_CAPABILITIES = "scgan/capabilities.py"
_STUB = "tests/pipeline/test_stub.py"
_UNDECLARED = "tests/systems/test_contract.py::test_an_undeclared_read_is_an_error_that_names_both"
_AGAIN = f"{_STUB}::test_stages_come_from_the_store_and_listeners_hear_where_from"
_ANYBODY = "tests/pipeline/test_scoring.py::"
_HALVES = _ANYBODY + "test_half_of_the_reference_is_compared_with_and_half_is_the_support"
_SCORED = _ANYBODY + "test_good_samples_are_near_the_floor_and_bad_ones_far"
_BY_NAME = _ANYBODY + "test_columns_are_taken_by_name_whatever_their_order_and_company"

# Who notices what is changed in a file, where a mutation doesn't say otherwise.
_TESTS = {
    _RUN: _STUB,
    _FINISHING: _STUB,
    _EXECUTOR: _STUB,
    _SPEC: _STUB,
    _STORED: _STUB,
    _CONTRACT: _STUB,
    _CAPABILITIES: "tests/systems/test_capabilities.py",
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
]

MUTANTS = [(path, old, new, (test or _TESTS[path],)) for path, old, new, test in _CHANGES]
