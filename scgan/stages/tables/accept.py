"""What samples of a trained decoder are accepted by: how much denser the data are there."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from scgan.contract import Inputs
from scgan.nn.margins import Margins
from scgan.nn.mlp import by_rows
from scgan.nn.ratio_trees import RatioTrees, fit_ratio_trees
from scgan.nn.subspace import SubspaceDecoder
from scgan.stages.tables.decoder_settings import DecoderSettings
from scgan.stages.tables.latents import latent_model

NUM_ROWS = 50_000  # training rows at most
DRAWN, MOST_DRAWN = 16, 400_000  # samples a row of these, and at most


@torch.no_grad()
def fit_acceptance(
    config: Any, decoder: SubspaceDecoder, margins: Margins, rows: Tensor, inputs: Inputs
) -> RatioTrees:
    """Compare training rows with samples of the latent model that the decoder was trained with.

    Args:
        config: All settings that the decoder's stage reads.
        decoder: Trained.
        margins: Of its samples.
        rows: Training rows, ``[N, D]``, of which the first are taken.
        inputs: The run's seed, and what the latent model is made of.
    """
    c: DecoderSettings = config.decoder
    generator = inputs.generator("decode", "accept", rows.device)
    latents = latent_model(c.latent, config, inputs.artifacts, rows.device)

    def draw(num: int) -> Tensor:
        eps = latents.sample(num, generator)
        return margins(by_rows(decoder, eps, decoder.noise(num, generator)))

    real = rows[:NUM_ROWS]
    return fit_ratio_trees(
        real,
        draw,
        num_trees=c.ratio_trees,
        depth=c.ratio_depth,
        num_drawn=min(DRAWN * len(real), MOST_DRAWN),
        generator=generator,
    )
