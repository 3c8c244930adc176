"""Momenta, energies and masses: what others determine of them, and what they nearly do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from scgan.data.dataset import Dataset
from scgan.data.tables.scales import Scaling
from scgan.data.tables.schema import Schema
from scgan.report.facts import column_rows

NUM, MUON = 1500, 0.10566


def written(values: np.ndarray, digits: int) -> np.ndarray:
    """As a file has them that is written to so many significant digits."""
    return np.array([float(f"{value:.{digits}g}") for value in values])


ROUNDED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as they are": lambda v: v,
    "float32": lambda v: v.astype(np.float32),
    "4 decimals": lambda v: np.round(v, 4),
    "6 digits": lambda v: written(v, 6),
}


def particle(rng: np.random.Generator, mass: float | np.ndarray) -> dict[str, np.ndarray]:
    pt, eta, phi = 3 + rng.exponential(12, NUM), rng.normal(0, 1.2, NUM), rng.uniform(-3, 3, NUM)
    px, py, pz = pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)
    energy = np.sqrt(px**2 + py**2 + pz**2 + mass**2)
    return {"E": energy, "px": px, "py": py, "pz": pz, "pt": pt, "eta": eta, "phi": phi}


def pair(mass: float = MUON) -> dict[str, np.ndarray]:
    """Two particles and their invariant mass; energies come first."""
    rng = np.random.default_rng(0)
    one, two = particle(rng, mass), particle(rng, mass)
    momentum = sum((one[p] + two[p]) ** 2 for p in ("px", "py", "pz"))
    table = {f"{name}1": values for name, values in one.items()}
    table |= {f"{name}2": values for name, values in two.items()}
    return table | {"M": np.sqrt((one["E"] + two["E"]) ** 2 - momentum)}


def fitted(columns: dict[str, np.ndarray]) -> Schema:
    return Schema.fit(columns).related(columns)


def formulas(schema: Schema) -> dict[str, str]:
    return {c.name: str(c.relation) for c in schema.columns if c.kind == "derived"}


def notes(schema: Schema) -> dict[str, str]:
    """What the report says of each column."""
    rows = torch.zeros(2, schema.dim)
    data = Dataset("t", rows, rows, schema, None, None, None, "", dropped=0)
    return {row["name"]: row["note"] for row in column_rows(data)}


def draw(schema: Schema, num: int = 400) -> dict[str, np.ndarray]:
    return schema.decode(torch.randn(num, schema.dim, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("rounded", ROUNDED.values(), ids=ROUNDED)
@pytest.mark.parametrize("mass", [MUON, 0.000511])
def test_of_fifteen_columns_of_two_particles_six_are_modelled(
    rounded: Callable[[np.ndarray], np.ndarray], mass: float
) -> None:
    table = {name: rounded(values) for name, values in pair(mass).items()}
    schema = fitted(table)
    assert [c.name for c in schema.modelled] == ["pt1", "eta1", "phi1", "pt2", "eta2", "phi2"]

    said = formulas(schema)
    assert said["px1"] == "pt1 · cos(phi1)" and said["py2"] == "pt2 · sin(phi2)"
    assert said["pz1"] == "pt1 · sinh(eta1)"
    assert said["E1"].startswith("√(px1² + py1² + pz1²")
    assert ("0.01" in said["E1"]) == (mass == MUON)
    assert said["M"] == "mass of (E1, px1, py1, pz1), (E2, px2, py2, pz2)"


def test_samples_keep_them() -> None:
    schema = fitted(pair())
    made = draw(schema)
    kept = np.ones(len(made["E1"]), dtype=bool)
    for column in schema.columns:  # those held to the observed range are left out
        kept &= (made[column.name] > column.low) & (made[column.name] < column.high)

    made = {name: values[kept] for name, values in made.items()}
    momentum = sum((made[f"{p}1"] + made[f"{p}2"]) ** 2 for p in ("px", "py", "pz"))
    mass = np.sqrt((made["E1"] + made["E2"]) ** 2 - momentum)
    assert kept.sum() > 30
    np.testing.assert_allclose(made["M"], mass, rtol=1e-6)
    np.testing.assert_allclose(made["pz2"], made["pt2"] * np.sinh(made["eta2"]), rtol=1e-6)
    squares = sum(made[f"{p}1"] ** 2 for p in ("px", "py", "pz"))
    np.testing.assert_allclose(made["E1"] ** 2, squares + MUON**2, rtol=1e-6)


@pytest.mark.parametrize(
    ("left_out", "name", "formula"),
    [
        (("px", "pz"), "phi", None),
        (("pt", "eta"), "phi", "atan2(py1, px1)"),
        (("phi", "px"), "eta", None),
        (("phi",), "eta", None),
    ],
)
def test_angles_of_components(left_out: tuple[str, ...], name: str, formula: str | None) -> None:
    table = {k: v for k, v in pair().items() if k.endswith("1") and k[:-1] not in left_out}
    assert formulas(fitted(table)).get(f"{name}1") == formula


def test_pseudorapidity_of_components() -> None:
    table = {k: v for k, v in pair().items() if k in ("pz1", "px1", "pt1", "phi2")}
    table["eta"] = np.arcsinh(table["pz1"] / table["pt1"])
    said = formulas(fitted(table))
    assert said == {"pz1": "pt1 · sinh(eta)"}

    table["eta"] = np.round(table["eta"], 2)  # too coarse to give the component
    assert formulas(fitted(table)) == {"eta": "asinh(pz1 / pt1)"}


@pytest.mark.parametrize("mass", [0.0, 0.3])
def test_an_energy_of_transverse_momentum_and_pseudorapidity(mass: float) -> None:
    columns = particle(
        np.random.default_rng(6), mass * np.random.default_rng(7).exponential(size=NUM)
    )
    schema = fitted({name: columns[name] for name in ("pt", "eta", "phi", "E")})
    energy = schema.columns[-1]
    assert str(energy.relation) == "pt · cosh(eta)"
    assert energy.kind == ("modelled" if mass else "derived")
    made = draw(schema)
    inside = (made["E"] > energy.low) & (made["E"] < energy.high)
    assert (made["E"] > 0.999999 * made["pt"] * np.cosh(made["eta"]))[inside].all()


def jets() -> dict[str, np.ndarray]:
    """Two jets with masses of their own, in whole MeV, and their invariant mass."""
    rng = np.random.default_rng(1)
    one, two = (particle(rng, 1 + rng.exponential(1.0, NUM)) for _ in range(2))
    table = {f"{n}1": one[n] for n in ("px", "py", "pz", "E")}
    table |= {f"{n}2": two[n] for n in ("px", "py", "pz", "E")}
    table = {name: np.rint(1e3 * values).astype(np.int64) for name, values in table.items()}
    momentum = sum((table[f"{p}1"] + table[f"{p}2"]) ** 2 for p in ("px", "py", "pz"))
    return table | {"mjj": np.sqrt((table["E1"] + table["E2"]) ** 2 - momentum)}


def test_of_an_energy_the_mass_is_modelled() -> None:
    table = jets()
    schema = fitted(table)
    energy = schema.columns[schema.names.index("E1")]
    assert energy.kind == "modelled" and energy.rest is not None
    assert str(energy.relation) == "√(px1² + py1² + pz1²)"
    assert schema.describe()["nearly_derived_columns"]["E1"] == "√(px1² + py1² + pz1²)"
    assert formulas(schema) == {"mjj": "mass of (E1, px1, py1, pz1), (E2, px2, py2, pz2)"}
    note = "modelled what √(px1² + py1² + pz1²) leaves of it on its own scale"
    assert notes(schema)["E1"].startswith(note)

    squares = table["E1"] ** 2 - sum(table[f"{p}1"] ** 2 for p in ("px", "py", "pz"))
    np.testing.assert_allclose(schema.seen(table)["E1"], squares)
    assert Schema.from_json(schema.to_json()) == schema


def test_such_rows_come_back_and_samples_have_masses_that_were_seen() -> None:
    table = jets()
    schema = Schema.fit(table).adapted(table, Scaling(), seed=0)
    energy = schema.columns[schema.names.index("E1")]
    assert energy.scale == "ranks" and energy.is_normal

    z = schema.encode(table)
    place = [c.name for c in schema.modelled].index("E1")
    assert abs(float(z[:, place].mean())) < 0.02 and abs(float(z[:, place].std()) - 1) < 0.05
    back = schema.decode(z)
    assert back["E1"].dtype == np.int64
    np.testing.assert_allclose(back["E1"], table["E1"], rtol=1e-5)

    made = draw(schema)
    inside = (made["E1"] > energy.low) & (made["E1"] < energy.high)
    squares = made["E1"] ** 2 - sum(made[f"{p}1"] ** 2 for p in ("px", "py", "pz"))
    seen = schema.seen(table)["E1"]
    slack = 2.0 * made["E1"][inside]  # energies are whole numbers
    assert (squares[inside] > seen.min() - slack).all()
    assert (squares[inside] < seen.max() + slack).all()
    assert float(np.median(squares[inside])) == pytest.approx(float(np.median(seen)), rel=0.2)


def test_computed_columns_need_not_be_there_to_encode() -> None:
    rng = np.random.default_rng(2)
    table = {f"{n}1": v for n, v in particle(rng, 1 + rng.exponential(1.0, NUM)).items()}
    schema = fitted(table)
    assert {c.name for c in schema.columns if c.kind == "derived"} == {"px1", "py1", "pz1"}
    assert str(schema.columns[0].relation) == "√(pt1² + pz1²)"
    few = {c.name: table[c.name] for c in schema.modelled}
    torch.testing.assert_close(schema.encode(few), schema.encode(table), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("noise", "near"), [(0.02, True), (0.1, False)])
def test_what_little_is_left_is_modelled_and_what_is_much_is_not(noise: float, near: bool) -> None:
    rng = np.random.default_rng(3)
    a, b, c = rng.normal(size=(3, NUM))
    total = a + b
    left = noise * total.std() * rng.normal(size=NUM)
    table = {"a": a, "b": b, "c": c, "total": total + left}
    found = fitted(table).describe()["nearly_derived_columns"]
    assert found == ({"total": "a + b"} if near else {})


def test_a_mass_that_is_nearly_that_of_its_particles() -> None:
    table = pair()
    table["M"] = table["M"] * (1 + 0.002 * np.random.default_rng(4).normal(size=NUM))
    mass = fitted(table).columns[-1]
    assert mass.kind == "modelled" and str(mass.relation).startswith("mass of (E1, px1")
    left = table["M"] - mass.relation.compute(table)
    np.testing.assert_allclose(mass.relation.rest(table["M"], table), left)
    np.testing.assert_allclose(mass.relation.compute(table, left), table["M"])
