"""Films of pictures: GIF, WebP and MP4."""

import importlib.util
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import IO

from PIL import Image
from torch import Tensor
from torch.nn.functional import pad

from gan_lightning.drawing.pictures import image_of
from gan_lightning.errors import UserError
from gan_lightning.whole_files import whole_file

RATE = 25
"""Frames a second; of GIFs, which count hundredths of a second, the best rate that all programs keep."""
MOST_PIXELS = {".gif": 10**9, ".webp": 10**9, ".mp4": 5 * 10**10}
"""Of all frames together: Pillow holds those of a GIF in memory, and an MP4 is written as it is drawn, for hours."""


def check_film(kind: str, num_frames: int, num_pixels: int) -> None:
    """See that a film of the kind `.gif`, `.webp` or `.mp4` of so many frames, with so many pixels each, can be made.

    Raises:
        UserError: if it would be too large, or needs a package that is not installed.
    """
    if kind == ".mp4" and importlib.util.find_spec("av") is None:
        raise UserError("a film as .mp4 needs PyAV: pip install 'gan-lightning[mp4]' brings it; .gif and .webp do not")
    if num_frames * num_pixels > MOST_PIXELS[kind]:
        raise UserError(
            f"a film of {num_frames:,} frames with {num_pixels:,} pixels each is too large for a {kind}: more than"
            f" {MOST_PIXELS[kind]:,} pixels; take fewer samples, latents or steps"
        )


def save_film(path: Path, frames: Iterable[Tensor], lasting: Sequence[int]) -> None:
    """Write pictures (3, H, W), bytes, all of one size, as a film of the kind that the suffix of `path` says.

    A GIF or a WebP begins again when it is over.

    Args:
        path: `….gif`, `….webp` or `….mp4`.
        frames: as many as `lasting` has numbers; an MP4 takes them one at a time.
        lasting: how long each is shown, in 25ths of a second.
    """
    with whole_file(path) as file:
        if path.suffix == ".mp4":
            _save_mp4(file, frames, lasting)
        else:
            images = map(image_of if path.suffix == ".webp" else _with_palette, frames)
            options = {"lossless": True} if path.suffix == ".webp" else {}
            next(images).save(
                file,
                path.suffix[1:],
                save_all=True,
                append_images=images,
                duration=[each * 1000 // RATE for each in lasting],
                loop=0,
                **options,
            )


def _with_palette(frame: Tensor) -> Image.Image:
    image = image_of(frame)
    return image if image.mode == "L" else image.convert("P", palette=Image.Palette.ADAPTIVE)


def _save_mp4(file: IO[bytes], frames: Iterable[Tensor], lasting: Sequence[int]) -> None:
    import av

    first, others = _first_of(frames)
    even = pad(first, (0, first.shape[2] % 2, 0, first.shape[1] % 2), value=255)
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "16"})
        stream.height, stream.width = even.shape[1:]
        stream.pix_fmt = "yuv420p"  # which all players know, and whose sides are even
        for picture, ticks in zip(others, lasting, strict=True):
            padded = pad(picture, (0, picture.shape[2] % 2, 0, picture.shape[1] % 2), value=255)
            frame = av.VideoFrame.from_ndarray(padded.permute(1, 2, 0).contiguous().numpy(), format="rgb24")
            for _ in range(ticks):
                container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _first_of(frames: Iterable[Tensor]) -> tuple[Tensor, Iterator[Tensor]]:
    """The first frame, and all of them."""
    rest = iter(frames)
    first = next(rest)
    return first, chain([first], rest)
