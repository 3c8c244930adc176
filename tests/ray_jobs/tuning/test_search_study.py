"""The study as the record of trials: each end told as it was, nothing twice, one driver."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import optuna
import pytest
from filelock import FileLock, Timeout
from optuna.trial import TrialState

from ray_jobs.tuning import guard
from ray_jobs.tuning.propose import StudySearcher, causes_of_death
from ray_jobs.tuning.study import (
    best,
    costs,
    count,
    enqueue_first,
    num_finished,
    open_study,
    open_warm,
)
from scgan import systems
from scgan.config import override
from scgan.space import Choice, Float, Int, When, describe

CONFIG = override(systems.load("scgan").presets["smoke"], {"decoder.lambda_x": 1.0})
SPACE = {
    "decoder.lambda_x": Float(0.01, 10, log=True),
    "decoder.adversarial": Choice(("non_saturating", "hinge")),
    "decoder.r1_weight": Float(0, 1, when=When("decoder.adversarial", ("hinge",))),
}
METRIC = ("sliced_wasserstein",)
KILLED = "Task was killed due to the node running low on memory.\nMemory was 1 GB."
ROOT = Path(__file__).parents[3]


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'study.db'}"


def opened(url, name="s", space=SPACE, metrics=METRIC, seed=0):
    return open_study(
        url, name, {"space": describe(space), "metrics": list(metrics)}, metrics, seed
    )


def searcher(url, study=None, space=SPACE, metrics=METRIC):
    """A searcher on the study in a database, opened now unless it is given."""
    study = study or opened(url, space=space, metrics=metrics)
    search = SimpleNamespace(study=study, space=space, metrics=metrics, database=url)
    return StudySearcher(search, lambda trial_id: "")


def ended(study):
    return [(t.state.name, t.values, t.user_attrs.get("cause")) for t in study.trials]


def test_the_defaults_are_first_and_conditions_hold(url):
    study = opened(url)
    enqueue_first(study, SPACE, CONFIG, 10, None)
    enqueue_first(study, SPACE, CONFIG, 10, None)
    search = searcher(url, study)
    points = [search.suggest(str(i)) for i in range(12)]
    assert points[0] == {
        "decoder.lambda_x": CONFIG.decoder.lambda_x,
        "decoder.adversarial": "non_saturating",
    }
    assert len(study.trials) == 12
    for point in points:
        assert ("decoder.r1_weight" in point) == (point["decoder.adversarial"] == "hinge")
    assert len({point["decoder.adversarial"] for point in points}) == 2


def test_a_domain_is_suggested_as_it_is(url):
    space = {
        "clusters.num_clusters": Int(8, 512, log=True),
        "decoder.width": Int(32, 64),
        "decoder.lambda_x": Float(0.01, 10, log=True),
        "decoder.r1_weight": Float(0, 1),
    }
    study = opened(url, space=space)
    searcher(url, study, space).suggest("a")
    found = study.trials[0].distributions
    assert [found[key].log for key in space] == [True, False, True, False]
    assert [(found[key].low, found[key].high) for key in space] == [
        (8, 512),
        (32, 64),
        (0.01, 10),
        (0, 1),
    ]


def test_every_end_is_told_for_what_it_is(url, monkeypatch):
    study = opened(url)
    search = searcher(url, study)
    told = "Failure # 1 (occurred at noon)\n...\nIt died.\n"
    told += "Failure # 2 (occurred later)\nIt died again.\n"
    monkeypatch.setattr(search, "error_of", lambda trial_id: told if trial_id == "d" else "")
    for name in "abcde":
        search.suggest(name)
    rung = {
        "samples": 10,
        "sliced_wasserstein": 0.5,
        "account": '{"keys": {}, "seconds": {}, "part": "p"}',
    }
    final = {"samples": 90, "sliced_wasserstein": 0.1, "energy_distance": 0.2, "final": True}
    final["scores"] = json.dumps(
        {name: final[name] for name in ("sliced_wasserstein", "energy_distance")}
    )
    search.on_trial_result("a", rung)
    search.on_trial_complete("a", {**rung, **final})
    search.on_trial_result("b", rung)
    search.on_trial_complete("b", rung)
    search.on_trial_complete("c", {"cause": "not a number: decode: d_loss is nan"})
    search.on_trial_complete("d", error=True)
    search.on_trial_complete("d", error=True)
    assert ended(study) == [
        ("COMPLETE", [0.1], None),
        ("PRUNED", [0.5], None),
        ("FAIL", None, "not a number: decode: d_loss is nan"),
        ("FAIL", None, "dead worker: It died again."),
        ("RUNNING", None, None),
    ]
    assert study.trials[0].intermediate_values == {10: 0.5, 90: 0.1}
    assert study.trials[0].user_attrs["scores"] == {
        "sliced_wasserstein": 0.1,
        "energy_distance": 0.2,
    }
    assert num_finished(study) == 4 and count(study)[TrialState.RUNNING] == 1
    assert best(study).number == 0
    assert study.trials[3].user_attrs["deaths"] == [
        "dead worker: It died.",
        "dead worker: It died again.",
    ]
    assert "deaths" not in study.trials[0].user_attrs


def test_ray_killing_for_memory_is_told_from_other_deaths():
    ray = f"Failure # 1 (occurred at noon)\n{KILLED}\n"
    assert causes_of_death(ray) == [
        "out of memory: Task was killed due to the node running low on memory."
    ]
    assert causes_of_death("") == []


def test_a_trial_in_flight_goes_on_as_itself(url):
    before = searcher(url)
    point = before.suggest("x")
    after = searcher(url)
    assert after.suggest("y") == point
    assert after.suggest("z") != point
    after.on_trial_complete(
        "y", {"samples": 9, "sliced_wasserstein": 0.3, "scores": "{}", "final": True}
    )
    assert [t.state.name for t in opened(url).trials] == ["COMPLETE", "RUNNING"]


def test_a_continued_study_draws_other_points(url):
    seen = []
    for _ in range(3):
        search = searcher(url)
        for i in range(3):
            seen.append(search.suggest(str(i))["decoder.lambda_x"])
            search.on_trial_complete(
                str(i), {"samples": 9, "sliced_wasserstein": 1.0, "scores": "{}", "final": True}
            )
    assert len(set(seen)) == 9
    fresh = searcher(url.replace("study.db", "other.db"))
    assert fresh.suggest("0")["decoder.lambda_x"] == seen[0]  # seeded
    seeded = url.replace("study.db", "seeded.db")
    again = searcher(seeded, opened(seeded, seed=1))
    assert again.suggest("0")["decoder.lambda_x"] != seen[0]


def test_another_space_is_refused_once_a_trial_was_begun(url):
    other = {**SPACE, "decoder.lambda_x": Float(0.01, 20, log=True)}
    enqueue_first(opened(url), SPACE, CONFIG, 3, None)
    study = opened(url, space=other)  # nothing was run yet
    assert study.trials == []
    for value in (1.0, 2.0):
        study.enqueue_trial({"decoder.lambda_x": value})
    searcher(url, study, other).suggest("a")  # one runs, one waits
    with pytest.raises(
        ValueError, match=r"study 's' was begun with another space \(of decoder.lambda_x\)"
    ):
        opened(url)
    with pytest.raises(ValueError, match="another metrics"):
        opened(url, space=other, metrics=("energy_distance",))
    with pytest.raises(ValueError, match="can't be used") as refused:
        opened("nosuch://user:hush@host/db")
    assert "hush" not in str(refused.value) and "nosuch://user:***@host/db" in str(refused.value)
    with pytest.raises(ValueError, match="database 'nonsense' can't be used"):
        opened("nonsense")


def test_another_study_warms_it_up(url):
    first = opened(url, "first", {"decoder.lambda_x": Float(0.001, 100, log=True)})
    search = searcher(url, first, {"decoder.lambda_x": Float(0.001, 100, log=True)})
    for i in range(4):
        search.suggest(str(i))
        search.on_trial_complete(
            str(i),
            {"samples": 9, "sliced_wasserstein": float(4 - i), "scores": "{}", "final": True},
        )
    study = opened(url, "second")
    enqueue_first(study, SPACE, CONFIG, 3, open_warm("first", url))
    points = [searcher(url, study).suggest(str(i)) for i in range(1)] + [
        t.system_attrs["fixed_params"] for t in study.trials[1:]
    ]
    assert len(study.trials) == 3 and points[0]["decoder.lambda_x"] == CONFIG.decoder.lambda_x
    for point, trial in zip(points[1:], (first.trials[3], first.trials[2]), strict=True):
        assert point["decoder.lambda_x"] == min(max(trial.params["decoder.lambda_x"], 0.01), 10)
    # What was queued once is not queued again, whatever the other study has by now.
    enqueue_first(study, SPACE, CONFIG, 9, open_warm("first", url))
    assert len(study.trials) == 3

    # A point beyond the space is moved to its edge.
    far = opened(url, "far", {"decoder.lambda_x": Float(0.001, 100, log=True)})
    far.enqueue_trial({"decoder.lambda_x": 90.0})
    beyond = searcher(url, far, {"decoder.lambda_x": Float(0.001, 100, log=True)})
    assert beyond.suggest("0") == {"decoder.lambda_x": 90.0}
    beyond.on_trial_complete(
        "0", {"samples": 9, "sliced_wasserstein": 1.0, "scores": "{}", "final": True}
    )
    near = opened(url, "near")
    enqueue_first(near, SPACE, CONFIG, 2, open_warm("far", url))
    assert near.trials[1].system_attrs["fixed_params"]["decoder.lambda_x"] == 10

    with pytest.raises(ValueError, match="no study 'third'"):
        open_warm("third", url)


def test_two_objectives_have_a_front(url):
    metrics = ("sliced_wasserstein", "reconstruction_mse")
    study = opened(url, metrics=metrics)
    search = searcher(url, study, metrics=metrics)
    for i, values in enumerate([(1.0, 3.0), (2.0, 2.0), (3.0, 3.0)]):
        search.suggest(str(i))
        search.on_trial_complete(
            str(i),
            {
                "samples": 9,
                "final": True,
                "scores": "{}",
                **dict(zip(metrics, values, strict=True)),
            },
        )
    assert sorted(t.number for t in study.best_trials) == [0, 1] and best(study).number == 0


HOLD = """
import sys
from ray_jobs.tuning import guard
with guard.guarded(sys.argv[1], "s", lambda: None):
    print("held", flush=True)
    input()
"""


def test_one_driver_at_a_time_and_the_lock_of_a_killed_one_is_free(url):
    program = [sys.executable, "-c", HOLD, url]
    with subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as other:
        assert other.stdout.readline() == "held\n"
        with (
            pytest.raises(ValueError, match="'s' is being searched by another process here"),
            guard.guarded(url, "s", lambda: pytest.fail("the study was opened")),
        ):
            pass
        with guard.guarded(url, "another", lambda: opened(url, "another")) as another:
            assert another.study_name == "another"
        other.kill()
    with guard.guarded(url, "s", lambda: opened(url)) as study:
        assert "driver" not in study.user_attrs  # a file's lock is enough
        with pytest.raises(Timeout):
            FileLock(guard.lock_file(url, "s")).acquire(blocking=False)
    FileLock(guard.lock_file(url, "s")).acquire(blocking=False)


def test_a_study_on_a_server_is_kept_by_its_drivers_heartbeat(url, monkeypatch):
    """SQLite stands for the server: drivers on two machines see one database and no common file."""
    server = url.replace("sqlite:///", "sqlite+pysqlite:///")
    monkeypatch.setattr(guard, "HEARTBEAT", 0.05)

    def drive():
        return guard.guarded(server, "s", lambda: opened(server))

    with drive() as study:
        first = study.user_attrs["driver"]
        assert first["host"] == socket.gethostname()
        time.sleep(0.5)
        assert study.user_attrs["driver"]["seen"] > first["seen"]
        monkeypatch.setattr(guard.socket, "gethostname", lambda: "elsewhere")
        with (
            pytest.raises(ValueError, match=f"another process on {first['host']}"),
            guard.heartbeat(opened(server)),
        ):
            pass
    assert opened(server).user_attrs["driver"] is None

    # One that was killed elsewhere is dead a minute after its last heartbeat.
    opened(server).set_user_attr("driver", {"host": "far", "seen": time.time() - 50})
    with pytest.raises(ValueError, match="another process on far"), drive():
        pass
    opened(server).set_user_attr("driver", {"host": "far", "seen": time.time() - 61})
    with drive() as study:
        assert study.user_attrs["driver"]["host"] == "elsewhere"


def test_a_stopped_trial_is_missing_all_stages_after():
    """Of a search whose trials end in two stages of their own."""
    whole = {"keys": {"map": "m-1", "decode": "d-1", "refine": "r-1"}}
    stopped = {"keys": {"map": "m-1", "decode": "d-3"}, "seconds": {"decode": 2.0}}
    accounts = [
        (TrialState.COMPLETE, {**whole, "seconds": {"map": 1.0, "decode": 8.0, "refine": 4.0}}),
        (TrialState.COMPLETE, {**whole, "seconds": {"decode": 6.0, "refine": 2.0}}),
        (TrialState.PRUNED, stopped),
    ]
    trials = [
        SimpleNamespace(state=state, user_attrs={"account": account}) for state, account in accounts
    ]
    study = SimpleNamespace(user_attrs={}, get_trials=lambda deepcopy, states: trials)
    found = costs(study)
    assert found.spent == 23.0 and found.fits == {"map": 1, "decode": 3, "refine": 2}
    # Trials that share a key are counted by its last fit: 6 s of decode each; then 7 and 3.
    assert found.whole == (1.0 + 6.0 + 4.0) + (1.0 + 6.0 + 2.0) + (1.0 + 7.0 + 3.0)


def test_costs_count_what_was_shared(url):
    study = opened(url)
    search = searcher(url, study)
    study.set_user_attr("shared", {"encode-1": 10.0, "encode-0": 1.0})  # one of an earlier seed
    accounts = [
        ('"map": 2.0, "cluster": 1.0, "decode": 6.0', True),
        ('"map": 2.0, "decode": 2.0', False),
        ('"map": 2.0, "decode": 4.0', True),
    ]
    keys = '{"encode": "encode-1", "cluster": "cluster-1", "map": "map-%d", "decode": "decode-%d"}'
    for i, (seconds, final) in enumerate(accounts):
        search.suggest(str(i))
        account = f'{{"keys": {keys % (i, i)}, "seconds": {{{seconds}}}, "part": ""}}'
        search.on_trial_complete(
            str(i),
            {
                "samples": 9,
                "sliced_wasserstein": 1.0,
                "account": account,
                "scores": "{}",
                "final": final,
            },
        )
    fits, seconds = costs(study).lines()
    assert fits == "fitted: encode 2 x, cluster 1 x, map 3 x, decode 3 x, for 3 trials"
    # 13 s before the last stage each, and 6, 4 and, of the one that was stopped, their mean.
    assert seconds == "training: 30.0 s, 56% of the 54.0 s of every trial trained whole"


def test_optuna_is_quiet_and_seeded(url):
    opened(url)
    assert optuna.logging.get_verbosity() == optuna.logging.ERROR


def test_whoever_was_in_flight_when_ray_killed_for_memory_is_tried_again_alone(url):
    before = searcher(url)
    points = [before.suggest(name) for name in "ab"]
    assert (
        before.record_memory_kill(KILLED) == 2
    )  # either may have been killed: no death of anybody
    study = opened(url)
    alone = searcher(url, study)  # asked for one at a time from here on
    assert alone.suggest("c") == points[0]
    assert alone.record_memory_kill(KILLED) == 2
    assert [t.user_attrs.get("deaths") for t in study.trials] == [
        [f"out of memory: {KILLED.splitlines()[0]}"],
        None,
    ]
    again = searcher(url, study)
    assert again.suggest("e") == points[0]
    assert again.record_memory_kill(KILLED) == 1
    first, second = study.trials
    assert first.state == TrialState.FAIL and len(first.user_attrs["deaths"]) == 2
    assert (
        first.user_attrs["cause"].startswith("out of memory: ")
        and second.state == TrialState.RUNNING
    )
    assert again.suggest("f") == points[1]


def test_a_small_space_is_tried_whole_each_point_once(url):
    space = {"decoder.num_layers": Choice((1, 2, 3, 4))}
    study = opened(url)
    enqueue_first(study, space, CONFIG, 4, None)
    queued = [trial.system_attrs["fixed_params"]["decoder.num_layers"] for trial in study.trials]
    assert sorted(queued) == [1, 2, 3, 4] and queued[0] == CONFIG.decoder.num_layers
