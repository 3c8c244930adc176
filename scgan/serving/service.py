"""What a served model answers, many requests at once: samples, codes, clusters, scores.

Requests that arrive together are drawn, encoded or clustered together, as one call of the model
costs nearly the same for one row as for a hundred.
"""

from __future__ import annotations

import json
import secrets
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from scgan.capabilities import Clustering, Encoding, choose, cluster_probabilities
from scgan.data.images.schema import as_floats
from scgan.data.tables.schema import Schema
from scgan.data.tables.values import Meanings
from scgan.metrics.scores import NUM_ROWS_MIN, compare_rows
from scgan.tracking.model import TrainedSystem

Kind = Literal["sample", "encode", "cluster", "evaluate"]
Columns = Mapping[str, np.ndarray]
"""Name to values ``[N]``, or ``[N, ...]`` of codes and images."""

MAX_EVALUATED = 20_000  # rows that are compared with as many samples
ROWS_AT_ONCE = 8192


@dataclass(frozen=True, eq=False)
class Asked:
    """A request, checked.

    Attributes:
        kind: What is wanted.
        num: Samples to draw.
        seed: Of them; None draws others each time.
        options: What the model lets choose, as JSON: requests with the same go together.
        x: Rows ``[N, D]``, standardised, or images ``[N, C, H, W]`` in [-1, 1].
    """

    kind: Kind
    num: int = 0
    seed: int | None = None
    options: str = "{}"
    x: Tensor | None = None


@dataclass
class Counts:
    """What was answered since the service began, for its metrics."""

    requests: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    rows: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    calls: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def text(self) -> str:
        """In the text format of Prometheus."""
        lines = []
        for name, of_kind in vars(self).items():
            lines.append(f"# TYPE scgan_{name}_total counter")
            lines += [f'scgan_{name}_total{{kind="{k}"}} {v:g}' for k, v in of_kind.items()]
        return "\n".join(lines) + "\n"


class Service:
    """A trained system that answers requests.

    Args:
        system: The system.
        max_rows: Of a request; by default 1,000,000 rows or 10,000 images.
    """

    def __init__(self, system: TrainedSystem, max_rows: int | None = None) -> None:
        self.system, self.model, self.schema = system, system.model, system.schema
        self.max_rows = max_rows or system.most_served
        self.counts = Counts()

    @property
    def is_table(self) -> bool:
        """Whether its data is a table, not images."""
        return isinstance(self.schema, Schema)

    @property
    def meanings(self) -> Meanings:
        """What its columns are beyond numpy's types."""
        return self.schema.meanings if isinstance(self.schema, Schema) else {}

    def ask_samples(
        self, num: Any, seed: Any = None, options: Mapping[str, Any] | None = None
    ) -> Asked:
        """Check a request for samples.

        Raises:
            ValueError: In one line, for what is not allowed.
        """
        if not _is_whole(num) or not 1 <= num <= self.max_rows:
            raise ValueError(f"num is {num!r}, but must be a whole number, 1 to {self.max_rows:,}")
        if seed is not None and (not _is_whole(seed) or not 0 <= seed < 2**63):
            raise ValueError(
                f"seed is {seed!r}, but must be a whole number, 0 to 2^63 - 1, or none"
            )

        options = dict(options or {})
        choose(self.model, options)
        return Asked("sample", num, seed, json.dumps(options, sort_keys=True))

    def ask(self, kind: Kind, columns: Columns) -> Asked:
        """Check a request about rows or images.

        Args:
            kind: What is wanted of them.
            columns: Rows in the user's units by column; images as ``image``, uint8
                ``[N, H, W]`` or ``[N, H, W, 3]``.

        Raises:
            ValueError: In one line, for what is not allowed, or what this model can't do.
        """
        able = {"encode": Encoding, "cluster": Clustering}
        if kind in able and not isinstance(self.model, able[kind]):
            raise ValueError(f"a model of {self.system.spec.system} can't {kind}")

        lengths = {len(values) for values in columns.values()}
        if len(lengths) != 1:
            raise ValueError("rows are columns of one length, a name each; got none, or several")
        (num,) = lengths
        most, least = self.max_rows, 1
        if kind == "evaluate":
            most, least = MAX_EVALUATED, 4 * NUM_ROWS_MIN
            if not self.is_table:
                raise ValueError("images are scored with `scgan evaluate`, by a network's features")
        if not least <= num <= most:
            raise ValueError(f"{num:,} rows were given, but must be {least:,} to {most:,}")

        return Asked(kind, x=self._standardised(columns))

    def _standardised(self, columns: Columns) -> Tensor:
        if isinstance(self.schema, Schema):
            return self.schema.encode(columns)

        if "image" not in columns:
            raise ValueError("images are given as a column `image`, [N, H, W] or [N, H, W, 3]")
        images = np.asarray(columns["image"])
        if images.dtype.kind in "iu" and images.size and 0 <= images.min() <= images.max() <= 255:
            images = images.astype(np.uint8)  # of JSON, which has no such type
        return as_floats(self.schema.encode(images))

    def run(self, asked: Sequence[Asked]) -> list[Columns]:
        """Answer requests, those that can go together in one call of the model.

        Returns:
            The columns of each: of samples the data's own, or ``image``; ``code`` ``[N, d]``;
            ``cluster`` and ``probability``; ``metric``, ``value`` and ``floor``.
        """
        answers: dict[int, Columns] = {}
        for places in self._groups(asked):
            start = time.perf_counter()
            together = [asked[place] for place in places]
            columns, sizes = self._answer(together)
            answers |= zip(places, _split(columns, sizes), strict=True)
            self._count(together[0].kind, len(places), sum(sizes), time.perf_counter() - start)

        return [answers[place] for place in range(len(asked))]

    def _groups(self, asked: Sequence[Asked]) -> list[list[int]]:
        """Places of requests that are answered together, no more rows than one may ask for."""
        groups: dict[Any, list[int]] = defaultdict(list)
        rows: dict[Any, int] = defaultdict(int)
        for place, one in enumerate(asked):
            alone = place if one.seed is not None or one.kind == "evaluate" else -1
            alike = one.kind, one.options, alone
            rows[alike] += one.num if one.x is None else len(one.x)
            groups[*alike, (rows[alike] - 1) // self.max_rows].append(place)
        return list(groups.values())

    def _count(self, kind: str, requests: int, rows: int, seconds: float) -> None:
        added = {"requests": requests, "rows": rows, "calls": 1, "seconds": seconds}
        for name, number in added.items():
            getattr(self.counts, name)[kind] += number

    def _answer(self, together: Sequence[Asked]) -> tuple[Columns, list[int]]:
        """The columns of requests that are alike, one after another, and the rows of each."""
        first = together[0]
        if first.kind == "sample":
            sizes = [one.num for one in together]
            return self._samples(sum(sizes), first.seed, json.loads(first.options)), sizes

        parts = [one.x for one in together if one.x is not None]
        x = torch.cat(parts)
        if first.kind == "evaluate":
            scores = self._scores(x)
            return scores, [len(scores["metric"])]

        answer = self._codes if first.kind == "encode" else self._clusters
        return answer(x), [len(part) for part in parts]

    def _samples(self, num: int, seed: int | None, options: Mapping[str, Any]) -> Columns:
        x = self._drawn(num, seed, options)
        if isinstance(self.schema, Schema):
            return self.schema.decode(x)
        return {"image": self.schema.decode(x)}

    def _drawn(self, num: int, seed: int | None, options: Mapping[str, Any]) -> Tensor:
        seed = secrets.randbits(63) if seed is None else seed
        generator = torch.Generator(self.model.device).manual_seed(seed)
        with torch.no_grad():
            return self.model.sample(num, generator, **choose(self.model, options)).cpu()

    @torch.no_grad()
    def _codes(self, x: Tensor) -> Columns:
        parts = [self.model.encode(rows).cpu() for rows in x.split(ROWS_AT_ONCE)]  # type: ignore[attr-defined]
        return {"code": torch.cat(parts).numpy()}

    @torch.no_grad()
    def _clusters(self, x: Tensor) -> Columns:
        model: Any = self.model
        parts = [
            (model.assign(rows), cluster_probabilities(model, rows))
            for rows in x.split(ROWS_AT_ONCE)
        ]
        k, p = (torch.cat(part).cpu() for part in zip(*parts, strict=True))
        return {"cluster": k.numpy(), "probability": p.gather(1, k[:, None])[:, 0].numpy()}

    def _scores(self, x: Tensor) -> Columns:
        """Samples against given rows, half of which stand for the support."""
        x = x[torch.randperm(len(x), generator=torch.Generator().manual_seed(0))]
        test, support = x.split((len(x) + 1) // 2)
        samples = self._drawn(len(test), 0, {})
        places = self.schema.categorical if isinstance(self.schema, Schema) else ()
        scores = dict(compare_rows(samples, test, support, seed=0, categorical=places))
        floors = [np.nan if score.floor is None else score.floor for score in scores.values()]
        return {
            "metric": np.array(list(scores)),
            "value": np.array([score.value for score in scores.values()]),
            "floor": np.array(floors),
        }


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _split(columns: Columns, sizes: Iterable[int]) -> list[Columns]:
    """Columns in parts of these sizes."""
    parts: list[Columns] = []
    start = 0
    for size in sizes:
        rows = slice(start, start + size)
        parts.append({name: values[rows] for name, values in columns.items()})
        start += size
    return parts
