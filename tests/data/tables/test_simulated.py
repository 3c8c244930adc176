"""Simulated tables: what physics and a survey say of them."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

from scgan.data.tables import simulated
from scgan.data.tables.reading import read_table
from scgan.data.tables.simulated import MUON, PEAKS, TABLES, dimuons, pair_mass, stars


@pytest.mark.parametrize("name", TABLES)
def test_as_many_rows_as_are_asked_for_by_their_seed(name):
    draw = TABLES[name]
    one, again, other = draw(300, 1), draw(300, 1), draw(300, 2)
    first = next(iter(one))
    assert {len(values) for values in one.values()} == {300}
    assert all(np.array_equal(one[key], again[key], equal_nan=key == "parallax") for key in one)
    assert not np.array_equal(one[first], other[first])


@pytest.fixture(scope="module")
def pairs():
    return dimuons(20_000, 0)


def test_the_mass_of_a_pair_by_a_loop(pairs):
    for row in range(50):
        e, px, py, pz = 0.0, 0.0, 0.0, 0.0
        for i in "12":
            pt, eta, phi = (float(pairs[f"{name}{i}"][row]) for name in ("pt", "eta", "phi"))
            px, py, pz = px + pt * np.cos(phi), py + pt * np.sin(phi), pz + pt * np.sinh(eta)
            e += np.sqrt((pt * np.cosh(eta)) ** 2 + MUON**2)
        assert pairs["mass"][row] == pytest.approx(np.sqrt(e * e - px * px - py * py - pz * pz))


def test_peaks_are_where_they_are_known_to_be_and_both_muons_are_seen(pairs):
    """A decay keeps the mass, whatever the pair's momentum."""
    for centre, width, _, _ in PEAKS.values():
        near = np.abs(pairs["mass"] - centre) < 3 * width
        assert 0.04 < near.mean() < 0.6
        assert np.median(pairs["mass"][near]) == pytest.approx(centre, abs=0.2 * width)
    assert (pairs["pt1"] >= pairs["pt2"]).all() and pairs["pt2"].min() > 3
    assert max(np.abs(pairs["eta1"]).max(), np.abs(pairs["eta2"]).max()) < 2.4
    assert (pairs["charge1"] == -pairs["charge2"]).all()
    assert abs(pairs["charge1"].mean()) < 0.03
    assert abs(np.cos(pairs["phi1"]).mean()) < 0.03


def test_a_decay_is_isotropic_where_the_pair_rests():
    rng, mass = np.random.default_rng(3), np.full(20_000, 91.19)
    pair = np.stack([mass, *np.zeros((3, 20_000))])
    first, second = simulated._decay(pair, mass, rng)
    np.testing.assert_allclose(first + second, pair, atol=1e-9)
    directions = first[1:] / np.linalg.norm(first[1:], axis=0)
    np.testing.assert_allclose(directions @ directions.T / 20_000, np.eye(3) / 3, atol=0.01)
    np.testing.assert_allclose(first[0], 91.19 / 2)


def test_zeros_whole_numbers_and_triggers(pairs):
    for number in "12":
        assert np.mean(pairs[f"isolation{number}"] == 0) == pytest.approx(0.55, abs=0.02)
    assert pairs["vertices"].dtype.kind == "i" and pairs["vertices"].mean() == pytest.approx(
        23, 0.01
    )
    fired = dict(zip(*np.unique(pairs["trigger"], return_counts=True), strict=True))
    assert fired.keys() == {"single", "double", "low mass"} and min(fired.values()) > 400
    assert pairs["pt1"][pairs["trigger"] == "single"].min() > 21


def test_a_pairs_mass_of_known_muons():
    back = {"pt1": 40.0, "eta1": 0.0, "phi1": 0.0, "pt2": 40.0, "eta2": 0.0, "phi2": np.pi}
    mass = pair_mass({name: np.array([value]) for name, value in back.items()})
    assert mass[0] == pytest.approx(2 * np.hypot(40.0, MUON))


def test_stars_have_two_clusters_colours_and_gaps_where_they_are_faint():
    found = stars(20_000, 0)
    dense = (np.abs(found["pmra"] - 19.9) < 3) & (np.abs(found["pmdec"] + 45.5) < 3)
    assert dense.mean() == pytest.approx(0.3, abs=0.02)
    near = found["parallax"][dense & np.isfinite(found["parallax"])]
    assert np.median(near) == pytest.approx(7.37, abs=0.05)
    np.testing.assert_allclose(found["g_r"], found["g"] - found["r"], atol=1e-9)
    np.testing.assert_allclose(found["r_i"], found["r"] - found["i"], atol=1e-9)
    missing = ~np.isfinite(found["parallax"])
    assert (missing == (found["g"] >= simulated.FAINTEST)).all() and 0.05 < missing.mean() < 0.4
    assert np.mean(found["variability"] == 0) == pytest.approx(0.88, abs=0.01)
    dwarfs = (found["kind"] == "white dwarf") & dense
    assert found["g"][dwarfs].mean() > found["g"][dense].mean() + 3
    shares = [np.mean(found["kind"] == kind) for kind in simulated.KINDS]
    assert shares == pytest.approx([0.55, 0.2, 0.1, 0.15], abs=0.02)


def test_the_files_are_read_as_what_they_are(tmp_path):
    said = CliRunner().invoke(simulated.main, [str(tmp_path / "new"), "--num", "500"])
    assert said.exit_code == 0 and "dimuons.parquet: 500 rows of 13 columns" in said.output
    table = read_table(str(tmp_path / "new" / "stars.parquet"), missing="drop")
    assert table.names == tuple(stars(1, 0)) and table.lacking["parallax"] > 0
    assert read_table(str(tmp_path / "new" / "dimuons.parquet")).num_rows == 500
