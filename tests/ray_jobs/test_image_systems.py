"""Data-parallel stages of InfoSCC-GAN, and of NEMGAN from views, on two workers of Ray Train."""

from __future__ import annotations

import shutil

import pytest
import torch
from torch.testing import assert_close

from ray_jobs.cluster.executor import RayExecutor
from ray_jobs.cluster.resources import Resources
from scgan import systems
from scgan.config import override
from scgan.data.dataset import DataConfig
from scgan.pipeline.executor import LocalExecutor
from scgan.pipeline.run import fit_stages, prepare
from scgan.pipeline.spec import Spec
from scgan.store.artifacts import ArtifactStore

pytestmark = pytest.mark.ray

SPEC = Spec(
    "infoscc_gan",
    DataConfig(source="digits"),
    override(
        systems.load("infoscc_gan").presets["smoke"],
        {
            "encoder.num_samples": 4096,
            "attributes.num_samples": 2048,
            "judge.num_samples": 256,
            "generator.num_samples": 32 * 20,
            "generator.r1_every": 4,
            "generator.diff_augment": ("color", "translation"),
            "generator.discriminator": "attributes",
            "generator.energy_weight": 1.0,
        },
    ),
)


@pytest.fixture(scope="module")
def local_store(tmp_path_factory):
    return tmp_path_factory.mktemp("local")


@pytest.fixture(scope="module")
def local(local_store):
    return fit_stages(SPEC, prepare(SPEC), ArtifactStore(str(local_store)), LocalExecutor())


def on_two_workers(stage, local, local_store, folder):
    """A stage's artifact, fitted on two workers upon what this process made, and this process's."""
    store = ArtifactStore(str(shutil.copytree(local_store, folder)))
    store.delete(local[stage].key)
    fitted = fit_stages(
        SPEC, prepare(SPEC), store, RayExecutor(Resources(num_workers=2)), only=list(local)
    )
    assert [name for name, found in fitted.items() if found.new] == [stage]
    return fitted[stage].artifact, local[stage].artifact


@pytest.mark.slow
def test_two_workers_generate_as_one_on_the_joined_batch(ray_head, local, local_store, tmp_path):
    there, here = on_two_workers("generate", local, local_store, tmp_path / "runs")
    for name in here.tensors:
        assert_close(there.tensors[name], here.tensors[name], rtol=0, atol=5e-3)
    # Rounding is amplified from step to step, by Adam and by the game: the first steps are what is
    # compared closely.
    for ours, theirs in zip(here.meta["curve"][:5], there.meta["curve"][:5], strict=True):
        assert ours.keys() == theirs.keys()
        for name in ours:
            assert_close(theirs[name], ours[name], rtol=2e-3, atol=1e-5)


@pytest.mark.slow
def test_two_workers_see_each_others_negatives(ray_head, local, local_store, tmp_path):
    """Views and batch statistics are a worker's own: the loss is alike; log(2B - 1) tells B."""
    there, here = on_two_workers("encode", local, local_store, tmp_path / "runs")
    first, last = (artifact.meta["curve"][-1]["nt_xent"] for artifact in (there, here))
    assert_close(first, last, rtol=0.05, atol=0)
    assert all(torch.isfinite(t).all() for t in there.tensors.values() if t.is_floating_point())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mmgan", "nemgan"])
def test_two_workers_group_and_play_as_one_on_the_joined_batch(name, ray_head, tmp_path):
    from_views = {"gan.start": "views", "gan.read_views": 1.0, "gan.num_clusters": 3}
    length = {"gan.batch_size": 32, "gan.num_samples": 32 * 20, "gan.start_share": 0.4}
    config = override(systems.load(name).presets["smoke"], from_views | length)
    spec = Spec(name, DataConfig(source="digits"), config)
    here, there = (
        fit_stages(spec, prepare(spec), ArtifactStore(str(tmp_path / place)), executor)["gan"]
        for place, executor in (
            ("here", LocalExecutor()),
            ("there", RayExecutor(Resources(num_workers=2))),
        )
    )

    # The generator is normalised by each worker's half of a batch: what h or E alone learns is one.
    curves = (here.artifact.meta["curve"], there.artifact.meta["curve"])
    for ours, theirs in zip(*(curve[:8] for curve in curves), strict=True):
        assert ours.keys() == theirs.keys() == {"samples", "information"}
        assert_close(theirs["information"], ours["information"], rtol=2e-3, atol=1e-5)
    assert all("d_loss" in curve[-1] for curve in curves)
