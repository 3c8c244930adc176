"""Columns by their ranks or on their own scale: known distributions go in and come back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from scgan.data.dataset import DataConfig
from scgan.data.loading import load
from scgan.data.tables import choosing, scales
from scgan.data.tables.choosing import choose_scales
from scgan.data.tables.moments import Moments
from scgan.data.tables.scales import Ranks, Scaling, decimals_of
from scgan.data.tables.schema import Schema

NUM = 4000
RANKS, LINEAR = Scaling("ranks"), Scaling("linear")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def zeros_and_tail(num: int = NUM) -> np.ndarray:
    """Three rows of ten are exactly zero, the others exponential."""
    return np.where(rng(1).random(num) < 0.3, 0.0, rng(2).exponential(size=num) + 1e-3)


def scaled(values: np.ndarray, scaling: Scaling = RANKS) -> Schema:
    return Schema.fit({"a": values}).scaled({"a": values}, scaling, seed=0)


def drawn(schema: Schema, num: int = 100_000) -> np.ndarray:
    """What comes of standard normal numbers: what a perfect model of one column draws."""
    return schema.decode(torch.randn(num, 1, generator=torch.Generator().manual_seed(3)))["a"]


def repeated(values: np.ndarray) -> np.ndarray:
    """The values that more than one row has."""
    found, counts = np.unique(values, return_counts=True)
    return found[counts > 1]


COLUMNS = {
    "lognormal": rng().lognormal(size=NUM),
    "cauchy": rng().standard_cauchy(NUM),
    "uniform": rng().random(NUM),
    "zeros": zeros_and_tail(),
    "grid": np.round(rng().normal(size=NUM), 2),
    "integers": rng().poisson(2.5, NUM),
    "bool": rng().random(NUM) < 0.1,
    "float32": rng().normal(size=NUM).astype(np.float32),
    "far": np.append(rng().normal(size=NUM - 1), 1e20),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_ranks_of_the_rows_are_normal_whatever_the_column(name: str) -> None:
    values = COLUMNS[name]
    z = scaled(values).encode({"a": values}, rng(5))[:, 0].numpy()
    assert stats.kstest(z, "norm").statistic < 0.03
    assert abs(z.mean()) < 0.05 and abs(z.std() - 1) < 0.05


@pytest.mark.parametrize("name", COLUMNS)
def test_normal_numbers_become_the_column(name: str) -> None:
    values = COLUMNS[name]
    made = drawn(scaled(values))
    assert made.dtype == values.dtype
    assert values.min() <= made.min() and made.max() <= values.max()
    assert stats.ks_2samp(made.astype(float), values.astype(float)).statistic < 0.02


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("spread", [True, False])
def test_rows_come_back_as_they_were(name: str, spread: bool) -> None:
    values = COLUMNS[name]
    schema = scaled(values)
    back = schema.decode(schema.encode({"a": values}, rng(6) if spread else None))["a"]
    shared = np.isin(values, repeated(values))
    assert np.array_equal(back[shared], values[shared])
    ranks, again = (stats.rankdata(v, "dense") for v in (values, back))
    assert np.abs(ranks - again).max() <= 1
    inner = np.abs(values.astype(float)) < 1e3
    np.testing.assert_allclose(back[inner].astype(float), values[inner].astype(float), atol=2e-3)


def test_exact_zeros_and_grids_keep_their_shares() -> None:
    zeros = drawn(scaled(COLUMNS["zeros"]))
    assert (zeros == 0).mean() == pytest.approx((COLUMNS["zeros"] == 0).mean(), abs=0.005)
    assert not ((zeros > 0) & (zeros < 1e-3)).any()

    grid = drawn(scaled(COLUMNS["grid"]))
    assert np.array_equal(grid, np.round(grid, 2)) and not np.signbit(grid[grid == 0]).any()
    for value, count in zip(*np.unique(COLUMNS["integers"], return_counts=True), strict=True):
        share = (drawn(scaled(COLUMNS["integers"])) == value).mean()
        assert share == pytest.approx(count / NUM, abs=0.006)


def test_a_shared_value_is_spread_over_its_ranks_and_left_in_their_middle() -> None:
    values = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 7.5, 7.7, 8.1, 8.3, 9.9])
    schema = scaled(values)
    middle = schema.encode({"a": np.zeros(5)})[:, 0].double().numpy()
    assert middle == pytest.approx(np.full(5, stats.norm.ppf(0.25)), abs=1e-6)

    spread = schema.encode({"a": np.zeros(10_000)}, rng())[:, 0].numpy()
    assert stats.kstest(stats.norm.cdf(spread), "uniform", args=(0.0, 0.5)).statistic < 0.03
    # Once it occurs, a value has the rank in its middle: (6 + 1/2) / 10 of the seventh.
    once = schema.encode({"a": np.array([7.7])}, rng()).item()
    assert once == pytest.approx(stats.norm.ppf(0.65), abs=1e-6)
    half_way = schema.encode({"a": np.array([7.9])}).item()
    assert half_way == pytest.approx(stats.norm.ppf(0.7), abs=1e-6)
    # Nothing lies between a shared value and the next.
    ranks = torch.linspace(0.4, 0.549, 500).double()
    made = schema.decode(torch.special.ndtri(ranks)[:, None])["a"]
    assert np.array_equal(made, np.where(ranks < 0.5, 0.0, 7.5))


def test_rows_beyond_those_fitted_go_on_by_the_columns_spread() -> None:
    values = np.arange(100.0) / 7
    schema = scaled(values)
    ends = schema.encode({"a": np.array([values[0], values[-1]])})[:, 0]
    std = values.std()
    beyond = schema.encode({"a": np.array([values[0] - 3 * std, values[-1] + 1e3 * std])})[:, 0]
    torch.testing.assert_close(beyond, ends + torch.tensor([-3.0, 1e3]))
    assert schema.decode(beyond[:, None])["a"] == pytest.approx([values[0], values[-1]])


def test_many_values_keep_what_matters_of_f() -> None:
    num = 40 * scales.MAX_KNOTS
    values = np.where(rng().random(num) < 0.2, -1.0, rng(1).standard_cauchy(num))
    ranks = Ranks.fit(values)
    assert len(ranks.d) <= scales.MAX_KNOTS + 3
    assert ranks.d[0] == values.min() and ranks.d[-1] == values.max()

    made = ranks.inverse(rng(2).standard_normal(num))
    assert stats.ks_2samp(made, values).statistic < 0.01
    assert (made == -1).mean() == pytest.approx(0.2, abs=0.005)
    far = np.quantile(np.abs(values), [0.99, 0.9999])
    assert np.quantile(np.abs(made), [0.99, 0.9999]) == pytest.approx(far, rel=0.3)


def test_on_its_own_scale_a_grid_is_spread_over_a_step() -> None:
    values = np.round(rng().normal(size=NUM), 1)
    schema = scaled(values, LINEAR)
    column = schema.columns[0]
    assert column.scale == "linear" and column.decimals == 1

    x = schema.encode({"a": np.full(5000, 0.3)}, rng(1))[:, 0].double().numpy() * values.std()
    in_step = x + values.mean() - 0.3
    assert stats.kstest(in_step, "uniform", args=(-0.05, 0.1)).statistic < 0.03
    back = schema.decode(schema.encode({"a": values}, rng(2)))["a"]
    assert np.array_equal(back, values) and not np.signbit(back[back == 0]).any()


@pytest.mark.parametrize(
    ("values", "decimals"),
    [
        ([1.0, 250.0, -3.0], 0),
        ([0.5, 1.25, 3.0], 2),
        ([1e-6, 0.5], 6),
        ([1e-7, 0.5], None),
        ([1 / 3, 2 / 3], None),
        ([1e300, 1.0], None),
    ],
)
def test_decimals(values: list[float], decimals: int | None) -> None:
    assert decimals_of(np.array(values)) == decimals
    joined = Moments()
    joined.add({"a": np.array(values[:1])})
    joined.add({"a": np.array(values[1:])})
    if abs(values[0]) < 1e100:
        assert joined.schema().columns[0].decimals == decimals


def test_decimals_of_single_precision_are_told_from_its_own_spacing() -> None:
    assert decimals_of(np.array([28.7967, 334.177], np.float32)) == 4
    assert decimals_of(rng().normal(size=300).astype(np.float32)) is None
    assert decimals_of(np.float32(1e6) + rng().random(300).astype(np.float32)) is None


def clusters(num: int = NUM) -> np.ndarray:
    """Two columns in four normal clusters that nearly touch."""
    k = rng(1).integers(0, 4, num)
    return 7.0 * np.stack([k % 2, k // 2], axis=1) + rng(2).normal(size=(num, 2))


def test_normal_clusters_keep_their_scale_and_skewed_columns_do_not() -> None:
    x = clusters()
    tail = np.exp(2 * rng(3).normal(size=NUM))
    values = {"a": x[:, 0], "b": x[:, 1], "tail": tail, "few": rng(4).poisson(1.0, NUM)}
    schema = Schema.fit(values).scaled(values, Scaling(), seed=0)
    assert [c.scale for c in schema.columns] == ["linear", "linear", "ranks", "ranks"]

    a, b, skewed, few = (c.gain for c in schema.columns)
    assert a is not None and b is not None and skewed is not None and few is None
    assert min(a, b) > 0.05 and skewed > 0.5


def test_entropies_of_known_distributions() -> None:
    for known in (stats.norm(1, 3), stats.uniform(0, 5), stats.expon()):
        x = known.rvs(20_000, random_state=rng())
        assert choosing._entropy(x) == pytest.approx(known.entropy(), abs=0.02)


def test_what_a_scale_saves_is_the_difference_of_two_cross_entropies(monkeypatch) -> None:
    # In one cluster: by its ranks an exponential costs its entropy, 1 nat, on its own scale that
    # of a normal distribution of unit variance.
    monkeypatch.setattr(choosing, "EVIDENCE_CLUSTERS", 1)
    num = 20_000
    x = rng().exponential(size=num) - 1
    z = stats.norm.ppf((stats.rankdata(x) - 0.5) / num)
    ((scale, saved),) = choose_scales(x[:, None], z[:, None], [0.0], rng(1))
    assert scale == "ranks" and saved == pytest.approx(stats.norm.entropy() - 1, abs=0.05)


def test_scales_of_single_columns() -> None:
    x = clusters()
    values = {"a": x[:, 0], "b, c": x[:, 1], "one": np.ones(NUM)}
    schema = Schema.fit(values).scaled(values, Scaling("linear", ("b, c=ranks",)), seed=0)
    assert [c.scale for c in schema.columns] == ["linear", "ranks", "linear"]
    assert all(c.gain is None for c in schema.columns)
    mixed = Schema.fit(values).scaled(values, Scaling("ranks", ("a=auto",)), seed=0)
    assert [c.scale for c in mixed.columns] == ["linear", "ranks", "linear"]

    for own, told in (("a", "must be one of NAME=auto"), ("x=ranks", "no column 'x'")):
        with pytest.raises(ValueError, match=told):
            Schema.fit(values).scaled(values, Scaling("auto", (own,)), seed=0)


def test_a_schema_with_ranks_survives_as_text() -> None:
    values = {name: COLUMNS[name] for name in ("zeros", "grid", "integers", "far")}
    schema = Schema.fit(values).scaled(values, RANKS, seed=0)
    again = Schema.from_json(schema.to_json())
    assert again == schema and schema != Schema.fit(values)
    z = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    for made, before in zip(again.decode(z).values(), schema.decode(z).values(), strict=True):
        assert np.array_equal(made, before)


def test_a_file_is_loaded_on_the_scales_that_are_asked_for(tmp_path) -> None:
    path = tmp_path / "t.npz"
    values = zeros_and_tail(500)
    np.savez(path, a=values, b=clusters(500)[:, 0])
    found = {}
    for scaling in (("auto", ()), ("linear", ()), ("linear", ("a=ranks",)), ("ranks", ())):
        data = load(DataConfig(source=str(path), scale=scaling[0], scales=scaling[1]), seed=0)
        found[scaling] = data

    assert len({data.fingerprint for data in found.values()}) == 4
    kinds = [[c.scale for c in data.table_schema.columns] for data in found.values()]
    assert kinds[1:] == [["linear", "linear"], ["ranks", "linear"], ["ranks", "ranks"]]

    # Rows to train on are spread over the ranks of what they share, rows to score by are not.
    data = found[("ranks", ())]
    assert len(data.train[:, 0].unique()) == len(data.train)
    assert len(data.test[:, 0].unique()) < 0.9 * len(data.test)


def test_a_toy_set_keeps_its_scale() -> None:
    data = load(DataConfig(source="ring", num_train=100, num_test=100), seed=0)
    assert all(c.scale == "linear" for c in data.table_schema.columns)
    with pytest.raises(ValueError, match="no --data.scale"):
        load(DataConfig(source="ring", scale="ranks"), seed=0)


def fields(num: int = NUM) -> np.ndarray:
    """Three fields far apart: a tenth of the rows, six tenths and three tenths, with sharp ends."""
    place = rng(1).random(num)
    middle = np.select([place < 0.1, place < 0.7], [-40.0, 0.0], 90.0)
    return middle + rng(2).uniform(-1, 1, num)


def test_each_part_between_wide_gaps_becomes_a_normal_of_its_own() -> None:
    values = fields()
    schema = scaled(values)
    z = schema.encode({"a": values})[:, 0].double().numpy()
    assert abs(z.mean()) < 0.01 and abs(z.std() - 1) < 0.01

    parts = [z[values < -30], z[np.abs(values) < 2], z[values > 80]]
    ends = [(part.min(), part.max()) for part in parts]
    assert ends[0][1] < ends[1][0] and ends[1][1] < ends[2][0]
    for part in parts:
        assert stats.kstest((part - part.mean()) / part.std(), "norm").statistic < 0.03

    # Neighbours are as far apart whatever lies between them: six deviations.
    deviation = np.mean([part.std() for part in parts])
    steps = np.diff([part.mean() for part in parts]) / deviation
    assert steps == pytest.approx(6.0, abs=0.2)


def test_nothing_is_made_in_a_gap_and_parts_keep_their_shares() -> None:
    values = fields()
    schema = scaled(values)
    assert np.array_equal(
        np.sort(schema.decode(schema.encode({"a": values}))["a"]).round(3), np.sort(values).round(3)
    )

    z = schema.encode({"a": values})[:, 0]
    noisy = schema.decode(
        (z + 0.02 * torch.randn(NUM, generator=torch.Generator().manual_seed(4)))[:, None]
    )["a"]
    everywhere = schema.decode(torch.linspace(-9, 9, 5001)[:, None])["a"]
    for made in (noisy, everywhere):
        assert (np.abs(made[:, None] - np.array([-40.0, 0.0, 90.0])).min(1) <= 1).all()
    for below, share in ((-30, 0.1), (80, 0.7)):
        assert (noisy < below).mean() == pytest.approx(share, abs=0.02)


def test_only_many_rows_of_many_values_make_a_part() -> None:
    uniform = rng().random(NUM)
    few_rows = np.append(uniform, np.full(NUM // 100, 9.0) + uniform[: NUM // 100])
    one_value = np.append(uniform, np.full(NUM, 9.0))
    narrow = np.where(uniform < 0.5, uniform, uniform + 0.05)
    for values in (few_rows, one_value, narrow, rng().integers(0, 4, NUM)):
        assert len(Ranks.fit(values).breaks) == 0
    assert len(Ranks.fit(np.append(uniform, uniform + 9)).breaks) == 1


def test_parts_come_back_from_a_file_and_lie_above_a_gap_in_the_data() -> None:
    ranks = Ranks.fit(fields() + 100)
    assert Ranks.from_plain(ranks.to_plain()) == ranks != Ranks.fit(rng().random(NUM))

    raised = ranks.above(-1.0, 0.25)
    assert raised.breaks == pytest.approx(0.25 + 0.75 * ranks.breaks)
    made = raised.inverse(raised.forward(np.repeat(fields() + 100, 2), rng().random(2 * NUM), 1.0))
    assert np.abs(made - np.repeat(fields() + 100, 2)).max() < 1e-2
