"""The stages of images: against the paper's training written plainly, and what each touches."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import pytest
import torch
from torch.testing import assert_close

from ray_jobs.benchmarks.plain_step import plain_training
from scgan.contract import Inputs
from scgan.data.images.augment import Views
from scgan.data.images.schema import to_float
from scgan.stages.images import attributes as attributes_stage
from scgan.stages.images import encode as image_encode
from scgan.stages.images import generate, judge
from scgan.stages.images.attributes import AttributeSettings, load_attributes
from scgan.stages.images.generate import ConditionalSettings, GeneratorTraining
from scgan.store.artifacts import ArtifactStore
from scgan.training.runtime import Runtime, StoredCheckpoints

STEPS, BATCH = 6, 8


def stripes(num=240, seed=0):
    """Images of three kinds, nothing between: bright in the top, in the middle, at the bottom."""
    generator = torch.Generator().manual_seed(seed)
    kinds = torch.arange(num) % 3
    x = torch.randint(60, (num, 1, 28, 28), generator=generator, dtype=torch.uint8)
    for i, kind in enumerate(kinds.tolist()):
        x[i, 0, 9 * kind : 9 * kind + 9] += 180
    return x, kinds


def settings(**generator):
    small = {
        "batch_size": BATCH,
        "num_samples": STEPS * BATCH,
        "schedule": "constant",
        "max_width": 16,
        "width": 8,
    }
    return SimpleNamespace(
        encoder=image_encode.ImageEncoderSettings(batch_size=32, num_samples=960, projection_dim=8),
        attributes=AttributeSettings(num_clusters=3, num_samples=6000, batch_size=50),
        judge=judge.JudgeSettings(batch_size=32, num_samples=1920),
        generator=ConditionalSettings(
            **{
                **small,
                "code_dim": 6,
                "d_width": 8,
                "r1_every": 3,
                "n": 2,
                "discriminator": "global",
                "classification_weight": 3.0,
                "energy_weight": 0.0,
                **generator,
            }
        ),
    )


@pytest.fixture(scope="module")
def data():
    from scgan.data.images.schema import ImageSchema

    x, kinds = stripes()
    return SimpleNamespace(
        train=x,
        train_labels=kinds.numpy(),
        schema=ImageSchema(1, 28, ("top", "middle", "bottom"), "one"),
    )


@pytest.fixture(scope="module")
def artifacts(data):
    made = {}
    for name, fit in (
        ("encode", image_encode.encode_images),
        ("attributes", attributes_stage.attributes),
        ("judge", judge.judge),
    ):
        made[name] = fit(settings(), ("all",), Inputs(data, dict(made), 0), Runtime())
    return made


def fit_generator(data, artifacts, runtime=None, **changes):
    inputs = Inputs(data, artifacts, 0)
    return generate.generate_conditionally(
        settings(**changes), ("all",), inputs, runtime or Runtime()
    )


def test_the_encoder_minimises_equation_1(data):
    """Adam on the mean over anchors of -log of the true pair's share, by the cosine of views."""
    changes = {"batch_size": 6, "num_samples": 18, "schedule": "constant", "temperature": 0.3}
    config = settings()
    config.encoder = config.encoder.model_copy(update=changes)
    c, inputs = config.encoder, Inputs(data, {}, 0)
    network = image_encode.build_image_encoder(c, 1, 28, inputs.generator("encode", "weights"))
    adam = torch.optim.Adam(network.parameters(), c.learning_rate, weight_decay=c.weight_decay)
    batches, views = inputs.generator("encode", "batches"), Views("affine", 28)
    seen = []
    for _ in range(3):
        images = data.train[torch.randint(len(data.train), (6,), generator=batches)]
        seed = int(torch.randint(2**62, (), generator=batches))
        x = images.float() / 127.5 - 1
        u = network(views(torch.cat([x, x]), seed))
        loss = torch.zeros(())
        for i in range(12):
            scores = torch.stack([u[i] @ u[j] / (u[i].norm() * u[j].norm()) for j in range(12)])
            others = torch.cat([scores[:i], scores[i + 1 :]]) / c.temperature
            loss = loss - (scores[(i + 6) % 12] / c.temperature - torch.logsumexp(others, 0)) / 12
        adam.zero_grad()
        loss.backward()
        adam.step()
        seen.append(loss.item())
    made = image_encode.encode_images(config, ("all",), inputs, Runtime())
    assert_close([point["nt_xent"] for point in made.meta["curve"]], seen, rtol=1e-4, atol=1e-5)


def test_the_step_is_the_papers_written_plainly(data, artifacts):
    """R1, orthogonality, hinge and classification, each in its step; and the average."""
    c = settings().generator
    found = load_attributes(artifacts["attributes"])
    backbone = image_encode.load_image_encoder(settings().encoder, artifacts["encode"]).backbone
    inputs = Inputs(data, artifacts, 0)
    conditions = generate.Conditions(found, backbone, c)
    training = GeneratorTraining(c, conditions, inputs, Runtime())
    twin, critic = copy.deepcopy(training.generator), copy.deepcopy(training.discriminator)
    draws = [inputs.generator("generate", name) for name in ("batches", "noise")]
    y = found.rows(found.y)
    average = plain_training(
        c, data.train, y, twin, critic, backbone, found.classifier, *draws, STEPS
    )
    for _ in range(STEPS):
        training.step()
        training.state.samples += BATCH
    for ours, plain in (
        (training.generator, twin),
        (training.discriminator, critic),
        (training.average.module, average),
    ):
        for one, other in zip(ours.parameters(), plain.parameters(), strict=True):
            assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_encoder_and_classifier_stay_as_they_are(data, artifacts):
    before = {
        key: t.clone()
        for name in ("encode", "attributes")
        for key, t in artifacts[name].tensors.items()
    }
    found = load_attributes(artifacts["attributes"])
    backbone = image_encode.load_image_encoder(settings().encoder, artifacts["encode"]).backbone
    conditions = generate.Conditions(found, backbone, settings().generator)
    training = GeneratorTraining(
        settings(n=1).generator, conditions, Inputs(data, artifacts, 0), Runtime()
    )
    training.step()
    assert all(
        parameter.grad is None
        for parameter in [*backbone.parameters(), *found.classifier.parameters()]
    )
    assert all(
        torch.equal(t, before[key])
        for name in ("encode", "attributes")
        for key, t in artifacts[name].tensors.items()
    )


def test_a_fit_taken_up_again_is_the_fit_in_one_go(data, artifacts, tmp_path):
    checkpoints = StoredCheckpoints(ArtifactStore(str(tmp_path)), "generate")
    augmented = {"diff_augment": ("color", "cutout"), "discriminator": "attributes"}
    whole = fit_generator(data, artifacts, **augmented)
    for until in (2 * BATCH, 3 * BATCH, None):
        parts = fit_generator(
            data, artifacts, Runtime(checkpoints=checkpoints, until=until), **augmented
        )
    assert all(torch.equal(whole.tensors[key], parts.tensors[key]) for key in whole.tensors)
    assert whole.meta == parts.meta


def test_inner_attributes_find_the_kinds_and_the_classifiers_read_them(data, artifacts):
    found = load_attributes(artifacts["attributes"])
    partitions = {tuple(sorted(data.train_labels[found.y == k])) for k in range(3)}
    assert partitions == {(kind,) * 80 for kind in range(3)}
    assert artifacts["attributes"].meta["agreement"] > 0.99
    x, kinds = stripes(90, seed=1)
    encoder = image_encode.load_image_encoder(settings().encoder, artifacts["encode"])
    y = found.of_images(*encoder.embed(x), None)
    assert all(len(set(y[kinds == kind].tolist())) == 1 for kind in range(3))
    seen = judge.load_judge(artifacts["judge"]).classify(to_float(x)).argmax(1)
    assert (seen == y).float().mean() > 0.95


@pytest.mark.parametrize("labels", ["one", "many"])
def test_external_attributes_are_the_labels(data, artifacts, labels):
    y = torch.from_numpy(data.train_labels)
    if labels == "many":
        y = torch.stack([y == 0, y != 2], 1).to(torch.uint8)
    names = ("a", "b", "c") if labels == "one" else ("a", "b")
    schema = type(data.schema)(1, 28, names, labels)
    external = SimpleNamespace(train=data.train, train_labels=y.numpy(), schema=schema)
    config = settings()
    config.attributes = AttributeSettings(source="external", num_samples=6000, batch_size=50)
    made = {"encode": artifacts["encode"]}
    made["attributes"] = attributes_stage.attributes(
        config, ("all",), Inputs(external, made, 0), Runtime()
    )
    found = load_attributes(made["attributes"])
    assert torch.equal(found.y, y.long()) and found.names == names and found.kind == labels
    assert made["attributes"].meta["agreement"] > 0.99
    artifact = generate.generate_conditionally(
        config, ("all",), Inputs(external, made, 0), Runtime()
    )
    assert artifact.meta["num_attributes"] == len(names)
