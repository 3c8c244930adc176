"""Presets: what the authors' code has in those that are the papers', each trained at small size."""

from __future__ import annotations

import pytest
import torch

from scgan import systems
from scgan.config import leaves, override
from scgan.data.dataset import DataConfig
from scgan.pipeline.executor import LocalExecutor
from scgan.pipeline.run import prepare, run
from scgan.pipeline.spec import Spec
from scgan.store.artifacts import ArtifactStore

SMALL = {
    "encoder.backbone": "small",  # of 28 pixels
    "encoder.views": "affine",  # the digits are grey
    "generator.max_width": 16,
    "generator.code_dim": 16,
    "evaluation.num_images": 120,
    "evaluation.chamfer_points": 30,
}


@pytest.mark.parametrize("name", ["infoscc_gan", "eigengan"])
def test_a_papers_preset_trains_and_is_scored(name, tmp_path):
    config = systems.load(name).presets["paper"]
    few = {key: 96 for key, _ in leaves(config) if key.endswith(".num_samples")}
    changes = {**few, **SMALL}
    if name == "infoscc_gan":
        changes["generator.d_width"] = 8
    spec = Spec(name, DataConfig(source="digits"), override(config, changes))
    outcome = run(spec, prepare(spec), ArtifactStore(str(tmp_path)), LocalExecutor())
    assert outcome.model.sample(3, torch.Generator().manual_seed(0)).isfinite().all()
    assert {"fid_encoder_120", "chamfer_sum_encoder_30"} <= outcome.scores.keys()
    if name == "infoscc_gan":
        _, y = outcome.model.draw(3000, torch.Generator().manual_seed(0))
        assert y.mean(0).tolist() == pytest.approx([1 / 3] * 3, abs=0.04)  # not by frequency
    else:
        assert not hasattr(outcome.model, "draw")


def test_the_default_trains_and_is_scored(tmp_path):
    config = systems.load("infoscc_gan").presets["default"]
    few = {key: 96 for key, _ in leaves(config) if key.endswith(".num_samples")}
    spec = Spec("infoscc_gan", DataConfig(source="digits"), override(config, {**few, **SMALL}))
    outcome = run(spec, prepare(spec), ArtifactStore(str(tmp_path)), LocalExecutor())
    assert {"fid_encoder_120", "fid_judge_120", "control_accuracy"} <= outcome.scores.keys()
    found = outcome.model.attributes
    assert (len(found.names), found.space) == (50, "raw_features")


def test_infoscc_gans_is_the_best_row_of_table_1_with_the_codes_mapper_rates_and_laws():
    g = systems.load("infoscc_gan").presets["paper"].generator
    assert (g.discriminator, g.adversarial, g.d_width) == ("patch", "quartic", 64)
    assert (g.n, g.classification_weight, g.classification_schedule) == (2, 1.0, "constant")
    assert (g.balanced_mapper, g.attribute_law, g.certainty) == (False, "uniform", "full")
    assert (g.learning_rate, g.d_learning_rate, g.batch_size) == (1e-4, 1e-4, 32)
    assert (g.r1_weight, g.r1_every, g.noise_scale, g.noise_dim) == (10.0, 16, 18.0, 6)
    assert (g.num_samples // g.batch_size, g.upsampling, g.spectral) == (
        200_000,
        "transposed",
        False,
    )


def test_eigengans_is_its_own_code():
    g = systems.load("eigengan").presets["paper"].generator
    assert (g.adversarial, g.learning_rate, g.d_learning_rate) == ("hinge_clipped", 1e-4, 1e-4)
    assert g.r1_weight / g.r1_every == 10.0 and g.diff_augment == ()
    keep = 0.5 ** (g.batch_size / g.ema_half_life)
    assert keep == pytest.approx(0.999, abs=1e-5)
    assert (g.orthogonality_weight, g.batch_size, g.noise_scale) == (0.5, 64, 18.0)
