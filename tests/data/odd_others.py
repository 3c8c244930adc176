"""Odd inputs: columns, arrays, images and addresses."""

from __future__ import annotations

import pickle

import numpy as np
import pyarrow as pa
from odd_inputs import (
    EVENTS,
    IN_TWO,
    NUM,
    A,
    B,
    Odd,
    address,
    empty,
    fill,
    linked_class,
    npy,
    npz,
    one,
    packed,
    parts,
    pictures,
    text,
    then,
)

COLUMNS = [
    Odd(
        "a column of bytes",
        one(c=pa.array([b"u", b"v"] * 30)),
        "column 'c' holds text (b'u' in row 1)",
        streamed=True,
    ),
    Odd(
        "bytes as the label",
        one(c=pa.array([b"u", b"v"] * 30)),
        flags=("--data.label", "c"),
        streamed=True,
        check=lambda data: set(data.train_labels) == {"u", "v"},
    ),
    Odd("lists", one(c=[[1, 2]] * NUM), "column 'c' holds a list in each row", streamed=True),
    Odd("records", one(c=[{"x": 1}] * NUM), "column 'c' holds dict objects", streamed=True),
    Odd(
        "decimals",
        one(c=pa.array([1] * NUM).cast(pa.decimal128(20))),
        "column 'c' holds Decimal objects",
        streamed=True,
    ),
    Odd(
        "instants",
        one(c=pa.array([0] * NUM).cast(pa.timestamp("ms", "UTC"))),
        names=("a", "b", "c"),
        streamed=True,
    ),
    Odd(
        "categories",
        one(c=pa.array(["u", "v"] * 30).dictionary_encode()),
        names=("a", "b", "c"),
        streamed=True,
    ),
    Odd("a column of no type", one(c=pa.nulls(NUM)), "'c'", streamed=True),
    Odd("halves", one(c=A.astype("f2")), names=("a", "b", "c"), streamed=True),
    Odd(
        "pickles",
        text(pickle.dumps({"a": 1}), "t.npy"),
        "pickled Python objects, which are never loaded",
    ),
    Odd("objects", npy(np.array([[1, "a"]], dtype=object)), "never loaded"),
    Odd("a structured array", npy(EVENTS)),
    Odd("a flat array", npy(A), "the array has shape [60]"),
    Odd("a cube", npy(np.zeros((4, 4, 4))), "the array has shape [4, 4, 4]"),
    Odd("complex", npz(a=A, c=A * 1j), "complex128 values"),
    Odd("long doubles", npz(a=A, c=A.astype(np.longdouble)), "float128 values"),
    Odd("another byte order", npz(a=A.astype(">f4"), b=B)),
    Odd(
        "labels [N, 1]",
        npz(X=np.c_[A, B], y=(B % 3)[:, None]),
        names=("x0", "x1"),
        check=lambda data: data.train_labels.ndim == 1,
    ),
    Odd(
        "labels one-hot",
        npz(X=np.c_[A, B], y=np.eye(3)[B % 3]),
        names=("x0", "x1"),
        check=lambda data: set(data.train_labels) == {0, 1, 2},
    ),
    Odd(
        "labels of no shape", npz(X=np.c_[A, B], y=np.ones((NUM, 2))), "label 'y' has shape [60, 2]"
    ),
    Odd(
        "labels of another length",
        npz(X=np.c_[A, B], y=B[:9]),
        told="arrays that are not read: y [9]",
        names=("x0", "x1"),
    ),
    Odd(
        "columns of two lengths", npz(a=A, b=B[:9]), "1-D arrays of one length; found a [60], b [9]"
    ),
]

IMAGES = [
    Odd(
        "copies of a notebook",
        pictures("cat", "dog", ".ipynb_checkpoints"),
        told="12 of 36 files are not read",
        names=("cat", "dog"),
        rows=24,
    ),
    Odd("a linked class", then(pictures("cat"), linked_class), names=("cat", "dog"), rows=24),
    Odd(
        "a less usual suffix",
        then(pictures("cat"), lambda path: fill(path / "dog", ".jfif")),
        names=("cat", "dog"),
        rows=24,
    ),
    Odd(
        "a class that can't be read",
        then(pictures("cat", "dog"), empty("fox/1.heic")),
        told="no image of fox can be read",
        names=("cat", "dog"),
        rows=24,
    ),
    Odd(
        "one more folder",
        pictures("x/train/cat", "x/train/dog", "x/test/cat"),
        told="all images are in x",
        names=("cat", "dog"),
        rows=36,
    ),
    Odd(
        "parts below classes",
        pictures("cat/train", "cat/test", "dog/train"),
        "train and test are folders in cat",
    ),
    Odd(
        "something beside the parts",
        pictures("train/cat", "test/cat", "more"),
        "there are images in more",
    ),
    Odd(
        "a class to test alone",
        pictures("train/cat", "train/dog", "test/fox"),
        "class 'fox' has no place",
    ),
    Odd(
        "12 bits", pictures("", most=4096, kind="uint16"), told="read as 12 bits", names=(), rows=12
    ),
    Odd("masks", pictures("", most=2), told="read as black and white", names=(), rows=12),
    Odd("dark images", pictures("", most=9), told="almost black", names=(), rows=12),
    Odd("floats", pictures("", kind="float32", suffix=".tif"), "its pixels are floats"),
    Odd("small images", npz(images=np.zeros((12, 9, 9), "u1")), "the images are 9 pixels"),
    Odd(
        "a damaged image",
        then(pictures("cat", "dog"), text(b"x", "dog/0.png")),
        "1 of 24 images can't be read: dog/0.png (not an image)",
    ),
    Odd(
        "an image without a class",
        then(pictures("cat", "dog"), lambda path: fill(path, num=1)),
        "1 of 25 images are in no sub-folder",
    ),
    Odd("an archive", packed(pictures("cat", "dog")), names=("cat", "dog"), rows=24),
    Odd(
        "an archive that is cut", packed(pictures("cat"), damage=99), "t.zip: can't be read as .zip"
    ),
    Odd("an archive of tables", packed(parts(IN_TWO)), "no images in this archive"),
    Odd(
        "settings of tables",
        pictures("cat"),
        "it has no --data.missing_values to choose",
        flags=("--data.missing_values", "1"),
    ),
]

ADDRESSES = [
    Odd("s3a", address("s3a://b/t.csv"), "write it as s3://b/t.csv"),
    Odd("Google's", address("gs://b/t.csv"), "gs:// addresses can't be read"),
    Odd("the web's", address("https://host/t.csv"), "https:// addresses can't be read"),
    Odd("no bucket", address("s3://"), "names no object"),
]
