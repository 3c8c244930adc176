"""A classifier of labelled images, trained once and kept in the store, to measure images by."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from scgan.contract import Inputs
from scgan.data.dataset import Dataset
from scgan.stages.images.judge import Judge, JudgeSettings, fit_judge, load_judge
from scgan.store.artifacts import ArtifactStore, digest
from scgan.training.runtime import Runtime

SETTINGS = JudgeSettings()
VERSION = 1  # of the training; raise it when the same images come to give another classifier


def classifier_of(data: Dataset, store: ArtifactStore, seed: int = 0) -> Judge:
    """The classifier of some images' classes: from the store, or trained here and stored.

    Args:
        data: Images with one class each.
        store: Where it lies, or is put.
        seed: Of its training.

    Raises:
        ValueError: For a table, or images without one class each.
    """
    labels = data.train_labels
    if data.kind != "images" or data.image_schema.labels != "one" or labels is None:
        raise ValueError(f"{data.name} has no images with one class each to learn a classifier of")

    provenance = {
        "stage": "classifier",
        "version": VERSION,
        "config": SETTINGS.model_dump(mode="json"),
        "data": data.fingerprint,
        "seed": seed,
    }

    key = f"classifier-{digest(provenance)[:24]}"
    artifact = store.load(key)
    if artifact is None:
        y = F.one_hot(torch.from_numpy(labels), len(data.image_schema.attributes)).float()
        artifact = fit_judge(SETTINGS, y, "one", Inputs(data, {}, seed), Runtime())
        store.save(key, artifact, provenance)
    return load_judge(artifact)
