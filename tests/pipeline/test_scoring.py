"""Anybody's samples scored against a table."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from scgan.data.tables.checking import Choice
from scgan.pipeline import scoring
from scgan.pipeline.scoring import score_files


def table(seed, rows=2000, shift=0.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(shift, 1, rows)
    return pd.DataFrame(
        {"x": 1e6 * x, "n": rng.integers(0, 9, rows), "y": x + 0.1 * rng.normal(size=rows)}
    )


@pytest.fixture
def reference(tmp_path):
    frame = table(0)
    frame["kind"] = "real"
    frame.to_csv(tmp_path / "reference.csv", index=False)
    return str(tmp_path / "reference.csv")


def written(tmp_path, frame):
    frame.to_csv(tmp_path / "samples.csv", index=False)
    return str(tmp_path / "samples.csv")


def test_good_samples_are_near_the_floor_and_bad_ones_far(tmp_path, reference):
    good = score_files(written(tmp_path, table(1)), reference, 0, choice=Choice(label="kind"))
    bad = score_files(
        written(tmp_path, table(1, shift=1.0)), reference, 0, choice=Choice(label="kind")
    )
    for name in ("sliced_wasserstein", "energy_distance"):
        assert 0.5 < good[name].value / good[name].floor < 1.6
        assert bad[name].value > 3 * bad[name].floor
    assert abs(good["c2st_accuracy"].value - 0.5) < 0.06 < bad["c2st_accuracy"].value - 0.5


def test_columns_are_taken_by_name_whatever_their_order_and_company(tmp_path, reference, caplog):
    frame = table(1)
    plain = score_files(written(tmp_path, frame), reference, 3, choice=Choice(label="kind"))
    frame = frame[["y", "n", "x"]].assign(comment="theirs")
    assert "not compared" not in caplog.text
    assert score_files(written(tmp_path, frame), reference, 3, choice=Choice(label="kind")) == plain
    assert "columns that are not compared: comment" in caplog.text


def test_chosen_columns_only(tmp_path, reference):
    frame = table(1).assign(n=1000)
    assert (
        score_files(written(tmp_path, frame), reference, 0, choice=Choice(("x", "y")))[
            "c2st_accuracy"
        ].value
        < 0.56
    )


def test_rows_without_values_are_refused_or_left_out(tmp_path, reference):
    frame = table(1)
    frame.loc[:9, "x"] = np.nan
    path = written(tmp_path, frame)
    with pytest.raises(
        ValueError, match=r"samples.csv: NaN, infinity or no value in 'x' \(10\): 10 of 2000 rows"
    ):
        score_files(path, reference, 0, choice=Choice(label="kind"))
    assert (
        score_files(path, reference, 0, choice=Choice(label="kind", missing="drop"))[
            "c2st_accuracy"
        ].value
        < 0.56
    )


def test_a_missing_column_is_named_with_the_nearest(tmp_path, reference):
    path = written(tmp_path, table(1).rename(columns={"x": "xx"}))
    with pytest.raises(
        ValueError, match=r"samples.csv: there is no column 'x'; did you mean 'xx'\?"
    ):
        score_files(path, reference, 0, choice=Choice(label="kind"))


def test_too_few_rows(tmp_path, reference):
    with pytest.raises(ValueError, match="got 9 and 1000"):
        score_files(written(tmp_path, table(1, rows=9)), reference, 0, choice=Choice(label="kind"))


def test_images_are_compared_in_the_encoder_of_a_run(image_run, tmp_path, scgan_command):
    rng = np.random.default_rng(0)

    def images(name, num, low, high, size=32):
        colours = rng.integers(low, high, (num, 1, 1, 3), dtype=np.uint8)
        np.savez(tmp_path / name, images=np.broadcast_to(colours, (num, size, size, 3)))
        return tmp_path / name

    reference, good = images("real.npz", 200, 0, 256), images("good.npz", 100, 0, 256, size=64)
    bad = images("bad.npz", 100, 200, 256)
    run = image_run.outcome.spec.run_id
    words = (
        "--extractor",
        f"encoder:{run}",
        "--extractor",
        f"judge:{run}",
        "--store",
        image_run.store,
        "--json",
    )
    scores = {}
    for name, path in (("good", good), ("bad", bad)):
        said = scgan_command("evaluate", "--samples", path, "--reference", reference, *words)
        assert said.code == 0, said.err
        scores[name] = json.loads(said.out)["scores"]
    assert set(scores["good"]) == {
        f"{name}_100"
        for name in ("fid_encoder", "kid_encoder", "fid_judge", "kid_judge", "is_judge")
    }
    good_fid, bad_fid = (scores[name]["fid_encoder_100"] for name in ("good", "bad"))
    assert (
        0.2 < good_fid["value"] / good_fid["floor"] < 5 and bad_fid["value"] > 5 * good_fid["value"]
    )


def test_what_does_not_go_together_is_refused(image_run, tmp_path, scgan_command, reference):
    np.savez(tmp_path / "images.npz", images=np.zeros((30, 32, 32, 3), np.uint8))
    images, run = tmp_path / "images.npz", f"encoder:{image_run.outcome.spec.run_id}"
    for words, message in (
        ((images, reference), f"{images} holds images, but {reference} is a table"),
        ((reference, images), f"{reference} holds no images, but {images} does"),
        ((images, images), "give --extractor inception:PATH or encoder:RUN"),
        ((images, images, "--data.missing", "drop"), "holds images: leave --data.columns"),
        ((images, images, "--extractor", "vgg:path"), "unknown extractor 'vgg:path'"),
        ((images, images, "--extractor", "encoder:gone"), "no run 'gone' in the store"),
        (
            (reference, reference, "--extractor", run),
            f"{reference} is a table: leave --extractor out",
        ),
    ):
        samples, real, *more = words
        words = ("--samples", samples, "--reference", real, "--store", image_run.store, *more)
        said = scgan_command("evaluate", *words)
        assert said.code == 2 and message in said.err and said.err.count("\n") == 1
    said = scgan_command("evaluate", "x", "--extractor", run)
    assert said.code == 2 and "--extractor goes with --samples" in said.err


def test_half_of_the_reference_is_compared_with_and_half_is_the_support(tmp_path, monkeypatch):
    calls = []

    def compared(samples, test, train, *, seed, categorical):
        calls.append((samples, test, train, seed))
        return [("score", "of them")]

    monkeypatch.setattr(scoring, "compare_rows", compared)
    made = written(tmp_path, table(1, rows=300))
    table(0, rows=200).to_csv(tmp_path / "reference.csv", index=False)
    scores = score_files(made, str(tmp_path / "reference.csv"), 5)
    assert scores["score"] == "of them" and set(scores) == {"score", "within_range"}
    ((samples, test, train, seed),) = calls
    assert (len(samples), len(test), len(train), seed) == (300, 100, 100, 5)
    assert train.mean(0).abs().max() < 0.03  # whose scale is each column's
    assert test.mean(0).abs().max() > 0.03


def test_columns_that_no_distance_sees_are_told_of(tmp_path, caplog):
    real = table(0, rows=400).assign(run=0.1, again=lambda frame: frame["x"])
    real.to_csv(tmp_path / "reference.csv", index=False)
    good = table(1, rows=300).assign(run=0.1, again=lambda frame: frame["x"])
    wrong = {
        "good": good,
        "constant": good.assign(run=[0.1] * 225 + [8] * 75),
        "repeat": good.assign(again=[*good["x"][:150], *good["x"][150:] + 1]),
        "range": good.assign(x=[*good["x"][:270], *([1e9] * 30)]),
    }
    scores = {}
    for name, frame in wrong.items():
        path = written(tmp_path, frame)
        scores[name] = score_files(path, str(tmp_path / "reference.csv"), 0)

    kept = ("constants_kept", "repeats_kept", "within_range")
    assert [scores["good"][name].value for name in kept[:2]] == [1, 1]
    assert scores["good"]["within_range"].value > 0.95
    assert scores["constant"]["constants_kept"].value == 0.75
    assert scores["repeat"]["repeats_kept"].value == 0.5
    assert 0.85 < scores["range"]["within_range"].value <= 0.9
    assert all(scores["good"][name].floor == 1 and scores["good"][name].label for name in kept)
    assert "in no distance, as it is constant: 'run'" in caplog.text
    assert "in no distance, as it is a repetition: 'again' (of 'x')" in caplog.text


def test_marks_of_no_value_are_left_out_of_a_comparison(tmp_path, scgan_command):
    marked = table(0, rows=400)
    marked.loc[:99, "x"] = -9999
    marked.to_csv(tmp_path / "real.csv", index=False)
    made = written(tmp_path, table(1, rows=300))
    words = ("--samples", made, "--reference", tmp_path / "real.csv", "--json")
    marks = ("--data.missing_values", "-9999,99.5")
    said = scgan_command("evaluate", *words, *marks)
    assert said.code == 2 and "'x' (100): 100 of 400 rows" in said.err
    said = scgan_command("evaluate", *words, *marks, "--data.missing", "drop")
    assert said.code == 0, said.err
    assert json.loads(said.out)["scores"]["c2st_accuracy"]["value"] < 0.6
