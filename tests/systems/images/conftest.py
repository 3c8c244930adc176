"""Models of images made of networks of the tests' own, whose generator tells what it is asked."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from scgan.config import override
from scgan.data.images.schema import ImageSchema
from scgan.nn.eigengan import ImageGenerator
from scgan.stages.images import encode, generate
from scgan.stages.images.judge import Judge
from scgan.store.artifacts import Artifact
from scgan.systems import eigengan, infoscc_gan
from scgan.training.state import named_weights

NAMES, SIZE = ("red", "green", "blue"), 40
SMALL = {
    "generator.code_dim": 4,
    "generator.width": 4,
    "generator.max_width": 16,
    "generator.noise_dim": 2,
    "encoder.projection_dim": 8,
    "evaluation.num_images": 100,
}
META = {"channels": 1, "size": 28, "num_attributes": 3}


def lively(network, seed):
    """Batch statistics as of some training: features that differ from image to image."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in network.named_buffers():
        if name.endswith("running_mean"):
            tensor.copy_(0.05 * torch.randn(tensor.shape, generator=generator))
        if name.endswith("running_var"):
            tensor.copy_(0.01 + 0.03 * torch.rand(tensor.shape, generator=generator))
    return network


def artifacts_of(c, kind, centres, num_attributes):
    random = torch.Generator().manual_seed(5)
    encoder = lively(encode.build_image_encoder(c.encoder, 1, 28, random), 1)
    judge = lively(Judge(1, 28, 3, random), 2)
    network = generate.build_generator(c.generator, 1, 28, num_attributes, random)
    combinations = torch.eye(3, dtype=torch.uint8)
    if kind == "many":
        combinations = torch.tensor([[1, 1, 0], [0, 0, 0], [0, 1, 1]], dtype=torch.uint8)
    found = {
        "y": torch.zeros(1),
        "combinations": combinations,
        "counts": torch.tensor([60, 30, 10]),
        "classifier.weight": torch.randn(3, encoder.num_features, generator=random),
        "classifier.bias": torch.randn(3, generator=random),
        "real_loss": torch.zeros(3),
    }
    if centres:
        h, _ = encoder.eval().embed(data_of().test[:3])
        found["centres"] = torch.nn.functional.normalize(h)
        found["spread"] = torch.tensor([0.1, 0.2, 0.3])
    meta = {"kind": kind, "names": list(NAMES), "space": "features"}
    return {
        "encode": Artifact(named_weights("encoder", encoder), META),
        "attributes": Artifact(found, meta),
        "judge": Artifact(named_weights("judge", judge), META),
        "generate": Artifact(
            named_weights("generator", network), META | {"num_attributes": num_attributes}
        ),
    }


class Telling(ImageGenerator):
    """Keeps what it was asked for, and what it made of it."""

    def forward(self, eps, z, y=None):
        made = super().forward(eps, z, y)
        self.__dict__.setdefault("calls", []).append((eps, z, y, made))
        return made


def model_of(kind="one", centres=False):
    c = override(infoscc_gan.SYSTEM.presets["default"], SMALL)
    parts = artifacts_of(c, kind, centres, 3)
    model = infoscc_gan.SYSTEM.model(c, parts, torch.device("cpu"))
    model.generator.__class__ = Telling
    return model


def unconditional():
    c = override(eigengan.SYSTEM.presets["default"], SMALL)
    model = eigengan.SYSTEM.model(c, artifacts_of(c, "one", False, 0), torch.device("cpu"))
    model.generator.__class__ = Telling
    return model


def data_of(kind="one"):
    random = torch.Generator().manual_seed(9)
    level = torch.rand(2 * SIZE, 1, 1, 1, generator=random)
    noise = torch.rand(2 * SIZE, 1, 28, 28, generator=random)
    train, test = (255 * (level + noise) / 2).to(torch.uint8).split(SIZE)
    labels = torch.randint(3, (SIZE,), generator=random)
    if kind == "many":
        labels = torch.stack([labels == 0, labels != 2, labels < 0], 1).long()
        labels[3:6, 2] = 1
    return SimpleNamespace(
        train=train,
        test=test,
        train_labels=labels.numpy(),
        test_labels=labels.numpy(),
        schema=ImageSchema(1, 28, NAMES, kind),
        image_schema=ImageSchema(1, 28, NAMES, kind),
        kind="images",
        name="noise",
    )


def asked(model):
    """All that the generator was given: eps, z and y, and what it made."""
    return [torch.cat([call[i] for call in model.generator.calls]) for i in range(4)]


def floats(images):
    return images.float() / 127.5 - 1


def decided(logits, kind):
    return logits.argmax(1) if kind == "one" else (logits > 0).long()


def read_by_encoder(model, x):
    with torch.no_grad():
        classifier = model.attributes.classifier
        return model.encoder.backbone(x) @ classifier.weight.T + classifier.bias


def read_by_judge(model, x):
    with torch.no_grad():
        return model.judge.backbone(x) @ model.judge.head.weight.T + model.judge.head.bias


@pytest.fixture(scope="session")
def imaging():
    """All of these."""
    return SimpleNamespace(
        model_of=model_of,
        unconditional=unconditional,
        data_of=data_of,
        asked=asked,
        floats=floats,
        decided=decided,
        read_by_encoder=read_by_encoder,
        read_by_judge=read_by_judge,
    )
