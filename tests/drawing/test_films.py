"""Films hold their frames, in order, each as long as it should last."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from gan_lightning.drawing import films
from gan_lightning.drawing.films import check_film, save_film
from gan_lightning.errors import UserError

COLOURS = [(250, 20, 20), (20, 250, 20), (20, 20, 250)]
GRAYS = [(10, 10, 10), (90, 90, 90), (240, 240, 240)]


def plain(colours: list[tuple[int, int, int]], height: int = 15, width: int = 33) -> Iterator[Tensor]:
    for colour in colours:
        yield torch.tensor(colour, dtype=torch.uint8)[:, None, None].expand(3, height, width)


@pytest.mark.parametrize("colours", [COLOURS, GRAYS])
@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_frames_and_how_long_they_last(kind: str, colours: list[tuple[int, int, int]], tmp_path: Path) -> None:
    path = tmp_path / f"film.{kind}"
    save_film(path, plain(colours), [1, 12, 50])
    with Image.open(path) as film:
        assert (film.n_frames, film.size, film.info["loop"]) == (3, (33, 15), 0)  # type: ignore[attr-defined]
        for number, (colour, lasts) in enumerate(zip(colours, (40, 480, 2000), strict=True)):
            film.seek(number)
            film.load()
            assert film.info["duration"] == lasts
            assert (np.asarray(film.convert("RGB")) == colour).all()


@pytest.mark.parametrize("colours", [COLOURS, GRAYS])
def test_an_mp4_of_even_sides(colours: list[tuple[int, int, int]], tmp_path: Path) -> None:
    save_film(tmp_path / "film.mp4", plain(colours), [1, 2, 3])
    with av.open(tmp_path / "film.mp4") as film:
        assert film.streams.video[0].average_rate == 25
        shown = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert [each.shape for each in shown] == [(16, 34, 3)] * 6
    for frame, number in zip(shown, [0, 1, 1, 2, 2, 2], strict=True):
        assert np.abs(frame[4:11, 4:29].astype(int) - colours[number]).max() < 16


def test_an_mp4_is_written_as_it_is_drawn(tmp_path: Path) -> None:
    alive = []

    def frames() -> Iterator[Tensor]:
        for _ in range(50):
            frame = torch.zeros(3, 32, 32, dtype=torch.uint8)
            alive.append(frame.untyped_storage()._weak_ref())
            yield frame

    save_film(tmp_path / "film.mp4", frames(), [1] * 50)
    assert sum(not torch.UntypedStorage._expired(each) for each in alive) <= 2  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["gif", "webp", "mp4"])
def test_a_film_that_cannot_be_drawn_to_its_end_is_not_written(kind: str, tmp_path: Path) -> None:
    def frames() -> Iterator[Tensor]:
        yield from plain(COLOURS)
        raise RuntimeError("the generator broke")

    with pytest.raises(RuntimeError, match="broke"):
        save_film(tmp_path / f"film.{kind}", frames(), [1] * 4)
    assert not [*tmp_path.iterdir()]


def test_what_is_too_large_or_needs_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    check_film(".mp4", 100_000, 250_000)
    with pytest.raises(UserError, match=r"100,000 frames with 250,000 pixels each is too large for a \.gif"):
        check_film(".gif", 100_000, 250_000)
    monkeypatch.setattr(films.importlib.util, "find_spec", lambda _: None)
    check_film(".gif", 1, 1)
    with pytest.raises(UserError, match=r"pip install 'gan-lightning\[mp4\]'"):
        check_film(".mp4", 1, 1)
