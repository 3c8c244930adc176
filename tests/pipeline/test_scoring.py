"""Anybody's samples scored against a table."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from scgan.pipeline import scoring
from scgan.pipeline.scoring import score_tables


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
    good = score_tables(written(tmp_path, table(1)), reference, 0, label="kind")
    bad = score_tables(written(tmp_path, table(1, shift=1.0)), reference, 0, label="kind")
    for name in ("sliced_wasserstein", "energy_distance"):
        assert 0.5 < good[name].value / good[name].floor < 1.6
        assert bad[name].value > 3 * bad[name].floor
    assert abs(good["c2st_accuracy"].value - 0.5) < 0.06 < bad["c2st_accuracy"].value - 0.5


def test_columns_are_taken_by_name_whatever_their_order_and_company(tmp_path, reference):
    frame = table(1)
    plain = score_tables(written(tmp_path, frame), reference, 3, label="kind")
    frame = frame[["y", "n", "x"]].assign(comment="theirs")
    assert score_tables(written(tmp_path, frame), reference, 3, label="kind") == plain


def test_chosen_columns_only(tmp_path, reference):
    frame = table(1).assign(n=1000)
    assert (
        score_tables(written(tmp_path, frame), reference, 0, columns=["x", "y"])[
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
        score_tables(path, reference, 0, label="kind")
    assert (
        score_tables(path, reference, 0, label="kind", missing="drop")["c2st_accuracy"].value < 0.56
    )


def test_a_missing_column_is_named_with_the_nearest(tmp_path, reference):
    path = written(tmp_path, table(1).rename(columns={"x": "xx"}))
    with pytest.raises(
        ValueError, match=r"samples.csv: there is no column 'x'; did you mean 'xx'\?"
    ):
        score_tables(path, reference, 0, label="kind")


def test_too_few_rows(tmp_path, reference):
    with pytest.raises(ValueError, match="got 9 and 1000"):
        score_tables(written(tmp_path, table(1, rows=9)), reference, 0, label="kind")


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
    assert said.code == 2 and "--extractor go with --samples" in said.err


def test_half_of_the_reference_is_compared_with_and_half_is_the_support(tmp_path, monkeypatch):
    calls = []

    def compared(samples, test, train, *, seed):
        calls.append((samples, test, train, seed))
        return [("score", "of them")]

    monkeypatch.setattr(scoring, "compare_rows", compared)
    made = written(tmp_path, table(1, rows=300))
    table(0, rows=200).to_csv(tmp_path / "reference.csv", index=False)
    assert score_tables(made, str(tmp_path / "reference.csv"), 5) == {"score": "of them"}
    ((samples, test, train, seed),) = calls
    assert (len(samples), len(test), len(train), seed) == (300, 100, 100, 5)
    assert train.mean(0).abs().max() < 0.03  # whose scale is each column's
    assert test.mean(0).abs().max() > 0.03
