"""What MLflow is told of a search: the entries of made-up studies, no trial of which is run."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial

from ray_jobs.tuning.record import SearchRecord, table
from scgan import systems
from scgan.data.dataset import DataConfig
from scgan.pipeline.spec import Spec
from scgan.space import Float
from scgan.store.artifacts import Artifact

METRIC, OTHER, KEY = "sliced_wasserstein", "energy_distance", "decoder.lambda_x"
SPEC = Spec("scgan", DataConfig(source="ring"), systems.load("scgan").presets["smoke"])
ACCOUNT = {"keys": {"encode": "e", "decode": "d"}, "seconds": {"map": 2.0, "decode": 3.0}}


def trial_of(state, rungs=(), values=None, **attrs):
    """A trial, ``rungs`` being its scores by samples seen."""
    domains = {KEY: FloatDistribution(0.01, 10)}
    told = {"intermediate_values": dict(rungs), "user_attrs": attrs}
    return create_trial(
        state=state, values=values, params={KEY: 1.0}, distributions=domains, **told
    )


def study_of(*trials, directions=1):
    study = optuna.create_study(study_name="s", directions=["minimize"] * directions)
    study.add_trials(trials)
    return study


@pytest.fixture
def record_of(migrated, tmp_path):
    """A record of a study, begun, and the keys of the artifacts that it loads."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{shutil.copy(migrated, tmp_path / 'mlflow.db')}")
    experiment = client.create_experiment("scgan", str(tmp_path / "artifacts"))
    loaded = []

    def load(key):
        loaded.append(key)
        return Artifact(meta={"curve": [{"samples": 5, "loss": 1.5}, {"samples": 9, "loss": 0.5}]})

    def begun(study):
        search = SimpleNamespace(spec=SPEC, trial_spec=SPEC, study=study, name="s")
        search.metrics, search.space = (METRIC,), {KEY: Float(0.01, 10)}
        search.settings = SimpleNamespace(length=0.1, validation=0.2, trials=4)
        search.whole, search.store = SimpleNamespace(name="ring"), SimpleNamespace(load=load)
        record = SearchRecord(search, client, experiment)
        record.begin()
        return record, loaded

    return begun


ENDS = (
    trial_of(TrialState.RUNNING, {10: 0.5}, account=ACCOUNT),
    trial_of(
        TrialState.COMPLETE,
        {10: 0.6, 90: 0.1},
        [0.1],
        account=ACCOUNT,
        scores={METRIC: 0.1, OTHER: 0.2},
    ),
    trial_of(TrialState.PRUNED, {10: 0.9}, scores={METRIC: 0.9, OTHER: 0.8}),
    trial_of(TrialState.FAIL, cause="dead worker: two", deaths=["one", "two"]),
)


def test_an_entry_has_its_trials_curve_and_how_it_ended(record_of, mlflow_runs, tmp_path):
    record, _ = record_of(study_of(*ENDS))
    record.sync()
    client, parent, children = mlflow_runs(tmp_path)
    runs = [children[number] for number in range(4)]
    assert [run.info.status for run in runs] == ["RUNNING", "FINISHED", "KILLED", "FAILED"]
    states = [run.data.tags.get("scgan.state") for run in runs]
    assert states == [None, "complete", "stopped early", "failed"]
    assert parent.info.status == "RUNNING"

    def points(number, name):
        history = client.get_metric_history(runs[number].info.run_id, name)
        return [(point.step, point.value) for point in history]

    rungs = [points(number, f"val/{METRIC}") for number in range(4)]
    assert rungs == [[(10, 0.5)], [(10, 0.6), (90, 0.1)], [(10, 0.9)], []]
    assert [points(number, f"val/{OTHER}") for number in range(4)] == [[], [(0, 0.2)], [], []]
    assert points(1, "decode/seconds") == [(0, 3.0)] and points(0, "decode/seconds") == []
    assert points(1, "decode/loss") == [(5, 1.5), (9, 0.5)]
    tags = runs[3].data.tags
    assert (tags["scgan.cause"], tags["scgan.deaths"]) == ("dead worker: two", "one; two")


def test_a_trial_that_goes_on_is_told_when_it_ends_and_a_complete_entry_left_alone(
    record_of, mlflow_runs, tmp_path
):
    study = study_of(*ENDS)
    record, loaded = record_of(study)
    record.sync()
    record.sync()
    assert loaded == ["d"]
    study.tell(0, 0.4)
    record.sync()
    record_of(study)[0].sync()  # the same search, taken up again
    assert loaded == ["d", "d"]
    assert mlflow_runs(tmp_path)[2][0].info.status == "FINISHED"


def test_the_table_has_the_finished_trials_and_which_of_them_are_on_the_front():
    values = ([1.0, 3.0], [2.0, 2.0], [3.0, 3.0])
    trials = [trial_of(TrialState.COMPLETE, values=pair) for pair in values]
    trials += [trial_of(TrialState.FAIL, cause="error: x"), trial_of(TrialState.RUNNING)]
    columns, rows = table(study_of(*trials, directions=2), (METRIC, OTHER))
    front = "on the Pareto front"
    assert columns == ["trial", "state", METRIC, OTHER, "decoder/lambda_x", front, "cause"]
    assert rows == [
        [0, "complete", 1.0, 3.0, 1.0, True, ""],
        [1, "complete", 2.0, 2.0, 1.0, True, ""],
        [2, "complete", 3.0, 3.0, 1.0, False, ""],
        [3, "failed", None, None, 1.0, False, "error: x"],
    ]


def test_a_model_is_registered_once_and_the_best_is_the_last_that_was(record_of):
    record, _ = record_of(study_of())
    client, experiment, models = record.client, record.experiment_id, []
    for run_id in ("first", "second"):
        models.append(client.create_logged_model(experiment, run_id))
        tags = {"scgan.run_id": run_id, "scgan.model_uri": f"models:/{models[-1].model_id}"}
        client.create_run(experiment, tags=tags)
    assert record.register("tiny", "third") is None

    for run_id, version in (("first", "1"), ("first", "1"), ("second", "2"), ("first", "1")):
        assert record.register("tiny", run_id) == version
        assert client.get_model_version_by_alias("tiny", "best").version == int(version)
    for number, model in enumerate(models, 1):
        tags = client.get_logged_model(model.model_id).tags
        linked = json.loads(tags["mlflow.modelVersions"])
        assert linked == [{"name": "tiny", "version": number}]
