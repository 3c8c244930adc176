"""NEMGAN's Tables 1 to 3, its ablations, and how modes match classes in unequal numbers.

The images are those of ``--data``: MNIST for Tables 1 and 2, the ablations and pairs of digits,
CIFAR-10 for Table 3. What is made of MNIST (stacked digits, two digits in unequal numbers) is
written beside its file. The Fréchet distance is in the features of a classifier of the images' own
classes, trained once and kept in the store; the paper names no network.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from scgan.config import override, shortened
from scgan.data.dataset import DIGITS, DataConfig
from scgan.data.images.derived import write_stacked, write_thinned
from scgan.data.loading import load
from scgan.figures import images as image_figures
from scgan.metrics.image_scores import compare_images, diversity_scores
from scgan.metrics.mode_matching import total_variation
from scgan.metrics.modes import NUM_STACKED
from scgan.metrics.scores import Score
from scgan.pipeline.classifier import classifier_of
from scgan.pipeline.counting import IMAGES_AT_ONCE, stacked_scores
from scgan.pipeline.outcome import Outcome
from scgan.pipeline.spec import Spec
from scgan.reproductions import (
    Cell,
    Pages,
    Result,
    markdown_table,
    mean_and_std,
    plain_values,
)
from scgan.stages.images.judge import Judge
from scgan.store.artifacts import ArtifactStore
from scgan.systems.nemgan import SYSTEM

STACKED = "Table 1: modes of stacked digits"
QUALITY = "Tables 2 and 3, and ablations: images and their modes"
PAIRS = "Sec. 4.1: two digits in unequal numbers"
WRONG = "Sec. 4.5: 3 and 5 at 30:70 with wrong weights"
NUM_SAMPLES = 10_000  # that are scored
NUM_A_ROW = 10  # images of a row of the figure
NUM_TRIPLES = 60_000  # stacked images to train on; the paper's protocol draws 128,000
CLASSES, MODES = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9"), 1000

VARIANTS: Mapping[str, Mapping[str, object]] = {
    "NEMGAN": {},
    "without h1": {"gan.reconstruction_weight": 0.0},
    "without h2": {"gan.mode_weight": 0.0},
    "plain GAN, noise with modes": {"gan.reconstruction_weight": 0.0, "gan.mode_weight": 0.0},
}

Shares = tuple[float, float]
PAIR_SHARES: Sequence[Shares] = ((0.5, 0.5), (0.25, 0.75), (0.02, 0.98))
ASSUMED: Sequence[Shares] = ((0.3, 0.7), (0.35, 0.65), (0.4, 0.6), (0.5, 0.5))
"""The weights of 3 and 5 as they are, and wrong by 5, 10 and 20 %."""

HOW: Mapping[str, Mapping[str, object]] = {
    "": {},
    ", 5 % labelled": {"gan.labelled": 0.05},
    ", from a mixture": {"gan.start": "mixture", "gan.draw": "even"},
}
"""As published, without labels and with; and from the start that is ours, without labels."""

PUBLISHED: Mapping[tuple[str, str, str], str] = {
    (STACKED, "mnist", "NEMGAN"): "1000 (DCGAN 99, VEEGAN 150)",
    (QUALITY, "mnist", "NEMGAN"): "FID 4.37 ± 0.13 (InfoGAN 26.46, VEEGAN 203.05); 96.09 %",
    (QUALITY, "cifar10", "NEMGAN"): "FID 28.73 (DCGAN 40, ACGAN 116.2)",
    (PAIRS, "mnist", "0, 4 at 50:50"): "99 %",
    (PAIRS, "mnist", "0, 4 at 25:75"): "99 %",
    (PAIRS, "mnist", "0, 4 at 2:98"): "90 %",
    (WRONG, "mnist", "30:70"): "98 %",
}

COLUMNS: Mapping[str, Mapping[str, str]] = {
    STACKED: {"modes_captured": "modes", "modes_kl_divergence": "KL"},
    QUALITY: {
        "label_majority": "accuracy of h, a class's majority",
        "label_hungarian": "Hungarian",
        "label_nmi": "NMI",
        "control_accuracy": "a mode's commonest class",
        "fid_judge": "FID, classifier",
        "diversity_pixels": "diversity in a mode",
    },
    PAIRS: {
        "modes_total_variation": "samples' share from the true one",
        "label_hungarian": "accuracy of h",
        "control_accuracy": "samples of the mode's class",
    },
}
COLUMNS = {**COLUMNS, WRONG: COLUMNS[PAIRS]}


def rounds(seeds: Sequence[int], budget: float, source: str | None) -> list[list[list[Cell]]]:
    """A cell a table's row and seed, the first before all others, these each on their own.

    Args:
        seeds: Seeds.
        budget: Length of each training, in multiples of the default preset's.
        source: A file of images with a class each; the bundled digits by default, of which there
            are the ablations only.

    Raises:
        ValueError: If the source is no set of images with one class each.
    """
    path = source or DIGITS
    data = load(DataConfig(source=path), 0)
    if data.kind != "images" or data.image_schema.labels != "one":
        raise ValueError(f"NEMGAN's tables need images with one class each; {path} has none")

    tables = [_quality(path)]
    if source is not None and data.image_schema.channels == 1:
        tables.append(_stacked(path))
        if set(CLASSES) <= set(data.image_schema.attributes):
            tables += [_pairs(path), _wrong(path)]

    base = shortened(SYSTEM.presets["default"], budget)
    cells = []
    for seed in seeds:
        for table in tables:
            for row, column, made, changes, more in table:
                spec = Spec("nemgan", made, override(base, changes), seed)
                cells.append(Cell(row, column, spec, more))
    first, *others = cells  # the first trains the classifier, which the others find in the store
    return [[[first]], [[cell] for cell in others]]


Row = tuple[str, str, DataConfig, Mapping[str, Any], Any]
"""Row, table, data, settings, and what more is scored."""


def _quality(path: str) -> list[Row]:
    data, more = DataConfig(source=path), functools.partial(scores_of_modes, source=path)
    return [(name, QUALITY, data, changes, more) for name, changes in VARIANTS.items()]


def _stacked(path: str) -> list[Row]:
    data = DataConfig(source=str(write_stacked(path, NUM_TRIPLES)))
    more = functools.partial(scores_of_stacked, source=path)
    names = ("NEMGAN", "plain GAN, noise with modes")
    modes = {"gan.num_clusters": MODES}
    return [(name, STACKED, data, {**VARIANTS[name], **modes}, more) for name in names]


def _pair(path: str, digits: tuple[str, str], true: Shares, changes: Mapping[str, Any]) -> Any:
    """Data, settings and scores of two digits in unequal numbers."""
    data = DataConfig(source=str(write_thinned(path, digits, true)))
    shares = {"true": true, "assumed": changes["gan.weights"]}
    more = functools.partial(scores_of_pair, source=path, digits=digits, **shares)
    return data, {"gan.num_clusters": 2, **changes}, more


def _pairs(path: str) -> list[Row]:
    rows = []
    for true, (how, settings) in itertools.product(PAIR_SHARES, HOW.items()):
        changes = {"gan.weights": true, **settings}
        name = f"0, 4 at {_ratio(true)}{how}"
        rows.append((name, PAIRS, *_pair(path, ("0", "4"), true, changes)))
    return rows


def _wrong(path: str) -> list[Row]:
    rows = []
    for assumed, (how, settings) in itertools.product(ASSUMED, HOW.items()):
        changes = {"gan.weights": assumed, **settings}
        name = f"{_ratio(assumed)}{how}"
        rows.append((name, WRONG, *_pair(path, ("3", "5"), ASSUMED[0], changes)))
    return rows


def _ratio(shares: Shares) -> str:
    return ":".join(f"{100 * share:g}" for share in shares)


def scores_of_modes(outcome: Outcome, store: ArtifactStore, *, source: str) -> dict[str, Score]:
    """Fréchet distance in the classifier's features, what classes a mode's samples are of, variety.

    ``control_accuracy`` is the share of samples of the commonest class of their mode,
    ``diversity_pixels`` how different two samples of a mode are.
    """
    model: Any = outcome.model
    data, seed = outcome.data, outcome.spec.seed
    judge = classifier_of(load(DataConfig(source=source), 0), store)
    generator = torch.Generator().manual_seed(seed)
    fake = model.sample(NUM_SAMPLES, generator)
    scores = dict(compare_images(data.train, fake, [judge], seed, held_out=data.test))

    num = len(model.counts)
    each = max(2, NUM_SAMPLES // num)
    made = torch.cat([model.sample(each, generator, cluster=k) for k in range(num)])
    k = torch.arange(num).repeat_interleave(each)
    found = _classes(judge, made)
    common = found.unflatten(0, (num, each)).mode(1).values  # [K]
    share = float((found == common[k]).double().mean())
    scores["control_accuracy"] = Score.of("control_accuracy", share)
    return scores | diversity_scores(made, k, data.test, model.assign(data.test).cpu(), seed)


def scores_of_stacked(outcome: Outcome, store: ArtifactStore, *, source: str) -> dict[str, Score]:
    """The combinations of digits that 26,000 samples have, by VEEGAN's protocol."""
    judge = classifier_of(load(DataConfig(source=source), 0), store)
    generator = torch.Generator().manual_seed(outcome.spec.seed)
    return stacked_scores(outcome.model.sample(NUM_STACKED, generator), judge)


def scores_of_pair(
    outcome: Outcome,
    store: ArtifactStore,
    *,
    source: str,
    digits: tuple[str, str],
    true: Shares,
    assumed: Shares,
) -> dict[str, Score]:
    """How far the digits' shares among samples are from the data's, and whose a mode's samples are.

    Both by a classifier of all digits, of which the two are compared. Modes that were assumed to
    weigh the same are of the digits that fit better.
    """
    model: Any = outcome.model
    reference = load(DataConfig(source=source), 0)
    judge = classifier_of(reference, store)
    places = [reference.image_schema.attributes.index(digit) for digit in digits]
    generator = torch.Generator().manual_seed(outcome.spec.seed)

    found = _classes(judge, model.sample(NUM_SAMPLES, generator), places)
    shares = F.one_hot(found, 2).double().mean(0)
    name = "modes_total_variation"
    scores = {name: Score.of(name, total_variation(shares, torch.tensor(true)))}

    k = torch.arange(2).repeat_interleave(NUM_SAMPLES // 2)
    made = [model.sample(NUM_SAMPLES // 2, generator, cluster=mode) for mode in range(2)]
    right = float((_classes(judge, torch.cat(made), places) == k).double().mean())
    scores["control_accuracy"] = Score.of(
        "control_accuracy", max(right, 1 - right) if assumed[0] == assumed[1] else right
    )
    return scores


def _classes(judge: Judge, images: torch.Tensor, among: Sequence[int] | None = None) -> Any:
    """The likeliest class of each image, ``[N]``; of some classes, its place among them."""
    logits = torch.cat([judge.classify(part) for part in images.split(IMAGES_AT_ONCE)])
    return (logits if among is None else logits[:, list(among)]).argmax(1)


def render(results: Sequence[Result]) -> Pages:
    """The tables, means and deviations over seeds, the paper's values last; samples of each row."""
    tables = list(dict.fromkeys(result.cell.column for result in results))
    parts, pictures = [], {}
    for number, table in enumerate(tables):
        mine = [result for result in results if result.cell.column == table]
        parts.append(f"### {table}\n\n{_table(mine, table)}")
        first = {result.cell.row: result for result in reversed(mine)}
        names = list(dict.fromkeys(result.cell.row for result in mine))
        samples = [first[name].samples[:NUM_A_ROW] for name in names]
        samples.append(mine[0].reference[:NUM_A_ROW])
        figure = image_figures.grid(torch.cat(samples), [*names, "data"])
        pictures[f"samples_{number}.png"] = figure

    rows = [
        {"table": result.cell.column, "row": result.cell.row, **plain_values(result)}
        for result in results
    ]
    return Pages("\n\n".join(parts), rows, pictures)


def _table(results: Sequence[Result], table: str) -> str:
    source = results[0].cell.spec.data.source.lower()
    data = next((name for name in ("fashion_mnist", "mnist", "cifar10") if name in source), source)
    lines: dict[str, list[str]] = {}
    for row in dict.fromkeys(result.cell.row for result in results):
        scores = [result.scores for result in results if result.cell.row == row]
        cells = [_values(scores, prefix) for prefix in COLUMNS[table]]
        lines[row] = [mean_and_std(values, 3) for values in cells]
        lines[row].append(PUBLISHED.get((table, data, row), "-"))
    return markdown_table(["", *COLUMNS[table].values(), "paper"], lines)


def _values(results: Sequence[Mapping[str, Score]], prefix: str) -> list[float]:
    """Each result's score of that name, whatever number of images follows it, where it has one."""
    values = []
    for scores in results:
        names = [name for name in scores if f"{name}_".startswith(f"{prefix}_")]
        values += [scores[name].value for name in names[:1]]
    return values
