"""What is raced on: data, the coordinates that a model is trained in, and SC-GAN as a peer."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from ray_jobs.benchmarks.training import Clock, Peer
from scgan import systems
from scgan.config import shortened
from scgan.data.dataset import DataConfig, Dataset
from scgan.pipeline.executor import LocalExecutor
from scgan.pipeline.run import fit_stages
from scgan.pipeline.spec import Spec
from scgan.store.artifacts import ArtifactStore

Columns = Literal["encoded", "raw"]

SHORTEST, SHORT = 0.01, 0.03  # shares of a preset's training by which its pace is measured first
PROBE = 0.15  # share of the training that the budget is then thought to allow, by which it is again
TOLERANCE = 0.1  # of the budget, within which a training is taken; else it is done again,
MOST_TRIALS = 4  # so often at most, by the pace of the one before
REFINING = "refine"  # the stage that has no length


@dataclass(frozen=True)
class Mixture:
    """A mixture of isotropic Gaussians that is known.

    Args:
        centres: Of the modes, ``[K, D]``.
        std: Of every mode.
        weights: Of the modes, ``[K]``, summing to 1.
    """

    centres: Tensor
    std: float
    weights: Tensor

    @classmethod
    def draw(cls, num_modes: int, dim: int, seed: int = 0) -> Mixture:
        """Modes in a cube, the nearest two ten deviations apart, weights over a factor of 16.

        Each centre is the one of some random places that is farthest from those before it.
        """
        generator = torch.Generator().manual_seed(seed)
        centres = torch.rand(1, dim, generator=generator)
        while len(centres) < num_modes:
            places = torch.rand(64, dim, generator=generator)
            nearest = torch.cdist(places, centres).min(1).values
            centres = torch.cat([centres, places[nearest.argmax()][None]])

        nearest_two = torch.pdist(centres).min() if num_modes > 1 else torch.tensor(1.0)
        weights = 16 ** torch.rand(num_modes, generator=generator)
        return cls(centres, float(nearest_two) / 10, weights / weights.sum())

    def sample(self, num: int, generator: torch.Generator) -> Tensor:
        """Rows ``[num, D]``."""
        k = torch.multinomial(self.weights, num, replacement=True, generator=generator)
        noise = torch.randn(num, self.centres.shape[1], generator=generator)
        return self.centres[k] + self.std * noise

    def write(self, path: Path, num: int, seed: int = 0) -> None:
        """Write rows as a table of the columns x0, x1, ..."""
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, self.sample(num, torch.Generator().manual_seed(seed)).numpy())


class View:
    """A data set in the coordinates that a model is trained in, and the way back.

    Args:
        data: The data, encoded by its schema.
        columns: ``"encoded"``: by the schema; ``"raw"``: the user's numbers, only standardised.
    """

    def __init__(self, data: Dataset, columns: Columns) -> None:
        self.data, self.columns, self.schema = data, columns, data.table_schema
        if columns == "encoded":
            self.train, self.test = data.train, data.test
            return

        values = self._values(data.train)
        self.mean, self.std = values.mean(0), values.std(0)
        self.low, self.high = values.min(0), values.max(0)
        self.train, self.test = self._standardised(data.train), self._standardised(data.test)

    @property
    def dataset(self) -> Dataset:
        """The data set with rows in these coordinates."""
        mark = f"{self.data.fingerprint}/{self.columns}"
        return replace(self.data, train=self.train, test=self.test, fingerprint=mark)

    def decode(self, z: Tensor) -> dict[str, np.ndarray]:
        """Rows of a model, ``[N, D]``, as a user gets them: numbers in the columns' types."""
        if self.columns == "encoded":
            return self.schema.decode(z)

        values = z.double().numpy() * self.std + self.mean
        columns = {}
        for i, column in enumerate(self.schema.modelled):
            dtype, found = np.dtype(column.dtype), values[:, i]
            if dtype.kind in "iub":
                found = np.rint(found).clip(self.low[i], self.high[i])
            columns[column.name] = found.astype(dtype)

        return columns

    def encode(self, columns: Mapping[str, np.ndarray]) -> Tensor:
        """Such numbers in the coordinates that all are scored in, the schema's."""
        return self.schema.encode(columns)

    def _values(self, rows: Tensor) -> np.ndarray:
        columns = self.schema.decode(rows)
        found = [columns[column.name].astype(np.float64) for column in self.schema.modelled]
        return np.stack(found, 1)

    def _standardised(self, rows: Tensor) -> Tensor:
        return torch.from_numpy((self._values(rows) - self.mean) / self.std).float()


class SCGAN(Peer):
    """SC-GAN through the pipeline, on the local executor: a preset, its lengths fit to a budget.

    Short trainings, not counted, say how long the networks take at which length, and what the last
    stage takes beside, which has no length; a training that misses the budget by more than a tenth
    is done again. At its own length there is one training, and what is imported for the first time
    counts.

    Args:
        view: The data.
        preset: Of its settings.
        own_length: Whether it is trained as long as the preset says, whatever the budget.
    """

    def __init__(self, view: View, preset: str = "default", own_length: bool = False) -> None:
        self.view, self.preset, self.own_length = view, preset, own_length

    @override
    def fit(self, x: Tensor, seconds: float, seed: int) -> None:
        if self.own_length:
            self._train(1.0, seed)
            return

        self._train(SHORTEST, seed)  # with what is imported once
        few, self.share = self._train(SHORTEST, seed, refined=False), SHORT
        took = self._train(SHORT, seed, refined=False)

        for part in (PROBE, *[1.0] * MOST_TRIALS):
            pace = max(took - few, took / 10) / (self.share - SHORTEST)  # seconds a whole length
            wanted = SHORTEST + (seconds - self.refining_seconds - few) / pace
            self.share = max(part * wanted, SHORT if part < 1 else SHORTEST)
            took = self._train(self.share, seed, refined=part == 1.0)
            missed = abs(took + self.refining_seconds - seconds)
            if part == 1.0 and (missed <= TOLERANCE * seconds or self.share == SHORTEST):
                return

    def _train(self, share: float, seed: int, refined: bool = True) -> float:
        """Train with so much of the preset's lengths, and say how long the networks took."""
        system, data = systems.load("scgan"), self.view.dataset
        config = shortened(system.presets[self.preset], share)
        spec = Spec(system.name, DataConfig(source=data.name), config, seed)

        clock, executor = Clock(1.0), LocalExecutor(torch.device("cpu"))
        networks = [stage.name for stage in system.stages(data) if stage.name != REFINING]
        with tempfile.TemporaryDirectory() as folder:
            store = ArtifactStore(folder)
            fit_stages(spec, data, store, executor, only=networks)
            took = clock.spent
            if not refined:
                return took
            fitted = fit_stages(spec, data, store, executor)

        self.training_seconds = clock.spent
        self.refining_seconds = self.training_seconds - took
        artifacts = {name: stage.artifact for name, stage in fitted.items()}
        # The clusters' artifact holds rows' codes, no weights.
        weights: list[Tensor] = []
        for name, artifact in artifacts.items():
            weights += artifact.tensors.values() if name != "cluster" else ()

        self.num_parameters = sum(tensor.numel() for tensor in weights)
        self.model = system.model(config, artifacts, torch.device("cpu"))
        return took

    @override
    def sample(self, num: int, seed: int) -> Tensor:
        return self.model.sample(num, torch.Generator().manual_seed(seed)).cpu()
