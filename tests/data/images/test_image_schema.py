"""The schema of images, and pixels as floats."""

import numpy as np
import pytest
import torch

from scgan.data.images.schema import SIZES, ImageSchema, schema_from_json, to_float
from scgan.data.tables.schema import Schema

GREY = ImageSchema(1, 28, ("0", "1"), "one")
COLOUR = ImageSchema(3, 32, ("Bald", "Smiling"), "many")


def test_every_pixel_becomes_a_float_in_the_range_of_tanh_and_comes_back() -> None:
    values = torch.arange(256, dtype=torch.uint8)
    floats = to_float(values)
    assert floats.dtype == torch.float32 and (floats[0], floats[-1]) == (-1.0, 1.0)
    assert torch.allclose(floats.double(), values.double() / 127.5 - 1, atol=1e-7)
    pixels = values.repeat(4)[:784].reshape(1, 1, 28, 28)
    assert np.array_equal(GREY.decode(to_float(pixels)), pixels[:, 0].numpy())


@pytest.mark.parametrize("schema", [GREY, COLOUR])
def test_encode_and_decode_are_inverse(schema: ImageSchema) -> None:
    shape = (3, schema.size, schema.size) + ((3,) if schema.channels == 3 else ())
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    x = schema.encode(images)
    assert x.dtype == torch.uint8 and x.shape == (3, schema.channels, schema.size, schema.size)
    assert np.array_equal(schema.decode(to_float(x)), images)


def test_decode_rounds_to_the_nearest_and_clips() -> None:
    x = torch.full((1, 1, 28, 28), -1.0)
    x[0, 0, 0, :4] = torch.tensor([7.0, -7.0, 100.4 / 127.5 - 1, 100.6 / 127.5 - 1])
    assert GREY.decode(x)[0, 0, :5].tolist() == [255, 0, 100, 101, 0]


def test_what_has_another_shape_or_no_value_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"uint8 \[2, 28, 28, 3\]; this schema needs uint8 \[N, 28, 28\]$"
    ):
        GREY.encode(np.zeros((2, 28, 28, 3), np.uint8))
    with pytest.raises(ValueError, match=r"float32 \[2, 28, 28\]"):
        GREY.encode(np.zeros((2, 28, 28), np.float32))
    with pytest.raises(
        ValueError, match=r"shape \[2, 1, 32, 32\]; this schema needs \[N, 3, 32, 32\]"
    ):
        COLOUR.decode(torch.zeros(2, 1, 32, 32))
    x = torch.zeros(4, 1, 28, 28)
    x[1, 0, 3, 3], x[1, 0, 4, 4], x[3, 0, 0, 0] = torch.nan, torch.nan, torch.inf
    with pytest.raises(ValueError, match="^2 of 4 images are not finite$"):
        GREY.decode(x)


def test_json_tells_images_from_a_table() -> None:
    table = Schema.fit({"a": np.arange(3.0)})
    for schema in (GREY, COLOUR, table):
        assert schema_from_json(schema.to_json()) == schema
    assert ImageSchema.from_json(GREY.to_json()) == GREY


def test_in_few_words() -> None:
    assert GREY.summary == "28 x 28 pixels, grey, 2 classes"
    assert COLOUR.summary == "32 x 32 pixels, colour, 2 attributes"
    assert ImageSchema(1, 64, (), "none").summary == "64 x 64 pixels, grey, unlabelled"
    assert COLOUR.describe() == {
        "channels": 3,
        "size": 32,
        "attributes": ["Bald", "Smiling"],
        "labels": "many",
    }
    assert SIZES == (28, 32, 64, 128, 256)
