"""Decoding: every mode of image to the same pixels, damage named, memory guarded."""

import io
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scgan.data.images import decoding as image_decoding
from scgan.data.images.decoding import Encoded, Header, decode, headers


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> Encoded:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return Encoded(f"image.{kind.lower()}", stream.getvalue())


def one(image: Encoded, size: int = 28, channels: int = 3) -> np.ndarray:
    """Its pixels, [C, H, W]."""
    pixels, damaged = decode([image], size, channels)
    assert not damaged
    return pixels[0]


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


COLOUR = noise(28, 28, 3)
GREY = noise(28, 28)


def test_pixels_of_the_right_size_are_taken_as_they_are() -> None:
    assert np.array_equal(one(encoded(Image.fromarray(COLOUR))), COLOUR.transpose(2, 0, 1))
    assert np.array_equal(one(encoded(Image.fromarray(GREY)), channels=1), GREY[None])
    assert np.array_equal(one(encoded(Image.fromarray(GREY))), np.stack([GREY] * 3))
    luma = np.rint(COLOUR @ np.array([0.299, 0.587, 0.114]))
    assert np.abs(one(encoded(Image.fromarray(COLOUR)), channels=1)[0] - luma).max() <= 1


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "PPM", "GIF", "WEBP"])
def test_other_lossless_formats(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    few = COLOUR // 64 * 64  # so that a palette holds them
    assert np.array_equal(
        one(encoded(Image.fromarray(few), kind, **options)), few.transpose(2, 0, 1)
    )


def triangle(pixels: np.ndarray, side: int, size: int) -> np.ndarray:
    """Antialiased bilinear resizing of the middle along the first axis, slowly, by triangles."""
    scale, start = side / size, (len(pixels) - side) / 2
    out = []
    for i in range(size):
        distance = np.abs(np.arange(len(pixels)) + 0.5 - start - (i + 0.5) * scale)
        weights = np.maximum(0, 1 - distance / max(scale, 1.0))
        out.append(np.tensordot(weights / weights.sum(), pixels, 1))
    return np.stack(out)


@pytest.mark.parametrize("shape", [(90, 90), (20, 20), (60, 90), (91, 60)])
def test_the_short_side_is_resized_with_antialiasing_and_the_middle_cut_out(
    shape: tuple[int, int],
) -> None:
    pixels = noise(*shape)
    wanted = triangle(triangle(pixels, min(shape), 28).T, min(shape), 28).T
    assert np.abs(one(encoded(Image.fromarray(pixels)), channels=1)[0] - wanted).max() <= 1.5


def test_a_large_jpeg_is_decoded_at_a_smaller_scale_to_the_same_image(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    y, x = np.mgrid[:700, :700] / 700
    smooth = np.stack([np.sin(9 * x * y), np.cos(7 * x), np.sin(8 * y)], -1) * 127 + 128
    large = encoded(Image.fromarray(smooth.astype(np.uint8)), "JPEG", quality=95)
    quick = one(large, 32).astype(float)
    sizes: list[tuple[int, int]] = []
    monkeypatch.setattr(Image.Image, "draft", lambda self, mode, size: sizes.append(size))
    monkeypatch.setattr(
        "PIL.JpegImagePlugin.JpegImageFile.draft", lambda self, mode, size: sizes.append(size)
    )
    whole = one(large, 32).astype(float)
    assert sizes == [(96, 96)] and 0 < np.abs(quick - whole).max() <= 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(COLOUR)
    turned = {
        1: COLOUR,
        2: COLOUR[:, ::-1],
        3: COLOUR[::-1, ::-1],
        4: COLOUR[::-1],
        5: COLOUR.transpose(1, 0, 2),
        6: np.rot90(COLOUR, -1),
        7: COLOUR[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(COLOUR),
    }[orientation]
    assert np.array_equal(one(encoded(stored, "PNG", exif=exif)), turned.transpose(2, 0, 1))


def test_palettes_alpha_and_bits() -> None:
    alpha = np.dstack([COLOUR, np.where(np.arange(28) < 14, 255, 0)[None].repeat(28, 0)]).astype(
        np.uint8
    )
    over = one(encoded(Image.fromarray(alpha)))
    assert (
        np.array_equal(over[:, :, :14], COLOUR.transpose(2, 0, 1)[:, :, :14])
        and (over[:, :, 14:] == 255).all()
    )
    assert (one(encoded(Image.fromarray(alpha)), channels=1)[0, :, 14:] == 255).all()

    palette = Image.fromarray((GREY // 128).astype(np.uint8), "P")
    palette.putpalette([10, 20, 30, 200, 100, 0])
    seen = one(encoded(palette))
    assert (seen[:, GREY < 128].T == (10, 20, 30)).all() and (
        seen[:, GREY >= 128].T == (200, 100, 0)
    ).all()
    holes = one(encoded(palette, transparency=0))
    assert (holes[:, GREY < 128] == 255).all() and (holes[:, GREY >= 128].T == (200, 100, 0)).all()

    deep = GREY.astype(np.uint16) * 257
    assert np.array_equal(one(encoded(Image.fromarray(deep)), channels=1)[0], GREY)
    assert np.array_equal(one(encoded(Image.fromarray(deep.astype(np.int32)), "TIFF"))[1], GREY)
    bits = Image.fromarray(GREY).convert("1", dither=Image.Dither.NONE)
    assert np.array_equal(one(encoded(bits), channels=1)[0] == 255, GREY >= 128)
    print_colours = Image.fromarray(COLOUR).convert("CMYK")
    assert (
        np.abs(one(encoded(print_colours, "TIFF")).astype(int) - COLOUR.transpose(2, 0, 1)).max()
        <= 2
    )


def test_headers_tell_size_and_colour() -> None:
    images = [
        encoded(Image.fromarray(noise(40, 60))),
        encoded(Image.fromarray(noise(70, 50, 3)), "JPEG"),
        encoded(Image.fromarray(GREY.astype(np.uint16))),
        Encoded("odd.png", b"no image"),
    ]
    found = [Header(40, 1), Header(50, 3), Header(28, 1, deep=True), "not an image"]
    assert headers(images) == found


def damaged(tmp_path: Path) -> list[Encoded]:
    whole = encoded(Image.fromarray(noise(64, 64, 3)), "JPEG").content
    png = encoded(Image.fromarray(COLOUR)).content
    assert isinstance(whole, bytes) and isinstance(png, bytes)
    (tmp_path / "empty.jpg").touch()
    return [
        Encoded("empty", tmp_path / "empty.jpg"),
        Encoded("no bytes", b""),
        Encoded("text", b"<html>404</html>"),
        Encoded("cut", whole[: len(whole) // 2]),
        Encoded("cut png", png[: len(png) // 2]),
        Encoded("flipped", png[:60] + bytes([png[60] ^ 255]) + png[61:]),
        Encoded("gone", tmp_path / "gone.jpg"),
        Encoded("folder", tmp_path),
        encoded(Image.fromarray(noise(8, 8).astype(np.float32)), "TIFF"),
        encoded(Image.fromarray(np.full((8, 8), 70_000, np.int32)), "TIFF"),
    ]


def test_damage_is_named_by_place_and_the_rest_is_decoded(tmp_path: Path) -> None:
    bad = damaged(tmp_path)
    good = encoded(Image.fromarray(COLOUR))
    pixels, reasons = decode([good, *bad, good], 28, 3)
    assert np.array_equal(pixels[0], COLOUR.transpose(2, 0, 1)) and np.array_equal(
        pixels[0], pixels[-1]
    )
    assert list(reasons) == list(range(1, len(bad) + 1))
    said = list(reasons.values())
    assert said[:3] == ["empty", "empty", "not an image"] and "truncated" in said[3]
    assert said[6] == "there is no such file" and said[8:] == [
        "its pixels are floats",
        "its pixels have more than 16 bits",
    ]
    assert all(reason and "\n" not in reason for reason in said)


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    small = encoded(Image.new("L", (3000, 3000)))
    monkeypatch.setattr(
        Image, "MAX_IMAGE_PIXELS", 5_000_000
    )  # 9 million: between its warning and its error
    tracemalloc.start()
    _, reasons = decode([small], 28, 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "exceeds limit of 5000000 pixels" in reasons[0] and peak < 1_000_000


def test_small_faults_of_a_file_are_no_warning() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        image = Image.fromarray(COLOUR).quantize(8)
        image.info["transparency"] = bytes(range(0, 256, 32))
        one(encoded(image, transparency=bytes(range(0, 256, 32))))
    assert not caught


def test_an_array_beyond_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_decoding.os, "sysconf", lambda name: 100)
    with pytest.raises(
        ValueError,
        match=r"^5 images of 64 pixels are 0 GB, more than .*choose a smaller --data.image_",
    ):
        decode([encoded(Image.fromarray(COLOUR))] * 5, 64, 3)


def test_formats_that_start_other_programs_are_not_opened() -> None:
    postscript = Encoded("page.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")
    assert decode([postscript], 28, 1)[1] == {0: "not an image"}
