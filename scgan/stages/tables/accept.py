"""What samples of a trained decoder are accepted by: how much denser the data are there."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor

from scgan.contract import Inputs
from scgan.nn.margins import Margins
from scgan.nn.ratio_trees import RatioTrees, fit_ratio_trees
from scgan.nn.subspace import SubspaceDecoder
from scgan.stages.tables.decoder_settings import DecoderSettings
from scgan.stages.tables.latents import latent_model
from scgan.training.runtime import Progress, Runtime

NUM_ROWS = 50_000  # training rows at most
DRAWN, MOST_DRAWN = 16, 400_000  # samples a row of these, and at most


class _Growing:
    """Says about every second how many trees there are."""

    EVERY = 1.0

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.started = self.said = time.monotonic()

    def __call__(self, num_trees: int, bound: float) -> None:
        now = time.monotonic()
        if self.runtime.rank == 0 and now - self.said >= self.EVERY:
            told = {"trees": float(num_trees), "divergence": bound}
            self.runtime.report(Progress(num_trees, 0, told, now - self.started))
            self.said = now


@torch.no_grad()
def fit_acceptance(
    config: Any,
    decoder: SubspaceDecoder,
    margins: Margins,
    rows: Tensor,
    inputs: Inputs,
    runtime: Runtime,
) -> RatioTrees:
    """Compare training rows with samples of the latent model that the decoder was trained with.

    Args:
        config: All settings that the decoder's stage reads.
        decoder: Trained.
        margins: Of its samples.
        rows: Training rows, ``[N, D]``, of which the first are taken.
        inputs: The run's seed, and what the latent model is made of.
        runtime: Is told how many trees there are.
    """
    c: DecoderSettings = config.decoder
    generator = inputs.generator("decode", "accept", rows.device)
    latents = latent_model(c.latent, config, inputs.artifacts, rows.device)

    def draw(num: int) -> Tensor:
        eps = latents.sample(num, generator)
        return margins(decoder.draw(eps, generator))

    real = rows[:NUM_ROWS]
    return fit_ratio_trees(
        real,
        draw,
        num_trees=c.ratio_trees,
        depth=c.ratio_depth,
        num_drawn=min(DRAWN * len(real), MOST_DRAWN),
        generator=generator,
        grown=_Growing(runtime),
    )
