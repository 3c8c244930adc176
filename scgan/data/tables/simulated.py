"""Two tables of clusters that need no file: collider events, and a catalogue of stars.

``python -m scgan.data.tables.simulated FOLDER`` writes ``dimuons.parquet`` and ``stars.parquet``.
They have what users' tables have: narrow peaks over a broad ground, columns that are functions of
others, exact zeros, whole numbers, categories, and values that are missing where a detector or a
survey can't see.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import click
import numpy as np

Columns = dict[str, np.ndarray]

MUON = 0.10566  # GeV
PEAKS: Mapping[str, tuple[float, float, float, float]] = {
    "jpsi": (3.0969, 0.035, 0.25, 7.0),
    "upsilon": (9.4604, 0.10, 0.20, 6.0),
    "z": (91.19, 2.6, 0.30, 12.0),
}
"""Pairs of muons: mass and width with the detector's, GeV; share; mean transverse momentum, GeV."""

LEAST_PT, MOST_ETA = 3.0, 2.4  # of a muon that is seen, GeV and pseudorapidity

KINDS: Mapping[str, tuple[float, float, float]] = {
    "main sequence": (0.55, 5.0, 0.35),
    "giant": (0.20, 0.8, 0.30),
    "white dwarf": (0.10, 12.0, 0.25),
    "binary": (0.15, 4.3, 0.35),
}
"""Stars: share, absolute magnitude at a colour of 0.8, and scatter of it."""

FAINTEST = 17.0  # apparent magnitude with a parallax


def dimuons(num: int, seed: int) -> Columns:
    """Pairs of muons from three resonances over a falling ground, as a detector sees them.

    Args:
        num: Rows.
        seed: Of all that is drawn.

    Returns:
        Momenta, angles and charges of both muons, the leading one first; their invariant mass,
        which is a function of these; isolations, more than half of them exactly zero; vertices;
        which trigger fired.
    """
    rng = np.random.default_rng(seed)
    parts: list[Columns] = []
    while sum(len(part["pt1"]) for part in parts) < num:
        parts.append(_pairs(num, rng))
    whole: Columns = {}
    for name in parts[0]:
        whole[name] = np.concatenate([part[name] for part in parts])[:num]

    for number in (1, 2):
        busy = rng.random(num) < 0.45
        whole[f"isolation{number}"] = np.where(busy, rng.exponential(0.08, num), 0.0).round(4)
    whole["vertices"] = rng.poisson(22, num) + 1
    high = whole["pt1"] > 24 + rng.normal(0, 0.5, num)
    whole["trigger"] = np.where(high, "single", np.where(whole["mass"] < 15, "low mass", "double"))
    return whole


def _pairs(num: int, rng: np.random.Generator) -> Columns:
    """Pairs of which both muons are seen, at most ``num``."""
    peaks = list(PEAKS.values())
    share = [peak[2] for peak in peaks]
    which = rng.choice(len(peaks) + 1, num, p=[*share, 1 - sum(share)])
    mass = 2.5 + rng.exponential(9.0, num)  # of the ground
    mean_pt = np.full(num, 8.0)
    for place, (centre, width, _, momentum) in enumerate(peaks):
        mass = np.where(which == place, rng.normal(centre, width, num), mass)
        mean_pt = np.where(which == place, momentum, mean_pt)

    pt = rng.gamma(2.0, mean_pt / 2)
    phi, rapidity = rng.uniform(-np.pi, np.pi, num), rng.normal(0, 1.4, num)
    energy = np.sqrt(mass**2 + pt**2) * np.cosh(rapidity)
    along = np.sqrt(mass**2 + pt**2) * np.sinh(rapidity)
    pair = np.stack([energy, pt * np.cos(phi), pt * np.sin(phi), along])
    first, second = _decay(pair, mass, rng)

    found: Columns = {}
    charge = rng.choice([-1, 1], num)
    leading = np.hypot(*first[1:3]) >= np.hypot(*second[1:3])
    for number, swapped in ((1, ~leading), (2, leading)):
        muon = np.where(swapped, second, first)
        transverse = np.hypot(muon[1], muon[2])
        found[f"pt{number}"] = transverse
        found[f"eta{number}"] = np.arcsinh(muon[3] / transverse)
        found[f"phi{number}"] = np.arctan2(muon[2], muon[1])
        found[f"charge{number}"] = np.where(swapped, -charge, charge)
    found["mass"] = pair_mass(found)
    both = [(found[f"pt{i}"] > LEAST_PT) & (np.abs(found[f"eta{i}"]) < MOST_ETA) for i in (1, 2)]
    seen = both[0] & both[1]
    return {name: values[seen] for name, values in found.items()}


def _decay(
    pair: np.ndarray, mass: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Two muons of pairs ``[4, N]``, isotropic where these rest: ``[4, N]`` each, energy first."""
    cos, phi = rng.uniform(-1, 1, len(mass)), rng.uniform(-np.pi, np.pi, len(mass))
    sin, size = np.sqrt(1 - cos**2), np.sqrt(mass**2 / 4 - MUON**2)
    resting = size * np.stack([sin * np.cos(phi), sin * np.sin(phi), cos])

    momentum, energy = pair[1:], pair[0]
    along = (momentum * resting).sum(0)
    first = resting + momentum * (along / (mass * (energy + mass)) + 0.5)
    energies = np.sqrt((first**2).sum(0) + MUON**2)
    return np.vstack([energies, first]), pair - np.vstack([energies, first])


def pair_mass(muons: Mapping[str, np.ndarray]) -> np.ndarray:
    """Invariant mass of two muons by momenta ``pt1``, angles ``eta1`` and ``phi1`` ..., GeV."""
    total = np.zeros((4, len(muons["pt1"])))
    for number in (1, 2):
        pt, eta, phi = (muons[f"{name}{number}"] for name in ("pt", "eta", "phi"))
        momentum = np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)])
        energy = np.sqrt((momentum**2).sum(0) + MUON**2)
        total += np.vstack([energy, momentum])
    return np.sqrt(np.maximum(total[0] ** 2 - (total[1:] ** 2).sum(0), 0))


def stars(num: int, seed: int) -> Columns:
    """Stars of two clusters and the field, as a survey lists them.

    Args:
        num: Rows.
        seed: Of all that is drawn.

    Returns:
        Position, degrees; proper motions, mas a year; parallax, mas, missing of faint stars;
        magnitudes in three bands; two colours, which are their differences; variability, mostly
        exactly zero; how often each was observed; what kind it is.
    """
    rng = np.random.default_rng(seed)
    ra, dec, pmra, pmdec, parallax = _places(num, rng)
    kind = rng.choice(len(KINDS), num, p=[share for share, _, _ in KINDS.values()])
    g, r, i = _magnitudes(kind, parallax, rng)
    measured = parallax + rng.normal(0, 0.03 + 0.01 * np.exp((g - 15) / 3), num)
    variable = rng.random(num) < 0.12
    return {
        "ra": ra,
        "dec": dec,
        "pmra": pmra.round(3),
        "pmdec": pmdec.round(3),
        "parallax": np.where(g < FAINTEST, measured.round(3), np.nan),
        "g": g,
        "r": r,
        "i": i,
        "g_r": (g - r).round(3),
        "r_i": (r - i).round(3),
        "variability": np.where(variable, rng.gamma(1.5, 0.15, num), 0.0).round(4),
        "observed": rng.negative_binomial(12, 0.3, num) + 3,
        "kind": np.array(list(KINDS))[kind],
    }


def _places(num: int, rng: np.random.Generator) -> np.ndarray:
    """Positions, proper motions and parallaxes of two clusters and the field, ``[5, N]``."""
    group = rng.choice(3, num, p=[0.3, 0.2, 0.5])
    field = group == 2
    centres = np.array([[56.75, 24.12, 19.9, -45.5, 7.37], [54.0, 26.5, -8.0, 4.0, 3.1]])
    spreads = np.array([[0.9, 0.8, 1.1, 1.2, 0.12], [0.4, 0.4, 0.5, 0.5, 0.06]])
    own = np.minimum(group, 1)
    dense = centres[own] + spreads[own] * rng.normal(size=(num, 5))

    wide = np.stack(
        [
            rng.uniform(50, 63, num),
            rng.uniform(19, 30, num),
            rng.normal(0, 9, num),
            rng.normal(-4, 9, num),
            rng.gamma(2.0, 1.2, num) + 0.2,
        ],
        1,
    )
    return np.where(field[:, None], wide, dense).T


def _magnitudes(
    kind: np.ndarray, parallax: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Apparent magnitudes of stars of some kinds in three bands, ``[N]`` each."""
    num, giant, dwarf = len(kind), kind == 1, kind == 2
    _, absolute, scatter = np.array(list(KINDS.values())).T
    colour = np.where(giant, rng.normal(1.1, 0.15, num), rng.beta(2, 2.5, num) * 1.6)
    colour = np.where(dwarf, rng.normal(0.0, 0.15, num), colour)
    slope = np.where(giant, -0.5, np.where(dwarf, 2.0, 4.2))
    bright = absolute[kind] + slope * (colour - 0.8) + scatter[kind] * rng.normal(size=num)
    g = bright + 5 * np.log10(1000 / parallax) - 5 + np.abs(rng.normal(0, 0.1, num))
    r = g - colour
    i = r - 0.45 * colour + rng.normal(0, 0.03, num)
    return g.round(3), r.round(3), i.round(3)


TABLES: Mapping[str, Callable[[int, int], Columns]] = {"dimuons": dimuons, "stars": stars}


@click.command()
@click.argument("folder")
@click.option("--num", default=20_000, show_default=True, type=click.IntRange(1, 10_000_000))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
def main(folder: str, num: int, seed: int) -> None:
    """Write NUM rows of each simulated table into FOLDER, as parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, draw in TABLES.items():
        path = Path(folder) / f"{name}.parquet"
        columns = draw(num, seed)
        pq.write_table(pa.table(columns), path)
        click.echo(f"{path}: {num:,} rows of {len(columns)} columns")


if __name__ == "__main__":
    main()
