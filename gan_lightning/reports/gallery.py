"""The pictures of all runs, as many as a page has room for."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from gan_lightning.errors import UserError
from gan_lightning.reports.exhibits import Exhibits, read_exhibits
from gan_lightning.reports.images import address, read_image, webp
from gan_lightning.reports.runs import Run

ROOM = 2_200_000
"""Bytes of all pictures on a page, which text makes a third more."""
MOST_FRAMES = 40
"""Of a film."""
SHARE_OF_EXTREMES = 4
"""How many times the room of another run the best and the worst one have."""


class Frame(NamedTuple):
    """The samples of an epoch."""

    epoch: int
    address: str


class Gallery(NamedTuple):
    """The pictures of a run.

    Attributes:
        frames: samples of some epochs, the last one always among them, if there are any.
        exhibits: what is said of the sheets, if there is room for one.
        sheets: their addresses by their names.
    """

    frames: list[Frame]
    exhibits: Exhibits | None
    sheets: dict[str, str]


def galleries(runs: Sequence[Run], extremes: Sequence[Run]) -> tuple[list[Gallery], list[str]]:
    """A gallery for each run, and a line for each picture that cannot be read.

    Args:
        runs: all.
        extremes: the best of them and the worst, which have more room.
    """
    damaged: list[str] = []
    weights = [SHARE_OF_EXTREMES if any(run is each for each in extremes) else 1 for run in runs]
    found = [_gallery(run, ROOM * weight / sum(weights), damaged) for run, weight in zip(runs, weights, strict=True)]
    return found, damaged


def _gallery(run: Run, room: float, damaged: list[str]) -> Gallery:
    """First the last samples, then the sheets, then samples of other epochs, evenly spaced, while there is room."""
    frames: dict[int, str] = {}
    sheets: dict[str, str] = {}
    exhibits = None
    last = len(run.grids) - 1
    with _noted(damaged):
        exhibits = read_exhibits(run.folder)
    with _noted(damaged):
        if run.grids:
            file = webp(read_image(run.grids[last]), room)
            frames[last] = address(file)
            room -= len(file)
    for name, path in exhibits.sheets.items() if exhibits else ():
        with _noted(damaged):
            if len(file := webp(read_image(path), ROOM)) <= room:
                sheets[name] = address(file)
                room -= len(file)
    with _noted(damaged):
        if last > 0:
            file = webp(read_image(run.grids[0]), ROOM)  # mostly noise, which takes more than what comes later
            others = min(int(room / len(file)), MOST_FRAMES, last)
            for place in sorted({n * last // others for n in range(others)}):
                frames[place] = address(webp(read_image(run.grids[place]), ROOM))
    epochs = [int(path.stem.removeprefix("epoch_")) for path in run.grids]
    return Gallery([Frame(epochs[n], frames[n]) for n in sorted(frames)], exhibits, sheets)


@contextmanager
def _noted(damaged: list[str]) -> Iterator[None]:
    """Go on without what cannot be read, and add a line that says so."""
    try:
        yield
    except UserError as reason:
        damaged.append(str(reason))
