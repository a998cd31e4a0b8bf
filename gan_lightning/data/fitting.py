"""From an image of any kind and size to the bytes of one shape."""

from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageOps
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as v2

from gan_lightning.errors import one_line

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
"""What is read, whatever a file is called; nothing that would start another program, as EPS does."""
MOST_PIXELS = 89_478_485
"""More are taken for a decompression bomb: a quarter of a gigabyte of three channels, the limit of Pillow's warning."""
SIXTEEN_BITS = ("I", "I;16", "I;16B", "I;16L", "I;16N")


class UnreadableImageError(ValueError):
    """A file is no image that can be read; the message says why."""


def read_image(file: Path | IO[bytes], image_shape: tuple[int, int, int], fit: str = "crop") -> Tensor:
    """The image of a file, as :func:`fitted` gives it.

    Raises:
        UnreadableImageError: if it is damaged, too large, or none.
    """
    try:
        with Image.open(file, formats=FORMATS) as image:
            return fitted(image, image_shape, fit)
    except MemoryError:
        raise
    except Image.UnidentifiedImageError as reason:
        raise UnreadableImageError(f"no {', '.join(FORMATS[:-1])} or {FORMATS[-1]} image") from reason
    except Exception as reason:  # a damaged file has many ways to fail
        raise UnreadableImageError(one_line(reason) or type(reason).__name__) from reason


def fitted(image: Image.Image, image_shape: tuple[int, int, int], fit: str = "crop") -> Tensor:
    """An image's bytes in a shape; of a film, those of its first frame.

    It is turned as its EXIF data say. Where it is larger or smaller, it is resized, bicubic and antialiased; a JPEG may
    have been decoded at an eighth to a half of its size, never at less than twice the size it is wanted in.

    Args:
        image: of any mode and size.
        image_shape: (C, H, W), with C 1 for gray or 3 for RGB.
        fit: what is done where the proportions differ, one of :data:`FITS`.

    Returns:
        (C, H, W), bytes.

    Raises:
        ValueError: if it has more than :data:`MOST_PIXELS`, or its mode or its values have no meaning as a picture.
    """
    channels, *size = image_shape
    if image.width * image.height > MOST_PIXELS:
        raise ValueError(f"{image.width:,} × {image.height:,} pixels are more than {MOST_PIXELS:,}")
    image.draft(None, (2 * max(size), 2 * max(size)))
    image = in_mode(ImageOps.exif_transpose(image), "L" if channels == 1 else "RGB")
    if (image.height, image.width) != tuple(size):
        image = FITS[fit](image, *size)
    return v2.pil_to_tensor(image)


def as_it_is(image: Image.Image, channels: int) -> Tensor:
    """An image's bytes (C, H, W) in its own size, with 1 channel or 3; turned as its EXIF data say."""
    return v2.pil_to_tensor(in_mode(ImageOps.exif_transpose(image), "L" if channels == 1 else "RGB"))


def is_gray(image: Image.Image) -> bool:
    """Whether an image's mode has no colours."""
    return image.mode in ("1", "L", "LA", "La", "F", *SIXTEEN_BITS)


def in_mode(image: Image.Image, mode: str) -> Image.Image:
    """An image in gray, `L`, or in colour, `RGB`.

    What is transparent lies over white. Integers of more than 8 bits are taken for 16: 65,535 is white. Floats are
    taken for numbers from 0 to 1 where none is beyond, else for 0 to 255.

    Raises:
        ValueError: if it holds NaN, or has a mode from which there is no way.
    """
    if image.mode in SIXTEEN_BITS:
        image = Image.fromarray(_bytes(np.asarray(image) / 257))
    elif image.mode == "F":
        values = np.asarray(image)
        if np.isnan(values).any():
            raise ValueError("it holds values that are no numbers")
        image = Image.fromarray(_bytes(values * 255 if values.max() <= 1 and values.min() >= 0 else values))
    elif image.has_transparency_data:
        over = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", over.size, "white"), over).convert("RGB")
    return image.convert(mode)


def _bytes(values: np.ndarray) -> np.ndarray:
    return values.round().clip(0, 255).astype(np.uint8)


def crop(image: Image.Image, height: int, width: int) -> Image.Image:
    """The middle of an image, as much of it as has the right proportions."""
    kept_height = min(image.height, max(1, round(image.width * height / width)))
    kept_width = min(image.width, max(1, round(image.height * width / height)))
    return stretch(v2.center_crop(image, [kept_height, kept_width]), height, width)


def pad(image: Image.Image, height: int, width: int) -> Image.Image:
    """All of an image, with black at two of its sides."""
    scale = min(height / image.height, width / image.width)
    inner_height, inner_width = (max(1, round(side * scale)) for side in (image.height, image.width))
    left, top = (width - inner_width) // 2, (height - inner_height) // 2
    margins = [left, top, width - inner_width - left, height - inner_height - top]
    return v2.pad(stretch(image, inner_height, inner_width), margins)


def stretch(image: Image.Image, height: int, width: int) -> Image.Image:
    """All of an image, whatever becomes of its proportions."""
    return v2.resize(image, [height, width], InterpolationMode.BICUBIC, antialias=True)


FITS: dict[str, Callable[[Image.Image, int, int], Image.Image]] = {"crop": crop, "pad": pad, "stretch": stretch}
"""What is done with an image of other proportions, by name."""
