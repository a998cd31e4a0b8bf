"""Pictures as PNGs, and what is written on them."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from gan_lightning.drawing.layouts import gray_or_rgb
from gan_lightning.whole_files import whole_file

MOST_PIXELS = 89_478_485
"""Of one picture: the most that Pillow opens without a warning, 100,000 images of 28 × 28."""
CAPTION = 18
"""Pixels above a picture for what is written on it."""
LONGEST_CAPTION = 40


def image_of(picture: Tensor) -> Image.Image:
    """An image (C, H, W), bytes: gray, where C is 1 or all channels of three are alike, else in colours."""
    pixels = gray_or_rgb(picture[None])[0]
    if len(pixels) == 3 and not (torch.equal(pixels[0], pixels[1]) and torch.equal(pixels[0], pixels[2])):
        return Image.fromarray(pixels.permute(1, 2, 0).numpy())
    return Image.fromarray(pixels[0].numpy())


def save_png(picture: Tensor, path: Path) -> None:
    """Write a picture (3, H, W), bytes."""
    with whole_file(path) as file:
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(file, "png")


def captioned(picture: Tensor, caption: str) -> Tensor:
    """A picture (3, H, W), bytes, with a line of text above it; of a long one the end. It may become wider."""
    text = caption if len(caption) <= LONGEST_CAPTION else f"…{caption[1 - LONGEST_CAPTION :]}"
    text = text.encode(errors="replace").decode()  # the name of a file need not be text
    font = ImageFont.load_default(size=12)
    height, width = picture.shape[1:]
    wide = max(width, round(font.getlength(text)) + 4)
    framed = Image.new("RGB", (wide, height + CAPTION), "white")
    ImageDraw.Draw(framed).text((2, 1), text, "black", font)
    framed.paste(Image.fromarray(picture.permute(1, 2, 0).numpy()), (0, CAPTION))
    return torch.from_numpy(np.array(framed)).permute(2, 0, 1)
