"""What is done to a trained decoder's samples."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from scgan.config import Settings

Use = Literal["refit", "accept", "both"]


class RefineSettings(Settings):
    """Stage 4, ours: samples brought nearer to the data, without training a network."""

    match_margins: bool = Field(
        True,
        description="whether samples of columns that are modelled by ranks are brought to the "
        "data's distribution, column by column",
    )
    num_trees: int = Field(
        400,
        ge=0,
        le=10_000,
        description="most boosted trees by which it is learned how much denser the data are than "
        "samples; held-out rows say how many; 0 grows none",
    )
    tree_depth: int = Field(7, ge=1, le=8, description="levels of these trees")
    samples_a_row: int = Field(
        16,
        ge=1,
        le=64,
        description="samples that trees are shown for each training row, 400,000 at most; a "
        "quarter as many a row where mixtures are refitted; more bear more trees",
    )
    use: Use = Field(
        "both",
        description="what that ratio is for. refit: the clusters' mixtures are fitted again to "
        "codes whose samples are accepted by it, which costs nothing in drawing; latent models of "
        "another kind stay as they are. accept: samples themselves are accepted by it, nearer to "
        "the data, but drawn slower. both: refitted first, then accepted by trees grown anew, of "
        "which fewer are refused",
    )
