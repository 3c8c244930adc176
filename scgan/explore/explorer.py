"""What the page of ``scgan explore`` shows of a run, whatever draws the page."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scgan.capabilities import Clustering, Option, Reading, choose, cluster_probabilities
from scgan.data.dataset import Dataset
from scgan.data.images.decoding import Encoded, decode
from scgan.data.images.schema import ImageSchema
from scgan.data.images.writing import Sampled, png, tiled
from scgan.explore.picture import Picture
from scgan.metrics.default_scores import extractors_of
from scgan.metrics.image_scores import PIXELS
from scgan.metrics.images import features
from scgan.pipeline.sampling import sample_images, sample_rows
from scgan.pipeline.stored import USUAL, StoredRun, open_run
from scgan.store.artifacts import ArtifactStore

SHOWN_SIDE = 640  # pixels that a grid is enlarged to, about
POOL = 400  # samples among which the nearest to a real image are looked for
NUM_REAL = 5000  # rows of data below the samples


@dataclass(frozen=True)
class View:
    """What is asked for on the page.

    Attributes:
        num: How many samples.
        seed: The same seed draws the same samples.
        given: A model's options that are chosen, by name, as the command takes them.
    """

    num: int
    seed: int
    given: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, eq=False)
class Found:
    """What a model finds of a real image.

    Attributes:
        image: As the model sees it, uint8 ``[H, W]`` or ``[H, W, 3]``.
        degrees: How much of each attribute it has, or the probability of each cluster, by name;
            empty for a model that reads neither.
        nearest: Samples, nearest first, uint8 ``[k, H, W]`` or ``[k, H, W, 3]``.
        places: Of these among the samples that were drawn.
    """

    image: np.ndarray
    degrees: Mapping[str, float]
    nearest: np.ndarray
    places: tuple[int, ...]


class Explorer:
    """A stored run, to be drawn from by hand.

    Args:
        stored: The run.
        store_url: Where it lies, as the command names it.
    """

    def __init__(self, stored: StoredRun, store_url: str) -> None:
        self.stored, self.store_url = stored, store_url
        self.options: tuple[Option, ...] = tuple(stored.model.options)
        self._pool: tuple[View, Sampled] | None = None
        self._picture: Picture | None = None

    @property
    def takes_images(self) -> bool:
        """Whether it looks at real images, too."""
        return self.stored.kind == "images"

    def command(self, view: View) -> str:
        """What a person would type to draw a view's samples again."""
        words = ["scgan", "sample", self.stored.spec.run_id, "--store", self.store_url]
        words += ["--num", str(view.num), "--seed", str(view.seed)]
        for name, text in view.given:
            words += [f"--{name}", text]
        return shlex.join([*words, "--out", USUAL[self.stored.kind][1]])

    def images(self, view: View) -> Sampled:
        """A view's images.

        Raises:
            ValueError: In one line, for choices that the model does not allow.
        """
        chosen = choose(self.stored.model, dict(view.given))
        return sample_images(self.stored, view.num, view.seed, chosen)

    def grid(self, view: View) -> tuple[bytes, bytes]:
        """A view's images as the command writes them, a PNG file, and enlarged to be looked at."""
        pixels = tiled(self.images(view).images)
        return png(pixels), enlarged(pixels)

    def rows(self, view: View) -> dict[str, np.ndarray]:
        """A view's rows, in the units of the data, as columns."""
        chosen = choose(self.stored.model, dict(view.given))
        return sample_rows(self.stored, view.num, view.seed, chosen)

    @functools.cached_property
    def data(self) -> Dataset | None:
        """What the run was trained on; None where it can't be read any more."""
        try:
            return self.stored.outcome().data
        except (ValueError, OSError):
            return None

    @functools.cached_property
    def real_rows(self) -> dict[str, np.ndarray]:
        """Some held-out rows, in the units of the data; no columns where there are none."""
        data = self.data
        return {} if data is None else data.table_schema.decode(data.test[:NUM_REAL])

    def picture(self, rows: dict[str, np.ndarray], across: str, up: str) -> bytes:
        """Samples over held-out rows in two columns, a PNG file."""
        if self._picture is None or (self._picture.across, self._picture.up) != (across, up):
            self._picture = Picture(self.real_rows, across, up)
        return self._picture.png(rows)

    def find(self, content: bytes, view: View, num: int = 8) -> Found:
        """Read a real image's attributes and find the samples nearest to it.

        Args:
            content: The image, a file's bytes.
            view: Whose choices and seed the samples are drawn by, :data:`POOL` of them.
            num: How many samples.

        Returns:
            What is found. Distances are of the features of the model's first network, or of coarse
            pixels.

        Raises:
            ValueError: In one line, if the image can't be read, or as :meth:`images`.
        """
        schema = self.stored.schema
        assert isinstance(schema, ImageSchema)
        pixels, bad = decode([Encoded("the image", content)], schema.size, schema.channels, 255)
        if bad:
            raise ValueError(f"the image can't be read: {bad[0]}")

        x, pool = torch.from_numpy(pixels), self._drawn(View(POOL, view.seed, view.given))
        extractor = [*extractors_of(self.stored.model), PIXELS][0]
        h, h_pool = features(extractor, x), features(extractor, schema.encode(pool.images))
        places = torch.cdist(h, h_pool)[0].argsort()[:num]

        image = pixels[0, 0] if schema.channels == 1 else pixels[0].transpose(1, 2, 0)
        return Found(image, self._degrees(x), pool.images[places.numpy()], tuple(places.tolist()))

    def _drawn(self, view: View) -> Sampled:
        """A view's images, those of the last one kept."""
        if self._pool is None or self._pool[0] != view:
            self._pool = (view, self.images(view))
        return self._pool[1]

    def _degrees(self, x: Tensor) -> dict[str, float]:
        model: Any = self.stored.model
        if isinstance(model, Reading):
            names, found = model.attributes.names, model.degrees(x)[0].tolist()
        elif isinstance(model, Clustering):
            found = cluster_probabilities(model, x)[0].tolist()
            names = tuple(f"cluster {k}" for k in range(len(found)))
        else:
            return {}
        return dict(zip(names, found, strict=True))


def enlarged(pixels: np.ndarray) -> bytes:
    """An image, uint8 ``[H, W]`` or ``[H, W, 3]``, its pixels as squares, as a PNG file."""
    times = max(1, SHOWN_SIDE // max(pixels.shape[:2]))
    return png(pixels.repeat(times, 0).repeat(times, 1), compress_level=1)


@functools.lru_cache(maxsize=1)
def opened(run: str, store_url: str) -> Explorer:
    """Open a run once in a process.

    Raises:
        ValueError: As :func:`scgan.pipeline.stored.open_run`.
    """
    return Explorer(open_run(run, ArtifactStore(store_url, write=False)), store_url)
