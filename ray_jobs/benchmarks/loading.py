"""From JPEG files into a training step: decoding, and the share of a step that fetching takes."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from PIL import Image

from ray_jobs.benchmarks.showing import show
from scgan.config import override
from scgan.contract import Inputs
from scgan.data.dataset import DataConfig
from scgan.data.images.schema import to_float
from scgan.pipeline.run import prepare
from scgan.pipeline.spec import Spec
from scgan.stages.images.generate import GeneratorTraining
from scgan.systems.eigengan import SYSTEM
from scgan.training.runtime import Runtime

JPEG_SIZE = (218, 178)  # of the files, as CelebA's
QUALITY = 90
WARM_UP = 5


def write_folder(folder: Path, num: int, seed: int = 0) -> None:
    """Write JPEG files of random patches of colour.

    Args:
        folder: Made where it is missing.
        num: How many.
        seed: Of the colours.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for number in range(num):
        patches = Image.fromarray(rng.integers(0, 256, size=(16, 16, 3), dtype=np.uint8))
        patches.resize(JPEG_SIZE, Image.Resampling.BICUBIC).save(
            folder / f"{number:06d}.jpg", quality=QUALITY
        )


def loading(folder: Path, size: int, batch_size: int, steps: int) -> dict[str, Any]:
    """Decode a folder, and train EigenGAN, whose step is the shortest, on it.

    Args:
        folder: Of image files.
        size: Pixels a side that they are decoded to.
        batch_size: Images a step.
        steps: Steps that are timed.

    Returns:
        Images decoded a second; seconds a step, and of them those in which the batch is fetched and
        made floats, each waited for: an upper bound, as training does not wait for the copy. And
        the share.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu":
        torch.set_num_threads(1)

    # Encoder and attributes are not trained here, however few the images.
    unused = {"encoder.backbone": "resnet18", "attributes.num_clusters": 2}
    config = override(SYSTEM.presets["default"], unused)
    start = time.perf_counter()
    data = prepare(Spec(SYSTEM.name, DataConfig(source=str(folder), image_size=size), config))
    decoding = time.perf_counter() - start

    c = config.generator.model_copy(update={"batch_size": batch_size})
    runtime = Runtime(device)
    training = GeneratorTraining(c, None, Inputs(data, {}, 0), runtime)

    def fetch() -> None:
        rows = torch.randint(len(training.images), (batch_size,), generator=training.batches)
        to_float(runtime.copy(training.images[rows]))

    step_seconds = _seconds(training.step, steps, device)
    fetch_seconds = _seconds(fetch, steps, device)
    return {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "decoded_a_second": (len(data.train) + len(data.test)) / decoding,
        "step_seconds": step_seconds,
        "fetch_seconds": fetch_seconds,
        "share": fetch_seconds / step_seconds,
    }


@click.command("loading")
@click.option("--images", default=5_000, show_default=True, help="JPEG files, written first.")
@click.option("--size", default=64, show_default=True, help="Pixels a side, decoded.")
@click.option("--batch-size", default=64, show_default=True, help="Images a step.")
@click.option("--steps", default=30, show_default=True, help="Steps that are timed.")
def command(images: int, size: int, batch_size: int, steps: int) -> None:
    """JPEG files decoded a second, and the share of EigenGAN's step that fetching takes."""
    with tempfile.TemporaryDirectory() as folder:
        write_folder(Path(folder), images)
        show(**loading(Path(folder), size, batch_size, steps))


def _seconds(call: Callable[[], object], times: int, device: torch.device) -> float:
    """Seconds a call, each waited for, after a few that are not counted."""
    for number in range(WARM_UP + times):
        if number == WARM_UP:
            start = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    return (time.perf_counter() - start) / times
