"""Images of every kind and size become bytes of one shape."""

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gan_lightning.data.fitting import FITS, MOST_PIXELS, UnreadableImageError, as_it_is, fitted, is_gray, read_image

RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> io.BytesIO:
    """The image in a file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "TIFF"])
@pytest.mark.parametrize("fit", FITS)
def test_gray_bytes_of_the_right_shape_stay_what_they_are(kind: str, fit: str) -> None:
    image = read_image(saved(Image.fromarray(RAMP), kind), (1, 16, 16), fit)
    assert image.dtype == torch.uint8
    assert np.array_equal(image[0], RAMP)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_so_do_colours(kind: str) -> None:
    pixels = np.stack([RAMP, RAMP.T, 255 - RAMP], 2)
    image = read_image(saved(Image.fromarray(pixels), kind), (3, 16, 16))
    assert np.array_equal(image.permute(1, 2, 0), pixels)


WEBP = {"lossless": True, "exact": True}


@pytest.mark.parametrize(
    ("image", "kind", "expected"),
    [
        (Image.fromarray(RAMP.astype(np.uint16) * 257), "PNG", RAMP),
        (Image.fromarray(RAMP.astype(np.uint16) * 257), "TIFF", RAMP),
        (Image.fromarray(RAMP.astype(np.int32) * 257), "TIFF", RAMP),
        (Image.fromarray(RAMP.astype(np.float32)), "TIFF", RAMP),
        (Image.fromarray(RAMP.astype(np.float32) / 255), "TIFF", RAMP),
        (Image.fromarray(RAMP.astype(np.float32) * 2 - 100), "TIFF", (RAMP * 2.0 - 100).clip(0, 255)),
        (Image.fromarray(RAMP > 99), "PNG", (RAMP > 99) * 255),
        (Image.fromarray(RAMP).convert("P"), "PNG", RAMP),
        (Image.merge("LA", [Image.new("L", (16, 16)), Image.fromarray(RAMP)]), "PNG", 255 - RAMP),
        (Image.merge("RGBA", [Image.new("L", (16, 16))] * 3 + [Image.fromarray(RAMP)]), "PNG", 255 - RAMP),
        (Image.merge("RGBA", [Image.fromarray(RAMP)] * 3 + [Image.new("L", (16, 16))]), "PNG", RAMP * 0 + 255),
        (Image.fromarray(RAMP).convert("CMYK"), "TIFF", RAMP),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else "",
)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_has_its_meaning(image: Image.Image, kind: str, expected: np.ndarray, channels: int) -> None:
    read = read_image(saved(image, kind), (channels, 16, 16))
    assert read.shape == (channels, 16, 16)
    assert np.array_equal(read, np.broadcast_to(expected, read.shape))


def test_a_palettes_transparent_colour_is_white() -> None:
    image = Image.fromarray(RAMP % 4, "P")
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120])
    (red, green, blue) = read_image(saved(image, transparency=2), (3, 16, 16))[:, 0, :4]
    assert red.tolist() == [10, 40, 255, 100]
    assert green.tolist() == [20, 50, 255, 110]
    assert blue.tolist() == [30, 60, 255, 120]


def test_values_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(UnreadableImageError, match="no numbers"):
        read_image(saved(Image.fromarray(np.full((2, 2), np.nan, np.float32)), "TIFF"), (1, 2, 2))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_a_photo_is_turned_upright(orientation: int, kind: str) -> None:
    upright = np.zeros((24, 32), np.uint8)
    upright[:12, :16] = 250  # the upper left
    turned = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.T,
        6: np.rot90(upright), 7: upright[::-1, ::-1].T, 8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.ascontiguousarray(turned)).convert("RGB")
    read = read_image(saved(image, kind, exif=exif), (1, 24, 32)).int()
    assert (read[0] - torch.from_numpy(upright)).abs().max() <= 10


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_a_film_is_its_first_frame(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), (level, level, level)) for level in (200, 100, 0)]
    file = saved(frames[0], kind, save_all=True, append_images=frames[1:])
    assert (read_image(file, (1, 8, 8)).int() - 200).abs().max() <= 1


def test_each_fit_keeps_what_it_should() -> None:
    pixels = np.zeros((40, 80), np.uint8)
    pixels[:, :20], pixels[:, 20:60], pixels[:, 60:] = 250, 120, 60  # a quarter, a half, a quarter
    image = Image.fromarray(pixels)
    assert fitted(image, (1, 10, 10), "crop").unique().tolist() == [120]
    stretched = fitted(image, (1, 20, 20), "stretch")[0]
    assert stretched[:, [0, 10, 19]].tolist() == 20 * [[250, 120, 60]]
    padded = fitted(image, (1, 20, 20), "pad")[0]
    assert padded[:5].unique().tolist() == padded[15:].unique().tolist() == [0]
    assert padded[5:15, [0, 10, 19]].tolist() == 10 * [[250, 120, 60]]


def test_what_is_too_fine_becomes_gray() -> None:
    board = (np.indices((256, 256)).sum(0) % 2 * 255).astype(np.uint8)
    assert (fitted(Image.fromarray(board), (1, 16, 16)).float() - 127.5).abs().max() < 2


@given(
    width=st.integers(1, 300), height=st.integers(1, 300), fit=st.sampled_from(sorted(FITS)),
    wide=st.integers(1, 40), high=st.integers(1, 40), mode=st.sampled_from(["L", "RGB", "P", "LA", "CMYK", "I;16"]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_any_size_fits_any_other(width: int, height: int, fit: str, wide: int, high: int, mode: str) -> None:
    image = Image.new(mode, (width, height))
    assert fitted(image, (3, high, wide), fit).shape == (3, high, wide)


@pytest.mark.parametrize("fit", FITS)
def test_a_jpeg_that_is_decoded_small_is_the_same_picture(fit: str) -> None:
    rows, columns = np.indices((600, 900))
    picture = np.stack([rows / 600, columns / 900, np.sin(rows / 90) * np.cos(columns / 70) / 2 + 0.5], 2)
    image = Image.fromarray((picture * 255).astype(np.uint8))
    read = read_image(saved(image, "JPEG", quality=95), (3, 32, 32), fit).int()
    assert (read - fitted(image, (3, 32, 32), fit).int()).abs().max() <= 12


def damaged(kind: str) -> bytes:
    content = saved(Image.effect_noise((64, 64), 50), kind).getvalue()
    return content[: len(content) // 2]


@pytest.mark.parametrize("content", [b"", b"no image", b"%!PS-Adobe-3.0 EPSF-3.0\n", *map(damaged, ["PNG", "JPEG"])])
def test_what_is_no_whole_image_is_refused_with_a_reason(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "Bild für dich.png"
    path.write_bytes(content)
    with pytest.raises(UnreadableImageError, match=r"no BMP|truncated"):
        read_image(path, (3, 8, 8))


@pytest.mark.filterwarnings("ignore:Image size")  # Pillow's own
@pytest.mark.parametrize("side", [10_000, 100_000])
def test_a_decompression_bomb_is_not_opened(side: int) -> None:
    content = bytearray(saved(Image.new("1", (1, 1)), "BMP").getvalue())
    content[18:26] = 2 * side.to_bytes(4, "little")
    assert side * side > MOST_PIXELS
    with pytest.raises(UnreadableImageError, match=r"10,000 × 10,000 pixels are more|decompression bomb"):
        read_image(io.BytesIO(content), (1, 8, 8))


@given(st.binary(max_size=300), st.sampled_from(["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"]), st.integers(0, 400))
@settings(max_examples=100, deadline=None)
@pytest.mark.filterwarnings("ignore")
def test_damage_of_any_kind_is_survived(noise: bytes, kind: str, start: int) -> None:
    content = bytearray(saved(Image.fromarray(RAMP), kind).getvalue())
    content[start : start + len(noise)] = noise
    with contextlib.suppress(UnreadableImageError):
        assert read_image(io.BytesIO(content), (3, 8, 8)).shape == (3, 8, 8)


def test_images_as_they_are() -> None:
    image = Image.new("RGBA", (5, 7), (1, 2, 3, 255))
    assert as_it_is(image, 3)[:, 0, 0].tolist() == [1, 2, 3]
    assert as_it_is(image, 1).shape == (1, 7, 5)
    assert [is_gray(Image.new(mode, (1, 1))) for mode in ("L", "LA", "I;16", "1", "RGB", "P")] == 4 * [True] + 2 * [
        False
    ]
