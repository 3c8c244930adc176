"""InfoSCC-GAN's third stage written once more, plainly: what the stage is compared with.

:func:`plain_training` shares no loss, loop or averaging with the package, so that it can serve as
the oracle of the stage's test, which compares weights, and as the baseline of the benchmark, which
compares times. Nothing that is trained for use goes through it.
"""

from __future__ import annotations

import copy
import time

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scgan.contract import Inputs
from scgan.data.dataset import DataConfig
from scgan.nn.eigengan import ImageGenerator
from scgan.pipeline.run import prepare
from scgan.pipeline.spec import Spec
from scgan.stages.images.attributes import Attributes
from scgan.stages.images.encode import build_image_encoder
from scgan.stages.images.generate import Conditions, GeneratorTraining
from scgan.stages.images.generator_settings import ConditionalSettings
from scgan.systems.infoscc_gan import SYSTEM
from scgan.training.loop import train
from scgan.training.runtime import Runtime


def plain_training(
    c: ConditionalSettings,
    images: Tensor,
    y: Tensor,
    generator: ImageGenerator,
    discriminator: nn.Module,
    backbone: nn.Module,
    classifier: nn.Linear,
    batches: torch.Generator,
    noise: torch.Generator,
    num_steps: int,
) -> ImageGenerator:
    """Train with the hinge loss, without augmentation, on one CPU.

    Args:
        c: Settings; their schedule, augmentation and loss are left aside.
        images: uint8, ``[N, C, H, W]``.
        y: One-hot attributes, ``[N, A]``.
        generator: Trained in place.
        discriminator: Trained in place.
        backbone: The frozen encoder, without its projector.
        classifier: The frozen classifier of its features.
        batches: Draws rows.
        noise: Draws latents.
        num_steps: Steps.

    Returns:
        The generator's average.

    Source: [INFOSCC-GAN] Eqs. (5), (8) and (9), Sec. 3.3.
    """
    average = copy.deepcopy(generator)
    g_optimizer = torch.optim.Adam(
        generator.parameters(), c.learning_rate, betas=(0.5, 0.99), fused=True
    )
    d_optimizer = torch.optim.Adam(
        discriminator.parameters(), c.d_learning_rate, betas=(0.5, 0.99), fused=True
    )

    for number in range(num_steps):
        rows = torch.randint(len(images), (c.batch_size,), generator=batches)
        x, y_real = images[rows].float() / 127.5 - 1, y[rows]

        if number % c.n == 0:
            fake = generator(*generator.latents(c.batch_size, noise), y_real)
            g_optimizer.zero_grad()
            (
                c.classification_weight * F.cross_entropy(classifier(backbone(fake)), y_real)
            ).backward()
            g_optimizer.step()

        if number % c.r1_every == 0:
            x_grad = x.clone().requires_grad_()
            (gradient,) = torch.autograd.grad(
                discriminator(x_grad).sum(), x_grad, create_graph=True
            )
            d_optimizer.zero_grad()
            (c.r1_weight * gradient.square().sum((1, 2, 3)).mean()).backward()
            d_optimizer.step()

        y_fake = y[torch.randint(len(images), (c.batch_size,), generator=batches)]
        fake = generator(*generator.latents(c.batch_size, noise), y_fake)
        d_optimizer.zero_grad()
        real_logits, fake_logits = discriminator(torch.cat([x, fake.detach()])).split(len(x))
        (F.relu(1 - real_logits).mean() + F.relu(1 + fake_logits).mean()).backward()
        d_optimizer.step()

        discriminator.requires_grad_(False)
        g_optimizer.zero_grad()
        loss = F.relu(1 - discriminator(fake)).mean()
        for U in generator.bases():
            loss = loss + c.orthogonality_weight * (U @ U.T - torch.eye(len(U))).square().sum()

        loss.backward()
        g_optimizer.step()
        discriminator.requires_grad_(True)

        with torch.no_grad():
            half_life = min(c.ema_half_life, 0.05 * number * c.batch_size)
            keep = 0.5 ** (c.batch_size / half_life) if half_life else 0.0
            for old, new in zip(average.parameters(), generator.parameters(), strict=True):
                old.lerp_(new, 1 - keep)

    return average


def seconds_a_step(rounds: int, steps: int) -> tuple[list[float], list[float]]:
    """Time the framework's loop and the plain one in turns, on the bundled digits.

    Args:
        rounds: Turns of each.
        steps: Steps a turn.

    Returns:
        Seconds a step of each turn: the framework's, and the plain loop's.
    """
    config = SYSTEM.presets["plain"]
    c, data = (
        config.generator,
        prepare(Spec(SYSTEM.name, DataConfig(source=SYSTEM.examples["images"]), config)),
    )
    inputs = Inputs(data, {}, 0)
    channels, size = data.train.shape[1:3]
    encoder = build_image_encoder(config.encoder, channels, size).eval().requires_grad_(False)
    runtime, framework, plain = Runtime(), [], []
    runtime.place(encoder)
    y = torch.from_numpy(data.train_labels)
    classifier = nn.Linear(encoder.num_features, 10).requires_grad_(False)
    found = Attributes(
        "one",
        tuple("0123456789"),
        y,
        torch.eye(10),
        y.bincount(),
        classifier,
        None,
        "features",
        torch.zeros(10),
    )
    conditions = Conditions(found, encoder.backbone, c)
    length = c.model_copy(update={"num_samples": steps * c.batch_size, "discriminator": "global"})

    for _ in range(rounds):
        training = GeneratorTraining(length, conditions, inputs, runtime)
        start = time.perf_counter()

        train(training.state, training.step, length, name="step", runtime=runtime)
        framework.append((time.perf_counter() - start) / steps)
        training = GeneratorTraining(length, conditions, inputs, runtime)
        start = time.perf_counter()

        plain_training(
            length,
            data.train,
            found.rows(y),
            training.generator,
            training.discriminator,
            encoder.backbone,
            classifier,
            training.batches,
            training.noise,
            steps,
        )

        plain.append((time.perf_counter() - start) / steps)

    return framework, plain
