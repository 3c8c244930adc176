"""The settings of every training: what they allow, and that each says what it is."""

from __future__ import annotations

import pytest

from scgan import systems
from scgan.config import Settings, leaves, override
from scgan.training.settings import TrainingSettings


def sections(config):
    """Every section of a config, itself too, with its dotted prefix."""
    found = {"": config}
    for name in type(config).model_fields:
        value = getattr(config, name)
        if isinstance(value, Settings):
            found |= {f"{name}.{rest}": section for rest, section in sections(value).items()}
    return found


CONFIGS = {name: systems.load(name).presets["default"] for name in systems.available()}
TRAININGS = [
    (name, prefix)
    for name, config in CONFIGS.items()
    for prefix, section in sections(config).items()
    if isinstance(section, TrainingSettings)
]


def test_every_setting_says_what_it_is():
    for config in CONFIGS.values():
        for section in sections(config).values():
            for field, info in type(section).model_fields.items():
                assert info.description or isinstance(getattr(section, field), Settings), field


@pytest.mark.parametrize("name", CONFIGS)
def test_every_length_is_a_trainings(name):
    """What has a number of samples derives from the base class, so nothing is trained past it."""
    lengths = {key for key, _ in leaves(CONFIGS[name]) if key.endswith("num_samples")}
    assert lengths == {f"{prefix}num_samples" for other, prefix in TRAININGS if other == name}


@pytest.mark.parametrize(("name", "prefix"), TRAININGS, ids=lambda part: str(part))
@pytest.mark.parametrize(
    ("setting", "value"),
    [("batch_size", 0), ("num_samples", 0), ("learning_rate", 0.0), ("schedule", "steps")],
)
def test_no_training_takes_what_none_can(name, prefix, setting, value):
    with pytest.raises(ValueError, match=f"{prefix}{setting}: input should be"):
        override(CONFIGS[name], {f"{prefix}{setting}": value})


@pytest.mark.parametrize("key", ["scgan encoder", "infoscc_gan encoder", "infoscc_gan judge"])
def test_a_contrast_or_a_batch_norm_needs_two(key):
    name, section = key.split()
    with pytest.raises(ValueError, match="greater than or equal to 2"):
        override(CONFIGS[name], {f"{section}.batch_size": 1})
