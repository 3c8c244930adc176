"""What the three encoders of images find: NMI of their clusters, accuracy of a linear probe."""

from __future__ import annotations

import time
from typing import Any, get_args

import click
import torch
import torch.nn.functional as F

from ray_jobs.benchmarks.showing import show
from scgan.clustering.in_memory import fit_clusters, nearest_centre
from scgan.config import override, shortened
from scgan.contract import Inputs
from scgan.data.dataset import DataConfig
from scgan.metrics.clustering import normalized_mutual_information
from scgan.pipeline.run import prepare
from scgan.pipeline.spec import Spec
from scgan.stages.images.attributes import attributes, load_attributes
from scgan.stages.images.encode import encode_images, load_image_encoder
from scgan.stages.images.encoder_settings import SiameseName
from scgan.systems.infoscc_gan import SYSTEM
from scgan.training.runtime import Runtime

NUM_STARTS = 5  # of K-means


def encoders(source: str, name: SiameseName, seed: int, budget: float) -> dict[str, Any]:
    """Train one encoder on images with classes, and look at its features of held-out ones.

    Args:
        source: The images.
        name: What trains the encoder.
        seed: Of everything random.
        budget: Length of the trainings, in multiples of the default preset's.

    Returns:
        ``nmi`` of classes and K-means of as many clusters, centres fitted on the training images;
        ``probe``, the share of held-out images that a linear classifier of the features reads;
        seconds of the encoder's training.

    Raises:
        ValueError: If the images have no classes.
    """
    changes = {"encoder.contrastive": name, "attributes.source": "external"}
    config = override(shortened(SYSTEM.presets["default"], budget), changes)
    data = prepare(Spec(SYSTEM.name, DataConfig(source=source), config, seed))
    labels = data.test_labels
    if labels is None or labels.ndim != 1:
        raise ValueError(f"the encoders are compared by classes, which {source} has none of")

    # Encoder and linear probe are the stages of InfoSCC-GAN, with the classes as attributes.
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    runtime, start = Runtime(device), time.perf_counter()
    encoded = encode_images(config, ("all",), Inputs(data, {}, seed), runtime)
    seconds = time.perf_counter() - start
    inputs = Inputs(data, {"encode": encoded}, seed)
    found = load_attributes(attributes(config, ("all",), inputs, runtime))

    encoder = load_image_encoder(config.encoder, encoded).to(device)
    h, held_out = (encoder.embed(images)[0] for images in (data.train, data.test))
    c = config.attributes
    clusters = fit_clusters(
        F.normalize(h, dim=1),
        len(found.names),
        min_rows=2,
        max_iter=c.max_iter,
        mini_batch_above=c.mini_batch_above,
        seed=seed,
        num_starts=NUM_STARTS,
    )

    y = torch.from_numpy(labels).long()
    k = nearest_centre(F.normalize(held_out, dim=1), clusters.centres)
    read = found.classifier(held_out).argmax(1)
    return {
        "contrastive": name,
        "seed": seed,
        "nmi": normalized_mutual_information(y, k),
        "probe": float((read == y).double().mean()),
        "seconds": seconds,
    }


@click.command("encoders")
@click.option("--data", "source", default="digits", show_default=True, help="Images with classes.")
@click.option("--seeds", default=1, show_default=True, help="How many, from 0.")
@click.option("--budget", default=1.0, show_default=True, help="Length, of the default preset's.")
def command(source: str, seeds: int, budget: float) -> None:
    """NMI and probe accuracy of SimCLR, BYOL and Barlow Twins on the same images."""
    for seed in range(seeds):
        for name in get_args(SiameseName):
            show(**encoders(source, name, seed, budget))
