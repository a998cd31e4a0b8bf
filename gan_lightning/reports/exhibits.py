"""What a run's players left for a report: D's scores, nearest neighbours, walks."""

from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from gan_lightning.errors import UserError, is_number
from gan_lightning.reports.runs import own
from gan_lightning.sweeps.status import LARGEST
from gan_lightning.whole_files import read_json

EXHIBITS = "exhibits/exhibits.json"
SHEETS = {"judged": (2, 24), "neighbours": (2, 12), "walks": (3, 12)}
"""The sheets of images beside it, and how many rows and columns each has."""


class Exhibits(NamedTuple):
    """What `gan_lightning.callbacks.exhibits` says of its sheets.

    Attributes:
        sheets: the files of those that there are, by their names in SHEETS.
        probabilities: whether scores are probabilities.
        scores: of the real images that are shown, and of the generated ones, from the least to the greatest.
        edges: of the bins of the histogram.
        real, generated: how many scores are in each bin.
        distances: of samples to the nearest training images.
    """

    sheets: dict[str, Path]
    probabilities: bool
    scores: list[list[float]]
    edges: list[float]
    real: list[float]
    generated: list[float]
    distances: list[float]


def read_exhibits(folder: Path) -> Exhibits | None:
    """Those in the folder of a run, if its training left any.

    Raises:
        UserError: if they are damaged.
    """
    path = own(folder, EXHIBITS)
    if path is None:
        return None
    said: dict[str, Any] = read_json(path) or {}
    scores, histograms, distances = (said.get(name, []) for name in ("scores", "histograms", "distances"))
    bins: dict[str, Any] = histograms if isinstance(histograms, dict) else {}
    edges, real, generated = (bins.get(name, []) for name in ("edges", "real", "generated"))
    if (
        not isinstance(said.get("probabilities"), bool)
        or not isinstance(scores, list)
        or len(scores) != SHEETS["judged"][0]
        or not all(_numbers(row, SHEETS["judged"][1]) for row in scores)
        or not _numbers(distances, SHEETS["neighbours"][1])
        or not isinstance(edges, list)
        or not _numbers(edges, len(edges))
        or any(left > right for left, right in pairwise(edges))
        or not (_numbers(real, len(edges) - 1) and _numbers(generated, len(edges) - 1))
    ):
        raise UserError(f"{path} is damaged")
    sheets = {name: sheet for name in SHEETS if (sheet := own(folder, f"exhibits/{name}.png"))}
    return Exhibits(sheets, said["probabilities"], scores, edges, real, generated, distances)


def _numbers(values: Any, length: int) -> bool:
    return (
        isinstance(values, list)
        and len(values) == length
        and all(is_number(value) and abs(value) < LARGEST for value in values)
    )
