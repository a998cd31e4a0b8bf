"""Many images, one by one: whole or not at all."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from gan_lightning.drawing.forms import form_of
from gan_lightning.drawing.many import save_folder, save_npz
from gan_lightning.errors import UserError


def batches(channels: int = 1) -> Iterator[tuple[Tensor, Tensor]]:
    """Eleven images that tell their number, of the classes 4 and 7."""
    images = torch.arange(11, dtype=torch.uint8)[:, None, None, None].expand(11, channels, 3, 5)
    labels = torch.tensor([4] * 6 + [7] * 5)
    yield from zip(images.split(4), labels.split(4), strict=True)


def test_a_folder(tmp_path: Path) -> None:
    save_folder(tmp_path / "new" / "digits", batches(), 11, {})
    paths = sorted((tmp_path / "new" / "digits").iterdir())
    assert [path.name for path in paths] == [f"{n:02}.png" for n in range(11)]
    for number, path in enumerate(paths):
        with Image.open(path) as image:
            assert (image.mode, image.size, image.getpixel((0, 0))) == ("L", (5, 3), number)


def test_a_folder_of_classes(tmp_path: Path) -> None:
    (tmp_path / "digits").mkdir()  # an empty one is filled
    save_folder(tmp_path / "digits", batches(3), 11, {4: "four", 7: "7"})
    found = sorted(path.relative_to(tmp_path / "digits").as_posix() for path in tmp_path.rglob("*.png"))
    assert sorted(found) == sorted(f"{'four' if n < 6 else 7}/{n:02}.png" for n in range(11))


@pytest.mark.parametrize("labelled", [True, False])
def test_arrays(labelled: bool, tmp_path: Path) -> None:
    save_npz(tmp_path / "digits.npz", batches(2), (11, 2, 3, 5), labelled)
    with np.load(tmp_path / "digits.npz") as arrays:
        assert set(arrays) == {"images", "labels"} if labelled else {"images"}
        assert arrays["images"].shape == (11, 2, 3, 5)
        assert arrays["images"].dtype == np.uint8
        assert arrays["images"][:, 1, 2, 4].tolist() == [*range(11)]
        if labelled:
            assert arrays["labels"].tolist() == [4] * 6 + [7] * 5


@pytest.mark.parametrize("name", ["digits", "digits.npz"])
def test_what_is_interrupted_leaves_nothing(name: str, tmp_path: Path) -> None:
    def interrupted() -> Iterator[tuple[Tensor, Tensor]]:
        yield next(batches())
        raise KeyboardInterrupt

    save = (
        partial(save_folder, number=11, folders={})
        if name == "digits"
        else partial(save_npz, shape=(11, 1, 3, 5), labelled=True)
    )
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path / name, interrupted())
    assert not [*tmp_path.iterdir()]


def test_no_room(tmp_path: Path) -> None:
    for save in (
        lambda: save_folder(tmp_path / "not" / "there", batches(), 10**15, {}),
        lambda: save_npz(tmp_path / "digits.npz", batches(), (10**15, 1, 3, 5), labelled=False),
    ):
        with pytest.raises(UserError, match=r"1,000,000,000,000,000 images take .* GB, and there are .* draw fewer"):
            save()
    assert not [*tmp_path.iterdir()]


def test_a_suffix_is_a_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for output, form in (("a.png", ".png"), ("a/b.gif", ".gif"), ("a", ""), ("v1.5/", ""), ("a.npz", ".npz")):
        assert form_of(output) == form
    Path("empty.d").mkdir()
    assert form_of("empty.d") == ""
    Path("full/x").mkdir(parents=True)
    Path("file").touch()
    for output, right in (
        ("", "output must be a picture"),
        ("a.jpg", "not 'a.jpg'"),
        ("full", "not empty; choose another, or a file, full/samples.png"),
        ("file", "which is a file; a folder of PNGs needs another name"),
    ):
        with pytest.raises(UserError, match=right):
            form_of(output)
