"""One's own images: folders and archives of every kind, and what is wrong with some."""

import io
import logging
import os
import shutil
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import CONDITIONAL, SHORT, Run, the_one_line, without_model
from PIL import Image

from gan_lightning import evaluate
from gan_lightning.data import base, image_files, prepared
from gan_lightning.data.folder import ImageFolder, Layout, in_order, layout
from gan_lightning.data.mnist5k import MNIST5k
from gan_lightning.errors import UserError


def write(path: Path, seed: int = 0, size: tuple[int, int] = (8, 8), **options: object) -> Path:
    """A file of a random image, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    Image.fromarray(pixels).save(path, **options)
    return path


def several(folder: Path, *names: str) -> Path:
    for seed, name in enumerate(names):
        write(folder / name, seed)
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve images of three classes."""
    return several(tmp_path / "photos", *(f"{kind}/{kind} {n}.png" for kind in ("ant", "bee", "cat") for n in range(4)))


def opened(path: Path, data_dir: Path | None = None, **settings: object) -> ImageFolder:
    chosen = {"image_size": 8, "held_out": 0.0, "batch_size": 2, "data_dir": str(data_dir or path.parent / "data")}
    return ImageFolder(str(path), **{**chosen, **settings})  # type: ignore[arg-type]


def contents(data: ImageFolder, train: bool = True) -> list[tuple[bytes, int]]:
    images, labels = data.split(train)
    return [(image.numpy().tobytes(), label) for image, label in zip(images, labels.tolist(), strict=True)]


LAYOUTS: list[tuple[Sequence[str], Sequence[str], dict[str, tuple[int, bool | None]]]] = [
    ([""], [], {"": (0, None)}),
    (["a"], [], {"a": (0, None)}),
    (["a", "b"], ["a", "b"], {"a": (0, None), "b": (1, None)}),
    (["", "a", "b"], [], {"": (0, None), "a": (0, None), "b": (0, None)}),
    (["all/a", "all/b"], ["a", "b"], {"all/a": (0, None), "all/b": (1, None)}),
    (["./a", "./b/c", "./b"], ["a", "b"], {"./a": (0, None), "./b": (1, None), "./b/c": (1, None)}),
    (["10", "9", "9/deeper"], ["9", "10"], {"9": (0, None), "9/deeper": (0, None), "10": (1, None)}),
    (["train", "test"], [], {"train": (0, True), "test": (0, False)}),
    (["x/Train", "x/Val"], [], {"x/Train": (0, True), "x/Val": (0, False)}),
    (
        ["train/a", "train/b", "test/b", "test/c"],
        ["a", "b", "c"],
        {"train/a": (0, True), "train/b": (1, True), "test/b": (1, False), "test/c": (2, False)},
    ),
    (["train/a", "test"], [], {"train/a": (0, True), "test": (0, False)}),
    (["train", "test", "val", "more", ""], [], {"train": (0, True), "test": (0, False)}),
    (["train", "other"], ["other", "train"], {"other": (0, None), "train": (1, None)}),
    ([], [], {}),
]


@pytest.mark.parametrize(("folders", "classes", "of_folder"), LAYOUTS)
def test_what_folders_mean(folders: list[str], classes: list[str], of_folder: dict) -> None:
    assert layout(folders) == Layout(list(classes), of_folder)


def test_numbers_are_in_their_order_and_names_in_none() -> None:
    numbered = ["b/10.png", "a/9.png", "b/9.png", "a/0011.png", "a/2.png"]
    assert in_order(numbered) == ["a/2.png", "a/9.png", "b/9.png", "b/10.png", "a/0011.png"]
    named = [f"{kind}/{kind}{n}.png" for kind in ("cat", "dog") for n in range(100)]
    ordered = in_order(named)
    assert ordered == in_order(named[::-1])
    assert 30 < sum(name.startswith("cat") for name in ordered[:100]) < 70
    assert [name for name in in_order([*named, "dog/new.png"]) if name != "dog/new.png"] == ordered


def test_a_folder_of_three_classes(photos: Path) -> None:
    data = opened(photos)
    assert (data.image_shape, data.num_classes, data.classes) == ((3, 8, 8), 3, ["ant", "bee", "cat"])
    assert data.class_names == data.classes
    assert data.title == "photos (8 × 8)"
    expected = {}
    for label, kind in enumerate(data.classes):
        for n in range(4):
            with Image.open(photos / kind / f"{kind} {n}.png") as image:
                expected[np.asarray(image).transpose(2, 0, 1).tobytes()] = label
    assert dict(contents(data)) == expected


def zipped(folder: Path, archive: Path, within: str = "") -> Path:
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.rglob("*.*")):
            file.write(path, within + path.relative_to(folder).as_posix())
    return archive


@pytest.mark.parametrize("within", ["", "photos/", "./", "für dich/"])
def test_an_archive_is_the_same_as_its_folder(photos: Path, within: str, tmp_path: Path) -> None:
    archive = zipped(photos, tmp_path / "meine Bilder.zip", within)
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("__MACOSX/ant/._ant 0.png", b"no image")
        file.writestr(f"{within}ant/.hidden.png", b"no image")
        file.writestr(f"{within}ant/readme.txt", b"no image")
    data = opened(archive)
    assert data.classes == ["ant", "bee", "cat"]
    assert sorted(contents(data)) == sorted(contents(opened(photos)))


def test_names_of_all_kinds(tmp_path: Path) -> None:
    names = ["Ä ö/ü ß.png", "Ä ö/$(x) 'y'.png", "b/" + os.fsdecode(b"\xff\xfe.png"), "b/new\nline.PNG", "b/日本.JPeG"]
    photos = several(tmp_path / "Bilder für dich", *names)
    for _ in range(2):
        data = opened(photos)
        assert len(contents(data)) == 5
        assert [label for _, label in contents(data)].count(1) == 2  # Ä comes after b


def test_links_may_go_round(photos: Path, tmp_path: Path) -> None:
    expected = sorted(contents(opened(photos)))
    (photos / "ant" / "up").symlink_to(photos)
    (photos / "ant" / "itself").symlink_to("itself")
    (photos / "round").symlink_to(photos / "bee" / "round")
    (photos / "bee" / "round").symlink_to(photos / "round")
    (photos / "a link to cat").symlink_to("cat")
    assert sorted(contents(opened(photos))) == expected
    several(tmp_path / "elsewhere", "1.png")
    (photos / "dog").symlink_to(tmp_path / "elsewhere")
    assert opened(photos).classes == ["ant", "bee", "cat", "dog"]
    assert len(contents(opened(photos))) == 13


def test_hidden_files_pipes_and_others_are_no_images(photos: Path) -> None:
    (photos / "ant" / ".DS_Store.png").write_bytes(b"none")
    (photos / ".thumbnails").mkdir()
    (photos / ".thumbnails" / "0.png").write_bytes(b"none")
    (photos / "notes.txt").write_text("none")
    os.mkfifo(photos / "pipe.png")
    assert len(contents(opened(photos))) == 12


def test_what_changes_between_two_runs(photos: Path) -> None:
    opened(photos).prepare_data()
    write(photos / "ant" / "ant 0.png", seed=90)
    write(photos / "bee" / "new.png", seed=91)
    (photos / "cat" / "cat 3.png").unlink()
    shutil.move(photos / "cat" / "cat 2.png", photos / "ant" / "cat 2.png")
    os.utime(photos / "bee" / "bee 1.png", ns=(0, 0))
    known = opened(photos)
    assert sorted(contents(known)) == sorted(contents(opened(photos, photos.parent / "other")))
    shutil.rmtree(photos / "bee")
    assert opened(photos).classes == ["ant", "cat"]
    assert sorted(contents(opened(photos))) == sorted(contents(opened(photos, photos.parent / "another")))


def test_a_change_that_hides_its_time_is_noticed(photos: Path) -> None:
    one, other = photos / "ant" / "ant 0.png", photos / "ant" / "other.bmp"
    write(other.with_name("first.bmp"), seed=1)
    data = contents(opened(photos))
    before = other.with_name("first.bmp").stat()
    write(other, seed=2)
    shutil.move(other, other.with_name("first.bmp"))
    os.utime(other.with_name("first.bmp"), ns=(before.st_atime_ns, before.st_mtime_ns))
    assert other.with_name("first.bmp").stat().st_size == before.st_size
    assert contents(opened(photos)) != data
    assert one.exists()


def test_what_is_held_out_stays_so(tmp_path: Path) -> None:
    photos = several(tmp_path / "photos", *(f"{n:03}.png" for n in range(100)))
    data = opened(photos, held_out=0.2)
    held_out, kept = set(contents(data, train=False)), set(contents(data))
    assert 8 <= len(held_out) <= 32
    assert len(kept | held_out) == 100
    for n in range(50):
        (photos / f"{n:03}.png").rename(photos / f"renamed {n}.png")
    several(photos, *(f"more {n}.png" for n in range(10)))  # the first ten once more
    again = opened(photos, held_out=0.2)
    assert set(contents(again, train=False)) == held_out
    assert set(contents(again)) == kept


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_settings_do_not_share_what_they_prepared(fit: str, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    write(photos / "wide.png", size=(10, 30))
    write(photos / "high.png", size=(30, 10))
    shapes = {(3, 8): (3, 8, 8), (1, 8): (1, 8, 8), (3, 5): (3, 5, 5)}
    for (channels, size), shape in shapes.items():
        assert opened(photos, image_size=size, channels=channels, fit=fit).split(True)[0].shape == (2, *shape)
    others = {bytes(opened(photos, fit=each).split(True)[0].numpy().tobytes()) for each in ("crop", "pad", "stretch")}
    assert len(others) == 3


BMP = io.BytesIO()
Image.new("RGB", (2, 2)).save(BMP, "BMP")


def damage(photos: Path) -> None:
    """Seven files that cannot be read, where more than 2^16 bytes are too many."""
    (photos / "ant" / "none.png").write_bytes(b"no image at all")
    (photos / "ant" / "empty.jpg").write_bytes(b"")
    whole = write(photos / "bee" / "short.jpg", size=(64, 64)).read_bytes()
    (photos / "bee" / "short.jpg").write_bytes(whole[: len(whole) // 2])
    (photos / "bee" / "nowhere.gif").symlink_to("nowhere")
    (photos / "bee" / "bomb.bmp").write_bytes(BMP.getvalue()[:18] + b"\0\0\1\0\0\0\1\0" + BMP.getvalue()[26:])
    (photos / "cat" / "film.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    with (photos / "cat" / "large.tif").open("wb") as file:
        file.truncate(2**16 + 1)


def test_damaged_files_are_named_and_left_out(
    photos: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_files, "MOST_BYTES", 2**16)
    expected = sorted(contents(opened(photos)))
    damage(photos)
    caplog.clear()
    data = opened(photos)
    assert sorted(contents(data)) == expected
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "photos (8 × 8): 7 of 19 files cannot be read and are left out: '" in warning
    assert warning.endswith(" and 4 more")
    index = prepared.folder_of(str(photos.parent / "data"), data.title, str(photos), data.image_shape, "crop", 0.0)
    there = prepared.read_prepared(index)
    assert there is not None
    assert there.unreadable.pop("bee/short.jpg").startswith("image file is truncated")
    assert there.unreadable == {
        "ant/none.png": "no BMP, GIF, JPEG, PNG, TIFF or WEBP image",
        "ant/empty.jpg": "no BMP, GIF, JPEG, PNG, TIFF or WEBP image",
        "bee/nowhere.gif": "No such file or directory",
        "bee/bomb.bmp": "Image size (4294967296 pixels) exceeds limit of 178956970 pixels, could be decompression bomb"
        " DOS attack.",
        "cat/film.png": "no BMP, GIF, JPEG, PNG, TIFF or WEBP image",
        "cat/large.tif": "it has more than 65,536 bytes",
    }


def test_a_folder_that_cannot_be_listed_is_named(
    photos: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    scandir = os.scandir

    def refused(path: Path) -> Any:
        if path.name == "bee":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    monkeypatch.setattr(Path, "iterdir", refused)
    assert len(contents(opened(photos))) == 8
    assert "1 of 9 files cannot be read and is left out: 'bee/' (Permission denied)" in caplog.text


def encrypted(archive: Path) -> Path:
    """The first member of an archive as if it were encrypted."""
    content = bytearray(archive.read_bytes())
    for signature, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(signature) + place] |= 1
    archive.write_bytes(content)
    return archive


def test_members_that_cannot_be_read(photos: Path, caplog: pytest.LogCaptureFixture) -> None:
    archive = encrypted(zipped(photos, photos.parent / "photos.zip"))
    content = bytearray(archive.read_bytes())
    content[content.index(b"bee 1.png") + 200] ^= 255  # its checksum is not what it was
    archive.write_bytes(content)
    assert len(contents(opened(archive))) == 10
    assert "'ant/ant 0.png' (File 'ant/ant 0.png' is encrypted, password required for extraction)" in caplog.text
    assert "'bee/bee 1.png' (Bad CRC-32 for file 'bee/bee 1.png')" in caplog.text


def bomb(archive: Path) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("bomb.bmp", bytes(2**20))
    content = bytearray(archive.read_bytes())
    place = content.index(b"PK\1\2") + 24
    content[place : place + 4] = (2**31).to_bytes(4, "little")
    archive.write_bytes(content)


def climbing(name: str) -> Callable[[Path], None]:
    def make(archive: Path) -> None:
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("fine.png", b"")
            file.writestr("good.png", b"")
            file.writestr(name, b"")

    return make


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (bomb, r"has 1,\d+ bytes, of which its images would make 2,147,483,648"),
        (climbing("../evil.png"), r"has the name '../evil.png' in it, which leads out of the archive"),
        (climbing("a/../../evil.png"), "leads out"),
        (climbing("/etc/evil.png"), "leads out"),
        (climbing("C:/evil.png"), "leads out"),
        (climbing("..\\evil.png"), "leads out"),
        (climbing("notes.txt/"), "fine"),
        (lambda path: path.write_bytes(b"no archive"), "path must be .*'.*photos.zip' is a damaged archive: File is"),
        (lambda path: path.write_bytes(b""), "damaged archive"),
        (lambda path: path.write_bytes(b"PK\5\6" + bytes(10)), "damaged archive"),
        (lambda path: zipfile.ZipFile(path, "w").close(), "must be a folder with images .* has none"),
        (lambda path: path.mkdir(), "must be a folder with images .* has none"),
        (os.mkfifo, "is neither"),
        (lambda path: None, "is not there"),
    ],
)
def test_what_is_no_folder_and_no_archive_of_images(
    make: Callable[[Path], object], expected: str, tmp_path: Path
) -> None:
    make(tmp_path / "photos.zip")
    if expected == "fine":
        assert len(opened(tmp_path / "photos.zip").items) == 2
        return
    with pytest.raises(ValueError, match=expected):
        opened(tmp_path / "photos.zip")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"image_size": 0}, "image_size must be a whole number of at least 1, not 0"),
        ({"channels": 4}, r"channels must be 1 \(gray\) or 3 \(RGB\), not 4"),
        ({"fit": "squeeze"}, "fit must be crop, pad, stretch, not 'squeeze'"),
        ({"held_out": 1}, "held_out must be a share from 0 to less than 1, not 1"),
        ({"held_out": True}, "held_out must be a share"),
        ({"mirrors": "perhaps"}, "mirrors must be true or false, not 'perhaps'"),
    ],
)
def test_a_wrong_setting(settings: dict[str, Any], expected: str, photos: Path) -> None:
    with pytest.raises(ValueError, match=expected):
        opened(photos, **settings)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "dataset.path must be a folder of images, or a zip archive of one: dataset.path=…"),
        (["dataset.path=nowhere"], "dataset.path must be a folder of images, or a zip archive of one; 'nowhere' is"),
        (
            ["dataset.path='photos/ant/ant 0.png'"],
            "dataset.path must be a folder of images, or a zip archive of one; 'photos/ant/ant 0.png' is an image: give"
            " its folder, 'photos/ant'",
        ),
        (
            ["dataset.path=plugs.py"],
            "dataset.path must be a folder of images, or a zip archive of one; 'plugs.py' is n",
        ),
        (["dataset.path=photos", "dataset.held_out=0"], "dataset.batch_size is 32, but photos (32 × 32) has only 12"),
    ],
)
def test_a_mistake_is_one_line(words: list[str], expected: str, photos: Path, run: Run) -> None:
    Path("plugs.py").write_text("no archive")
    outcome = run("dataset=folder", *words, "trainer=cpu", "output_dir=run")
    assert outcome.stderr.splitlines()[-1].startswith(f"error: {expected}")
    assert outcome.exit_code == 1
    assert "Traceback" not in outcome.stderr
    assert not Path("run").exists()


def test_too_few_images_leave_nothing_behind(tmp_path: Path) -> None:
    write(tmp_path / "photos" / "only.png")
    with pytest.raises(ValueError, match=r"path must be a folder with at least 2 images; '.*photos' has one alone"):
        opened(tmp_path / "photos")
    write(tmp_path / "photos" / "second.png", seed=1)
    with pytest.raises(UserError, match=r"has \d training images?, and \d held out .* takes at least 2: add images"):
        opened(tmp_path / "photos", held_out=0.999).setup("fit")
    (tmp_path / "photos" / "second.png").write_bytes(b"none")
    with pytest.raises(UserError, match="has 1 training image, and 0 held out"):
        opened(tmp_path / "photos").setup("fit")
    assert not list(tmp_path.glob("data/prepared/*"))


def test_what_there_is_is_said_before_a_training(photos: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    data = opened(photos)
    data.setup("fit")
    said = "photos (8 × 8): 12 images for training, none held out for measuring, 3 classes (ant, bee, cat)"
    assert caplog.messages == [said]
    with pytest.raises(UserError, match="has no test images, and 12 training images; add images, choose another"):
        data.setup("test")


def test_a_training_goes_on_with_more_images_of_one_class_and_a_command_says_so_plainly(
    tmp_path: Path, run: Run
) -> None:
    folder = several(tmp_path / "photos", *(f"{n}.png" for n in range(12)))
    small = [*without_model(SHORT[3:]), *CONDITIONAL, "dataset.image_size=32", "dataset.held_out=0"]
    words = ["dataset=folder", "dataset.path=photos", "dataset.batch_size=4", *small, "ckpt_path=auto"]
    outcome = run(*words, "trainer.max_epochs=1")
    assert outcome.exit_code == 0, outcome.stderr
    assert "all images of photos (32 × 32) are of one class" in outcome.stdout
    assert "goes on" not in outcome.stdout
    (write(folder / "damaged.png")).write_bytes(b"none")
    write(folder / "another.png", seed=99)
    outcome = run(*words, "trainer.max_epochs=2")
    assert outcome.exit_code == 0, outcome.stderr
    assert "goes on after epoch 1, from run/checkpoints/last.ckpt\n" in outcome.stdout
    assert "it had 12 training images until there, and has 13 now\n" in outcome.stdout
    outcome = run("ckpt=run", "measures=[equilibrium]", "num_samples=4", "output_dir=measured", entry_point=evaluate)
    assert outcome.stdout.startswith("photos (32 × 32): 1 of 14 files cannot be read"), outcome.stdout


def test_where_nothing_can_be_read(tmp_path: Path, run: Run) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "photos" / name).write_bytes(b"none")
    outcome = run("dataset=folder", "dataset.path=photos", "trainer=cpu", "output_dir=run")
    assert outcome.stderr.splitlines()[-1] == "error: none of the 2 files in photos can be read as an image"
    assert "Traceback" not in outcome.stderr


def weights(path: str) -> dict[str, torch.Tensor]:
    return torch.load(f"{path}/checkpoints/last.ckpt", weights_only=True)["state_dict"]


@pytest.mark.slow
def test_digits_from_files_train_the_same_weights(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for part, train in (("train", True), ("test", False)):
        for number, (image, label) in enumerate(zip(*MNIST5k().split(train), strict=True)):
            if number < 40:
                path = tmp_path / "digits" / part / str(label.item()) / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(image[0].numpy()).save(path)
    of_folder = ["dataset=folder", "dataset.path=digits", "dataset.image_size=28", "dataset.channels=1"]
    assert run(*SHORT[:-1], "trainer.max_epochs=2", "output_dir=digits5k").exit_code == 0
    expected = weights("digits5k")
    for where in ("memory", "mapped"):
        if where == "mapped":
            monkeypatch.setattr(prepared, "MOST_AT_ONCE", 1000)
            monkeypatch.setattr(base, "MOST_AT_ONCE", 1000)
        outcome = run(*SHORT[1:-1], *of_folder, "trainer.max_epochs=2", f"output_dir={where}")
        assert outcome.exit_code == 0, outcome.stderr
        assert "digits (28 × 28): 40 images for training, 40 for measuring, 10 classes (0, 1, " in outcome.stdout
        found = weights(where)
        assert expected.keys() == found.keys()
        assert all(torch.equal(expected[name], found[name]) for name in expected)
    (tmp_path / "digits").rename(tmp_path / "elsewhere")
    measured = ["ckpt=memory", "measures=[equilibrium]", "num_samples=8", "output_dir=measured"]
    assert "digits" in the_one_line(run(*measured, entry_point=evaluate))
    outcome = run(*measured, "path=elsewhere", entry_point=evaluate)
    assert outcome.exit_code == 0, outcome.stderr
