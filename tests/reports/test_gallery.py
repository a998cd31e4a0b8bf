from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_lightning.errors import UserError
from gan_lightning.reports import gallery
from gan_lightning.reports.gallery import Gallery, galleries
from gan_lightning.reports.images import MOST_PIXELS, read_image, webp
from gan_lightning.reports.runs import Run
from gan_lightning.sweeps.jobs import State


def runs_with(tmp_path: Path, number: int, epochs: int, side: int = 64) -> list[Run]:
    """Runs that drew noise, which no picture takes more bytes than."""
    runs = []
    for n in range(number):
        random = np.random.default_rng(n)
        grids = [tmp_path / str(n) / f"epoch_{epoch:04}.png" for epoch in range(1, epochs + 1)]
        grids[0].parent.mkdir()
        for grid in grids:
            Image.fromarray(random.integers(0, 255, (side, side), dtype=np.uint8)).save(grid)
        runs.append(Run(grids[0].parent, State.COMPLETED, grids=grids))
    return runs


def size(of: Gallery) -> int:
    return sum(len(frame.address) for frame in of.frames)


@pytest.mark.parametrize(("number", "room"), [(1, 100_000), (6, 100_000), (6, 10_000_000), (12, 20_000)])
def test_pictures_take_the_room_that_there_is_and_the_last_is_always_there(
    number: int, room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery, "ROOM", room)
    runs = runs_with(tmp_path, number, epochs=9)
    found, damaged = galleries(runs, extremes=[runs[0], runs[-1]])
    assert not damaged
    assert sum(map(size, found)) < 1.4 * room
    assert all([frame.epoch for frame in each.frames][-1] == 9 for each in found)
    for each in found:
        epochs = [frame.epoch for frame in each.frames]
        assert epochs == sorted(set(epochs))
        assert len(epochs) == 1 or epochs[0] == 1
    assert len(found[0].frames) >= len(found[len(found) // 2].frames)
    if room > 1_000_000:
        assert all(len(each.frames) == 9 for each in found)


def test_a_picture_is_as_it_was_or_smaller() -> None:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 300), dtype=np.uint8)).convert("RGB")
    whole, small = webp(picture, 1e9), webp(picture, 5_000)
    assert len(small) <= 5_000 < len(whole)


def test_what_would_fill_the_memory_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    Image.new("1", (MOST_PIXELS // 1000 + 1, 1000)).save(path)
    with pytest.raises(UserError, match="too large for a page"):
        read_image(path)
