"""Artifacts and checkpoints cut short, with a flipped byte or a broken manifest: made again."""

from __future__ import annotations

import functools
import json

import pytest

from scgan.pipeline import executor as execution
from scgan.pipeline import run as pipeline
from scgan.pipeline.executor import LocalExecutor
from scgan.pipeline.run import fit_stages, prepare
from scgan.store.artifacts import ArtifactStore, digest
from scgan.training import loop

pytestmark = pytest.mark.faults


def flip(folder):
    (tensors,) = folder.glob("*.safetensors")
    content = bytearray(tensors.read_bytes())
    content[len(content) // 2] ^= 1
    tensors.write_bytes(content)


def truncate(folder):
    (tensors,) = folder.glob("*.safetensors")
    tensors.write_bytes(tensors.read_bytes()[:-100])


def lose(folder):
    (tensors,) = folder.glob("*.safetensors")
    tensors.unlink()


def cut_manifest(folder):
    path = folder / "manifest.json"
    path.write_bytes(path.read_bytes()[:40])


def swap_manifest(folder):
    """Another artifact's manifest, whole in itself: a copy under the wrong key."""
    path = folder / "manifest.json"
    manifest = {**json.loads(path.read_text()), "key": "encode-of-another"}
    manifest.pop("sha256")
    path.write_text(json.dumps({**manifest, "sha256": digest(manifest)}))


def change_a_digit(folder):
    """A byte of the plain values beside the tensors."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["meta"]["units"] = ["1"]
    path.write_text(json.dumps(manifest))


DAMAGES = (flip, truncate, lose, cut_manifest, swap_manifest, change_a_digit)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("stage", ["encode", "cluster", "map", "decode", "refine"])
def test_a_damaged_artifact(undisturbed, spec, tmp_path, caplog, stage, damage):
    store, key = undisturbed.copy_without(tmp_path / "runs"), undisturbed.stages[stage].key
    damage(tmp_path / "runs" / "artifacts" / key)
    assert store.check(key)
    fitted = fit_stages(spec, prepare(spec), store, LocalExecutor())
    assert [name for name, each in fitted.items() if each.new] == [stage]
    assert f"artifact {key} is damaged" in caplog.text
    undisturbed.assert_same(store)


@pytest.mark.parametrize("damage", [flip, truncate])
@pytest.mark.parametrize("stage", ["encode", "map", "decode"])
def test_a_damaged_checkpoint(
    undisturbed, spec, listener, tmp_path, caplog, monkeypatch, stage, damage
):
    """The run was interrupted in the stage; its checkpoint is no use, so the stage begins anew."""
    monkeypatch.setattr(
        execution, "Runtime", functools.partial(execution.Runtime, checkpoint_every=0.1)
    )
    monkeypatch.setattr(loop._Clock, "REPORT_EVERY", 0.0)
    store = undisturbed.copy_without(tmp_path / "runs", stage)

    def interrupt(name, progress):
        if progress.samples > 0.6 * progress.total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_stages(spec, prepare(spec), store, LocalExecutor(), [listener(interrupt)])

    (key,) = (key for key in store.keys() if key.endswith(".checkpoint"))
    damage(tmp_path / "runs" / "artifacts" / key)
    heard = listener()
    fit_stages(spec, prepare(spec), store, LocalExecutor(), [heard])
    assert f"artifact {key} is damaged" in caplog.text and heard.fitted == [stage]
    assert heard.first[stage] < 0.1 * store_total(spec, stage)
    undisturbed.assert_same(store)
    assert not [key for key in store.keys() if ".part-" in key]


def store_total(spec, stage):
    return {
        "encode": spec.config.encoder,
        "map": spec.config.mappers,
        "decode": spec.config.decoder,
        "refine": spec.config.refine,
    }[stage].num_samples


@pytest.mark.parametrize("damage", [flip, cut_manifest, change_a_digit])
def test_a_damaged_part(undisturbed, spec, listener, tmp_path, caplog, damage):
    """Half of the mappers are stored, damaged: all are trained, and none of them twice."""
    store, key = undisturbed.copy_without(tmp_path / "runs", "map"), undisturbed.stages["map"].key
    half_done(store, spec, undisturbed)
    (part,) = (name for name in store.keys(f"{key}.part-") if not name.endswith(".checkpoint"))
    damage(tmp_path / "runs" / "artifacts" / part)
    fit_stages(spec, prepare(spec), store, LocalExecutor())
    assert f"artifact {part} is damaged" in caplog.text
    undisturbed.assert_same(store)


def half_done(store, spec, undisturbed):
    class Half(LocalExecutor):
        def fit(self, job, units, report):
            super().fit(job, units[: len(units) // 2], report)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_stages(spec, prepare(spec), store, Half())


@pytest.mark.parametrize("damage", [flip, truncate])
def test_damaged_scores(spec, tmp_path, damage, caplog):
    store = ArtifactStore(str(tmp_path))
    scores = pipeline.run(spec, prepare(spec), store, LocalExecutor()).scores
    (key,) = store.keys("evaluate-")
    path = tmp_path / "artifacts" / key / "manifest.json"
    path.write_text(path.read_text().replace('"scores"', '"scoers"') if damage is flip else "{")
    outcome = pipeline.run(spec, prepare(spec), store, LocalExecutor())
    assert outcome.scores == scores and outcome.trained == ()
