"""Modes that anybody's samples capture."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch

from scgan.data.toy import TOYS
from scgan.pipeline.counting import read_mixture, score_modes


def values(scores):
    return {name: score.value for name, score in scores.items()}


def save(path, x, **more):
    pd.DataFrame({"x0": x[:, 0], "x1": x[:, 1], **more}).to_csv(path, index=False)
    return str(path)


def test_the_true_distribution_has_all_its_modes(tmp_path):
    x = TOYS["grid"].sample(6000, torch.Generator().manual_seed(0))
    np.savez(tmp_path / "s.npz", x=x.numpy())
    scores, counted = score_modes(str(tmp_path / "s.npz"), "grid")
    found = values(scores)
    assert counted == 2500 and (found["modes_captured"], found["modes_total"]) == (25, 25)
    assert 0.98 < found["high_quality_share"] < 0.995  # 1 - exp(-9 / 2) in two dimensions
    assert found["modes_kl_divergence"] < 0.02
    other, _ = score_modes(str(tmp_path / "s.npz"), "grid", seed=1)
    assert values(other)["high_quality_share"] != found["high_quality_share"]


def test_fewer_samples_are_all_counted(tmp_path):
    x = np.array([[1.0, 0], [1.0, 0.02], [0.0, 1.05], [9.0, 9.0]])
    scores, counted = score_modes(save(tmp_path / "s.csv", x), "ring")
    found = values(scores)
    assert counted == 4 and found["modes_captured"] == 1 and found["high_quality_share"] == 0.5
    _, counted = score_modes(save(tmp_path / "s.csv", x), "ring", num=3)
    assert counted == 3


def test_a_mixture_of_ones_own(tmp_path):
    modes = pd.DataFrame({"u": [0.0, 10], "v": [0.0, 0], "spread": [1.0, 3], "weight": [3.0, 1]})
    modes.to_csv(tmp_path / "modes.csv", index=False)
    mixture = read_mixture(str(tmp_path / "modes.csv"))
    assert mixture.names == ("u", "v") and mixture.centres.tolist() == [[0, 0], [10, 0]]
    assert mixture.spreads.tolist() == [1, 3] and mixture.weights.tolist() == [3, 1]

    rows = pd.DataFrame({"other": 7, "v": [0.0] * 4, "u": [0.0, 2.9, 3.2, 18.5]})
    rows.to_csv(tmp_path / "s.csv", index=False)
    scores, _ = score_modes(str(tmp_path / "s.csv"), str(tmp_path / "modes.csv"))
    found = values(scores)
    # 3.2 is 2.27 deviations of the second from it, and 3.2 of the first.
    assert found["modes_captured"] == 2 and found["high_quality_share"] == 1
    modes.drop(columns="weight").to_csv(tmp_path / "modes.csv", index=False)
    assert read_mixture(str(tmp_path / "modes.csv")).weights is None


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("moons", "moons has no modes to count; those that do: eight_gaussians, ring"),
        ("rin", "unknown data 'rin'; did you mean 'ring'"),
        ("{folder}/s.csv", "a mixture needs the columns of its centres and a column 'spread'"),
        ("{folder}/odd.csv", "there is no column 'w'"),
    ],
)
def test_refusals_are_a_line(tmp_path, reference, message):
    samples = save(tmp_path / "s.csv", np.zeros((3, 2)))
    pd.DataFrame({"w": [0.0], "spread": [1.0]}).to_csv(tmp_path / "odd.csv", index=False)
    with pytest.raises(ValueError, match=message):
        score_modes(samples, reference.format(folder=tmp_path))


def test_the_command_tells_them(scgan_command, tmp_path):
    samples = save(tmp_path / "s.csv", np.array([[1.0, 0], [0.0, 1.0], [5.0, 5.0]]))
    said = scgan_command("modes", "--samples", samples, "--reference", "ring", "--json")
    assert said.code == 0, said.err
    told = json.loads(said.out)
    assert told["counted"] == 3 and told["scores"]["modes_captured"]["value"] == 2
    said = scgan_command("modes", "--samples", samples, "--reference", "ring", "--num", 2)
    assert "2 samples of" in said.out and "modes_captured" in said.out
