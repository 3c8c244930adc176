import pytest
import torch
from scipy import stats

from scgan.nn.margins import Margins


def skewed(num: int, seed: int) -> torch.Tensor:
    x = torch.randn(num, 3, generator=torch.Generator().manual_seed(seed))
    return torch.stack([0.8 * x[:, 0] + 0.1 * x[:, 0].square(), x[:, 0] + x[:, 1], 5 * x[:, 2]], 1)


def test_other_draws_of_what_it_was_fitted_on_become_standard_normal():
    margins = Margins.fit(skewed(65_536, 0), torch.tensor([True, True, False]))
    x = skewed(40_000, 1)
    matched = margins(x)

    for column in (0, 1):
        assert stats.kstest(x[:, column], "norm").statistic > 0.05
        assert stats.kstest(matched[:, column], "norm").statistic < 1.36 * (2 / 40_000) ** 0.5
    assert torch.equal(matched[:, 2], x[:, 2])


def test_it_is_each_columns_own_quantile_function():
    samples = skewed(20_001, 2)
    margins = Margins.fit(samples, torch.tensor([True] * 3))
    x = samples.sort(0).values
    place = [100, 5_000, 10_000, 15_000, 19_900]

    for column in range(3):
        row = torch.zeros(5, 3)
        row[:, column] = x[place, column]
        slow = [stats.norm.ppf((i + 0.5) / 20_001) for i in place]
        assert margins(row)[:, column].tolist() == pytest.approx(slow, abs=8e-3)


def test_order_is_kept_and_the_ends_go_on():
    margins = Margins.fit(skewed(65_536, 0), torch.tensor([True] * 3))
    x = torch.linspace(-30, 30, 2001)[:, None].expand(-1, 3)
    assert (margins(x).diff(dim=0) > 0)[:, 1:].all()

    last = margins(torch.full((1, 3), 100.0)) - margins(torch.full((1, 3), 99.0))
    assert last.flatten().tolist() == pytest.approx([1, 1, 1], abs=1e-4)


def test_new_ones_change_nothing_and_state_is_their_all():
    x = skewed(100, 0)
    assert torch.equal(Margins(3)(x), x)

    margins, again = Margins.fit(skewed(5_000, 0), torch.tensor([True] * 3)), Margins(3)
    again.load_state_dict(margins.state_dict())
    assert torch.equal(again(x), margins(x))
