"""Stage: the attributes, and the linear classifier that reads them off the encoder's features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from scgan.clustering.in_memory import fit_clusters, nearest_centre, soft_clusters
from scgan.config import suggest
from scgan.contract import Inputs, Units
from scgan.data.dataset import Dataset
from scgan.data.images.schema import ImageSchema
from scgan.data.split import check_classes
from scgan.losses.classification import AttributeKind, attribute_loss, mean_attribute_loss
from scgan.nn.mlp import initialise
from scgan.stages.images.encode import load_image_encoder
from scgan.store.artifacts import Artifact
from scgan.training.loop import adam, descend, train
from scgan.training.runtime import Runtime
from scgan.training.settings import BatchSize, LearningRate, NumSamples, Schedule, TrainingSettings
from scgan.training.state import TrainState, named_weights

AttributeLaw = Literal["frequency", "uniform"]
SpaceName = Literal["features", "projections", "raw_features"]


class AttributeSettings(TrainingSettings):
    """Stage 2."""

    source: Literal["inner", "external"] = Field(
        "inner", description="clusters of the features, or the data's labels"
    )
    num_clusters: int = Field(
        50,
        ge=2,
        le=10_000,
        description="inner attributes: so many that within each not much varies; 3 in the paper",
    )
    space: SpaceName = Field(
        "raw_features",
        description="what K-means clusters: features h or projections u, both normalised, or "
        "raw_features, h as they are, whose lengths tell images apart, too",
    )
    num_starts: int = Field(
        5, ge=1, le=1000, description="starts of K-means, of which the best is kept"
    )
    max_iter: int = Field(300, ge=1, description="rounds of each start at most")
    mini_batch_above: int = Field(
        200_000, ge=1, description="images above which K-means works in mini-batches"
    )
    batch_size: BatchSize = Field(256, description="features a step of the linear classifier")
    num_samples: NumSamples = Field(600_000, description="features seen by it")
    learning_rate: LearningRate = 3e-3
    weight_decay: float = Field(1e-6, ge=0, description="of Adam, on the classifier's weights")
    schedule: Schedule = "cosine"


@dataclass(frozen=True)
class Attributes:
    """Attributes as the later stages read them.

    Args:
        kind: One an image, or many.
        names: Of the attributes, A in all.
        y: Of each training image, ``[N]`` numbers where it has one, else ``[N, A]`` of 0 and 1.
        combinations: Those that occur, ``[M, A]``.
        counts: Training images of each, ``[M]``.
        classifier: From features h ``[B, F]`` to logits ``[B, A]``.
        centres: Of the clusters of inner attributes, ``[A, d]``, else None.
        space: What the centres lie in.
        real_loss: What the classifier's loss of training images is, by attribute: ``[A]``, or with
            many an image ``[2, A]``, in nats.
        spread: Of these clusters, root mean square distance to the centre, ``[A]``, else None.
    """

    kind: AttributeKind
    names: tuple[str, ...]
    y: Tensor
    combinations: Tensor
    counts: Tensor
    classifier: nn.Linear
    centres: Tensor | None
    space: str
    real_loss: Tensor
    spread: Tensor | None = None

    def rows(self, y: Tensor) -> Tensor:
        """Attributes as floats ``[B, A]``, one-hot where there is one an image."""
        return F.one_hot(y, len(self.names)).float() if self.kind == "one" else y.float()

    def sample(
        self,
        num: int,
        generator: torch.Generator,
        attribute: str | None = None,
        law: AttributeLaw = "frequency",
    ) -> Tensor:
        """Draw attributes ``[num, A]`` of those combinations that training images have.

        Args:
            num: How many.
            generator: Draws them.
            attribute: Only among the images that have this one; None among all.
            law: Combinations by their frequency, or each alike.

        Raises:
            ValueError: If there is no such attribute.
        """
        weights = self.counts.double() if law == "frequency" else torch.ones(len(self.counts))
        if attribute is not None:
            if attribute not in self.names:
                raise ValueError(f"unknown attribute {attribute!r}{suggest(attribute, self.names)}")

            weights = weights * (self.combinations[:, self.names.index(attribute)] > 0)

        rows = torch.multinomial(
            weights.to(generator.device), num, replacement=True, generator=generator
        )
        return self.combinations.to(generator.device)[rows].float()

    def of_images(self, h: Tensor, u: Tensor, labels: Tensor | None) -> Tensor:
        """Attributes of other images: the nearest centre's, or their labels."""
        if self.centres is None:
            assert labels is not None
            return labels
        return nearest_centre(_space(self.space, h, u), self.centres)

    def probabilities(self, h: Tensor, u: Tensor) -> Tensor:
        """Of each inner attribute given an image's features, ``[N, A]``."""
        assert self.centres is not None and self.spread is not None
        return soft_clusters(_space(self.space, h, u), self.centres, self.counted, self.spread)

    @property
    def counted(self) -> Tensor:
        """Training images of each attribute, ``[A]``."""
        return self.counts @ self.combinations.long()


def attributes(config: Any, units: Units, inputs: Inputs, runtime: Runtime) -> Artifact:
    """Stage 2: take the attributes from labels or clusters, fit a linear classifier of features.

    Source: [INFOSCC-GAN] Eq. (3), Sec. 3.2 and 3.4.
    """
    c: AttributeSettings = config.attributes
    encoder = load_image_encoder(config.encoder, inputs.artifacts["encode"]).to(runtime.device)
    h, u = encoder.embed(inputs.data.train)
    kind: AttributeKind = "one"
    found: dict[str, Tensor] = {}

    if c.source == "external":
        # The system's check has seen that there are labels.
        labels, schema = inputs.data.train_labels, inputs.data.schema
        assert labels is not None and isinstance(schema, ImageSchema)
        y, names = torch.from_numpy(labels).long(), schema.attributes
        kind = "one" if y.ndim == 1 else "many"
    else:
        start = inputs.generator("attributes", "start")
        clusters = fit_clusters(
            _space(c.space, h, u).to(runtime.device),
            c.num_clusters,
            min_rows=2,
            max_iter=c.max_iter,
            mini_batch_above=c.mini_batch_above,
            seed=int(torch.randint(2**31, (), generator=start)),
            num_starts=c.num_starts,
        )

        y, names = clusters.k, tuple(f"cluster {k}" for k in range(len(clusters.counts)))
        found |= {"centres": clusters.centres, "spread": clusters.spread}

    one_hot = F.one_hot(y, len(names)) if kind == "one" else y
    combinations, counts = torch.unique(one_hot, dim=0, return_counts=True)
    classifier, curve = _fit_classifier(c, h, one_hot.float(), kind, inputs, runtime)
    with torch.no_grad():
        logits = classifier(h.to(runtime.device)).cpu()
    found["real_loss"] = mean_attribute_loss(logits, one_hot.float(), kind)
    tensors = {"y": y, "combinations": combinations.to(torch.uint8), "counts": counts, **found}
    tensors |= named_weights("classifier", classifier)

    meta = {
        "kind": kind,
        "names": list(names),
        "space": c.space,
        "curve": curve,
        "agreement": _agreement(logits, one_hot, kind),
    }

    return Artifact(tensors, meta)


def load_attributes(artifact: Artifact) -> Attributes:
    """The attributes, their classifier frozen."""
    t, meta = artifact.tensors, artifact.meta
    weight = t["classifier.weight"]
    classifier = nn.Linear(weight.shape[1], weight.shape[0])
    classifier.load_state_dict(artifact.section("classifier"))

    return Attributes(
        meta["kind"],
        tuple(meta["names"]),
        t["y"],
        t["combinations"],
        t["counts"],
        classifier.eval().requires_grad_(False),
        t.get("centres"),
        meta["space"],
        t["real_loss"],
        t.get("spread"),
    )


def _space(name: str, h: Tensor, u: Tensor) -> Tensor:
    if name == "raw_features":
        return h
    return F.normalize(u if name == "projections" else h, dim=1)


def _fit_classifier(
    c: AttributeSettings,
    h: Tensor,
    y: Tensor,
    kind: AttributeKind,
    inputs: Inputs,
    runtime: Runtime,
) -> tuple[nn.Linear, list[dict[str, float]]]:
    """A linear layer from features to attributes, and its curve."""
    h, y = h.to(runtime.device), y.to(runtime.device)
    classifier = nn.Linear(h.shape[1], y.shape[1])
    initialise(classifier, inputs.generator("attributes", "weights"))
    classifier.to(runtime.device)
    generator = inputs.generator("attributes", "batches", runtime.device)
    optimizer = adam(classifier, c.learning_rate, weight_decay=c.weight_decay)

    def step() -> Mapping[str, Tensor]:
        rows = torch.randint(len(h), (c.batch_size,), generator=generator, device=runtime.device)
        loss = attribute_loss(classifier(h[rows]), y[rows], kind)
        descend(optimizer, loss)
        return {"classification": loss}

    state = TrainState(
        {"classifier": classifier}, {"classifier": optimizer}, {"batches": generator}
    )
    return classifier, train(state, step, c, name="attributes", runtime=runtime)


def _agreement(logits: Tensor, y: Tensor, kind: AttributeKind) -> float:
    """Share of attributes that the classifier reads off the training images as they are."""
    if kind == "one":
        return float((logits.argmax(1) == y.argmax(1)).float().mean())
    return float(((logits > 0) == y.bool()).float().mean())


def check_attributes(c: AttributeSettings, data: Dataset) -> None:
    """Refuse attributes that this data doesn't have.

    Raises:
        ValueError: For such settings.
    """
    if c.source == "external" and data.train_labels is None:
        raise ValueError(
            f"attributes.source is external, but {data.name} has no labels; choose inner"
        )

    if c.source == "external":
        check_classes(data)

    if c.source == "inner" and c.num_clusters > len(data.train):
        raise ValueError(
            f"attributes.num_clusters is {c.num_clusters}, but there are only "
            f"{len(data.train)} training images"
        )
