"""A fit left early and taken up again is the fit in one go."""

from __future__ import annotations

import torch

from scgan import systems
from scgan.config import override
from scgan.data.dataset import DataConfig
from scgan.pipeline.executor import LocalExecutor, fit_part
from scgan.pipeline.run import fit_stages, prepare
from scgan.pipeline.spec import Spec
from scgan.store.artifacts import ArtifactStore
from scgan.training.runtime import Runtime, StoredCheckpoints

LENGTHS = {"encoder.num_samples": 2048, "mappers.num_samples": 512, "decoder.num_samples": 8192}


class InPieces(LocalExecutor):
    """Leaves every fit after some samples, looks at what it has made, and goes on."""

    def __init__(self, pieces):
        super().__init__(torch.device("cpu"))
        self.pieces, self.seen = pieces, []

    def fit(self, job, units, report):
        checkpoints = StoredCheckpoints(
            ArtifactStore(job.store_url), f"{job.part_key(units)}.checkpoint"
        )
        for piece in self.pieces if job.stage == "decode" else ():
            part = job.definition.fit(
                job.config, units, job.inputs, Runtime(checkpoints=checkpoints, until=piece)
            )
            self.seen.append((checkpoints.load().meta["samples"], part))
        fit_part(job, units, Runtime(self.device))


def test_pieces_make_the_whole_bit_for_bit(tmp_path):
    config = override(
        systems.load("scgan").presets["smoke"], {**LENGTHS, "clusters.num_clusters": 4}
    )
    spec = Spec("scgan", DataConfig(source="two_spirals", num_train=800, num_test=800), config)
    data, pieces = prepare(spec), InPieces([1000, 3000, 3000])
    torch.set_num_threads(1)
    whole = fit_stages(
        spec, data, ArtifactStore(str(tmp_path / "whole")), LocalExecutor(torch.device("cpu"))
    )
    parts = fit_stages(spec, data, ArtifactStore(str(tmp_path / "parts")), pieces)
    one, other = (fitted["decode"].artifact for fitted in (whole, parts))
    assert all(torch.equal(one.tensors[key], other.tensors[key]) for key in one.tensors)
    assert one.meta["curve"] == other.meta["curve"]
    batch = config.decoder.batch_size
    assert [samples for samples, _ in pieces.seen] == [
        -(-piece // batch) * batch for piece in (1000, 3000, 3000)
    ]
    first, second, third = (part.tensors["decoder.output.weight"] for _, part in pieces.seen)
    assert not torch.equal(first, second) and torch.equal(second, third)
    assert not list(ArtifactStore(str(tmp_path / "parts")).keys(f"{parts['decode'].key}.part-"))


def test_only_the_wanted_stages_are_fitted(tmp_path):
    config = override(systems.load("scgan").presets["smoke"], LENGTHS)
    spec = Spec("scgan", DataConfig(source="two_spirals", num_train=800, num_test=800), config)
    fitted = fit_stages(
        spec, prepare(spec), ArtifactStore(str(tmp_path)), LocalExecutor(), only=["encode"]
    )
    assert list(fitted) == ["encode"]
    assert [key.split("-")[0] for key in ArtifactStore(str(tmp_path)).keys()] == ["encode"]
