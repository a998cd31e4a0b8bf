"""The page's pictures and numbers as HTML; all text in them is escaped."""

import base64
from collections.abc import Sequence
from io import BytesIO
from typing import NamedTuple

import torch
from markupsafe import Markup
from torch import Tensor

from gan_lightning.drawing.pictures import image_of
from gan_lightning.exploring.opened import Spread


class Shown(NamedTuple):
    """A generated image (C, H, W), bytes, and what is said of it."""

    image: Tensor
    caption: str
    score: float | None
    """D's; None without D."""
    probability: bool
    """Whether a score is D(x), from 0 to 1."""
    of_generated: Spread | None
    of_real: Spread | None


def png(picture: Tensor) -> str:
    """An image (C, H, W), bytes, as the address of itself."""
    buffer = BytesIO()
    image_of(picture).save(buffer, "png")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def stage(sides: Sequence[Shown]) -> Markup:
    """Images beside one another, each above the score that its discriminator gives it."""
    return Markup('<div class="stage">{}</div>').format(Markup().join(map(_side, sides)))


def _side(shown: Shown) -> Markup:
    return Markup(
        '<figure><img class="pixels" alt="a generated image" src="{}"><figcaption>{}{}</figcaption></figure>'
    ).format(png(shown.image), Markup("<p class=caption>{}</p>").format(shown.caption), _verdict(shown))


def _verdict(shown: Shown) -> Markup:
    if shown.score is None:
        return Markup("<p class=note>Without its discriminator, which alone could score it.</p>")
    name = "D(x)" if shown.probability else "D’s score"
    said = Markup("<p class=score>{} <b>{}</b></p>").format(name, f"{shown.score:.2f}".replace("-", "−"))
    spreads = {"real": shown.of_real, "drawn": shown.of_generated}
    rows = [(kind, spread) for kind, spread in spreads.items() if spread is not None]
    low, high = (0.0, 1.0) if shown.probability else _range(shown.score, [spread for _, spread in rows])
    bars = Markup().join(_bar(kind, spread, low, high) for kind, spread in rows)
    needle = Markup('<i class="needle" style="left:{:.2f}%"></i>').format(_percent(shown.score, low, high))
    about = "Eight of ten images have a score within the bar, and half of them one below the tick."
    return said + Markup('<div class="gauge" title="{}">{}<div class="over">{}</div></div>').format(about, bars, needle)


def _bar(kind: str, spread: Spread, low: float, high: float) -> Markup:
    left, middle, right = (_percent(value, low, high) for value in spread)
    return Markup(
        '<span>{0}</span><div class="track {0}"><i class="bar" style="left:{1:.2f}%;width:{2:.2f}%"></i>'
        '<i class="tick" style="left:{3:.2f}%"></i></div>'
    ).format(kind, left, right - left, middle)


def _range(score: float, spreads: Sequence[Spread]) -> tuple[float, float]:
    """From a little below the least of all these scores to a little above the largest."""
    numbers = [score, *(value for spread in spreads for value in spread)]
    margin = 0.1 * (max(numbers) - min(numbers)) or 1.0
    return min(numbers) - margin, max(numbers) + margin


def _percent(value: float, low: float, high: float) -> float:
    return 100 * min(1.0, max(0.0, (value - low) / (high - low)))


def strip(images: Tensor) -> Markup:
    """Images (N, C, H, W), bytes, in a row."""
    row = torch.cat([*images], dim=2)
    return Markup('<img class="strip pixels" alt="from one end to the other" src="{}">').format(png(row))


def row(images: Tensor, captions: Sequence[str]) -> Markup:
    """Images (N, C, H, W), bytes, each with a line below it."""
    figures = (
        Markup('<figure><img class="pixels" alt="" src="{}"><figcaption>{}</figcaption></figure>').format(
            png(image), caption
        )
        for image, caption in zip(images, captions, strict=True)
    )
    return Markup('<div class="ranked">{}</div>').format(Markup().join(figures))


def note(text: str) -> Markup:
    """A line that says why something is not there."""
    return Markup("<p class=note>{}</p>").format(text)
