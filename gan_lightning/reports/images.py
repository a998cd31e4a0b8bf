"""Pictures that a page carries in itself, small."""

import base64
from io import BytesIO
from pathlib import Path

from PIL import Image

from gan_lightning.errors import UserError, one_line

MOST_PIXELS = 2**24
"""Of one picture: 64 samples of 256 × 256, and what a stranger's file can take of memory and time."""
QUALITY = 75
"""Of WebP, from 0 to 100; grids are a fifth of their size as PNGs, and a hundred of them take a second."""


def read_image(path: Path) -> Image.Image:
    """The PNG in a file.

    Raises:
        UserError: if it is none, is cut off, or has more than MOST_PIXELS pixels.
    """
    try:
        with Image.open(path, formats=["PNG"]) as image:
            if image.width * image.height <= MOST_PIXELS:
                return image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as reason:  # SyntaxError: a broken chunk
        raise UserError(f"{path} is damaged: {one_line(reason)}") from reason
    raise UserError(f"{path} is too large for a page: {image.width} × {image.height} pixels")


def webp(image: Image.Image, at_most: float) -> bytes:
    """A picture as a file that has at most so many bytes; it is halved until it does, or is as small as an icon."""
    while True:
        buffer = BytesIO()
        image.save(buffer, "webp", quality=QUALITY, method=2)
        if buffer.tell() <= at_most or min(image.size) < 64:
            return buffer.getvalue()
        image = image.reduce(2)


def address(file: bytes) -> str:
    """What an `src` says for the picture itself."""
    return f"data:image/webp;base64,{base64.b64encode(file).decode()}"
