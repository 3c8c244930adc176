"""Coordinates of the noise that are chosen: named by importance, put where they belong."""

from __future__ import annotations

import torch

from scgan.nn.coefficients import dimension_names, places, with_coefficients

IMPORTANCES = [torch.tensor([1.0, -3.0, 2.0]), torch.tensor([0.5, 0.1, 0.2])]


def test_dimensions_are_named_by_layer_and_importance():
    assert dimension_names(IMPORTANCES) == ("1.1", "1.2", "1.3", "2.1", "2.2", "2.3")
    assert places(IMPORTANCES) == [(0, 1), (0, 2), (0, 0), (1, 0), (1, 2), (1, 1)]


def test_what_is_chosen_is_put_in_and_the_rest_stays_as_drawn():
    z = torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(0))
    before, nan = z.clone(), torch.nan
    chosen = torch.tensor([2.5, nan, nan, nan, nan, 0.0])  # 1.1 and 2.3
    made = with_coefficients(z, IMPORTANCES, chosen)
    assert torch.equal(z, before)
    assert (made[:, 0, 1] == 2.5).all() and (made[:, 1, 1] == 0).all()
    made[:, 0, 1], made[:, 1, 1] = before[:, 0, 1], before[:, 1, 1]
    assert torch.equal(made, before)
    assert with_coefficients(z, IMPORTANCES, None) is z
