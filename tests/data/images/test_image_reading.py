"""Reading images of whatever layout: size, classes, damage, split, fingerprint, settings."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from scgan.data.dataset import DataConfig
from scgan.data.images.reading import decode_images
from scgan.data.images.sources import read_digits
from scgan.data.loading import load
from tests.data.images.conftest import colours, images_of, noise, refused, same, save, whole


def test_digits_need_no_file() -> None:
    data = images_of("digits")
    assert (data.name, data.train.shape, data.test.shape) == (
        "digits",
        (1438, 1, 28, 28),
        (359, 1, 28, 28),
    )
    assert data.image_schema.attributes == tuple("0123456789") and data.train_labels is not None
    assert np.bincount(data.train_labels).min() > 100
    assert images_of("digits", image_size=32, channels=3).train.shape == (1438, 3, 32, 32)
    grey = read_digits().train.images
    assert (
        isinstance(grey, np.ndarray)
        and grey.shape == (1797, 8, 8)
        and (grey.min(), grey.max()) == (0, 255)
    )
    wanted = torch.nn.functional.interpolate(
        torch.from_numpy(grey)[:, None].double(), 28, mode="bilinear"
    )
    found = decode_images("digits", read_digits(), 28, None, None, "error").train
    assert (torch.from_numpy(found) - wanted).abs().max() <= 1


def test_size_and_channels_are_the_images_own_or_those_asked_for(tmp_path: Path) -> None:
    for i, side in enumerate([70, 100, 100, 130, 300]):
        save(tmp_path / "grey" / f"{i}.png", noise(1, side)[0])
        save(tmp_path / "mixed" / f"{i}.png", noise(1, side)[0] if i else colours(1, side)[0])
    assert images_of(tmp_path / "grey", test_fraction=0.4).train.shape == (
        3,
        1,
        64,
        64,
    )  # the median is 100
    assert images_of(tmp_path / "mixed", test_fraction=0.4).train.shape == (3, 3, 64, 64)
    assert images_of(
        tmp_path / "mixed", image_size=128, channels=1, test_fraction=0.4
    ).train.shape == (3, 1, 128, 128)
    assert images_of(
        tmp_path / "grey", channels=3, image_size=28, test_fraction=0.4
    ).train.shape == (3, 3, 28, 28)


def test_classes_can_be_chosen(tmp_path: Path) -> None:
    images, labels = noise(30), np.arange(30) % 3
    np.savez(
        tmp_path / "set.npz",
        images=images,
        labels=labels,
        attributes=np.array(["cat", "dog", "wild"]),
    )
    data = images_of(tmp_path / "set.npz", attributes=("wild", "cat"))
    assert data.image_schema.attributes == ("wild", "cat") and data.dropped == 0
    same(data, images[labels != 1], [{2: 0, 0: 1}[k] for k in labels[labels != 1].tolist()])
    for i, image in enumerate(images):
        save(tmp_path / "set" / ("cat", "dog", "wild")[labels[i]] / f"{i}.png", image)
    same(images_of(tmp_path / "set", attributes=("wild", "cat")), *(whole(data)))
    assert "there is no attribute 'wlid'; did you mean 'wild'?" in refused(
        tmp_path / "set", attributes=("wlid",)
    )
    assert "--data.attributes names one more than once" in refused(
        tmp_path / "set", attributes=("cat", "cat")
    )
    assert "--data.attributes names none" in refused(tmp_path / "set", attributes=())
    np.savez(tmp_path / "bare.npz", images=images)
    assert "have no labels; leave --data.attributes out" in refused(
        tmp_path / "bare.npz", attributes=("cat",)
    )


def test_damaged_files_are_named_or_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    images = colours(20)
    for i, image in enumerate(images):
        save(tmp_path / "set" / "ab"[i % 2] / f"{i:02d}.png", image)
    cut = (tmp_path / "set" / "a" / "02.png").read_bytes()
    (tmp_path / "set" / "a" / "02.png").write_bytes(cut[: len(cut) // 2])
    (tmp_path / "set" / "b" / "05.png").write_bytes(b"")
    (tmp_path / "set" / "b" / "07.png").write_text("not found")
    said = refused(tmp_path / "set")
    assert f"{tmp_path}/set: 3 of 20 images can't be read: a/02.png (" in said
    assert (
        "b/05.png (empty), b/07.png (not an image); --data.damaged skip goes on without them"
        in said
    )
    with caplog.at_level(logging.WARNING):
        data = images_of(tmp_path / "set", damaged="skip")
    kept = [i for i in range(20) if i not in (2, 5, 7)]
    same(data, images[kept], [i % 2 for i in kept])
    assert data.dropped == 3 and len(data.train) == 14
    (record,) = caplog.records
    assert "3 of 20 images can't be read and are left out: a/02.png (" in record.getMessage()
    for path in (tmp_path / "set").rglob("*.png"):
        path.write_bytes(b"")
    assert "20 of 20 images can't be read: a/00.png (empty)," in refused(tmp_path / "set")
    assert "(empty) and 15 more; --data" in refused(tmp_path / "set")
    assert "0 images to train, 0 to test" in refused(tmp_path / "set", damaged="skip")


def test_the_split_is_a_partition_fixed_by_the_seed_and_only_where_there_is_none(
    tmp_path: Path,
) -> None:
    images = noise(40)
    np.savez(tmp_path / "bare.npz", images=images, y=np.arange(40))
    first, again, other = (
        load(DataConfig(source=str(tmp_path / "bare.npz")), seed) for seed in (0, 0, 1)
    )
    same(first, images, list(range(40)))
    assert (
        len(first.test) == 8
        and torch.equal(first.test, again.test)
        and not torch.equal(first.test, other.test)
    )
    np.savez(tmp_path / "own.npz", x_train=images[:30], x_test=images[30:])
    own = [
        load(DataConfig(source=str(tmp_path / "own.npz"), test_fraction=f), seed)
        for f, seed in ((0.2, 0), (0.5, 1))
    ]
    assert own[0].fingerprint == own[1].fingerprint and np.array_equal(
        own[0].train[:, 0], images[:30]
    )


def test_the_fingerprint_is_of_the_content_alone(tmp_path: Path) -> None:
    images, labels = noise(20), np.arange(20) % 4

    def print_of(name: str = "a.npz", seed: int = 0, **arrays: Any) -> str:
        np.savez(tmp_path / name, **({"images": images, "y": labels} | arrays))
        return load(DataConfig(source=str(tmp_path / name)), seed).fingerprint

    changed = images.copy()
    changed[7, 3, 3] ^= 1
    assert print_of() == print_of("b.npz")
    for i, image in enumerate(images):
        save(tmp_path / "set" / str(labels[i]) / f"{i:02d}.png", image)
    prints = [
        print_of(),
        print_of(seed=1),
        print_of(images=changed),
        print_of(y=labels[::-1]),
        print_of(y=labels + 1),
        print_of(attributes=np.array(list("abcd"))),
        load(DataConfig(source=str(tmp_path / "a.npz"), test_fraction=0.3), 0).fingerprint,
        load(DataConfig(source=str(tmp_path / "a.npz"), channels=3), 0).fingerprint,
    ]
    assert len(set(prints)) == len(prints) and all(len(text) == 64 for text in prints)


def test_settings_of_the_other_kind_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "images.npz", images=noise(10))
    np.savez(tmp_path / "table.npz", X=np.random.default_rng(0).random((20, 2)))
    for name, value in {
        "image_size": 64,
        "channels": 1,
        "attributes": ("a",),
        "damaged": "skip",
    }.items():
        assert f"is a table: it has no --data.{name} to choose" in refused(
            tmp_path / "table.npz", **{name: value}
        )
        assert f"'ring' is a toy set: it has no --data.{name} to choose" in refused(
            "ring", **{name: value}
        )
    for name, value in {"columns": ("a",), "missing": "drop"}.items():
        assert f"is a set of images: it has no --data.{name} to" in refused(
            tmp_path / "images.npz", **{name: value}
        )
    assert "have no label column; leave --data.label out" in refused(
        tmp_path / "images.npz", label="y"
    )
    assert "'digits' is a set of images: it has no --data.label" in refused("digits", label="y")
    assert "unknown data 'digit'; did you mean 'digits'?" in refused("digit")


def test_a_schema_is_asked_for_by_kind() -> None:
    table, images = (
        load(DataConfig(source="ring", num_train=10, num_test=10), 0),
        images_of("digits"),
    )
    assert table.table_schema is table.schema and images.image_schema is images.schema
    with pytest.raises(ValueError, match="^ring holds a table, not images$"):
        _ = table.image_schema
    with pytest.raises(ValueError, match="^digits holds images, not a table$"):
        _ = images.table_schema
