"""Images that have been decoded once: taken over while they are the same, whole whatever happens."""

import logging
import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import forks
from torch import Tensor

from gan_lightning.data import prepared
from gan_lightning.data.fitting import UnreadableImageError
from gan_lightning.data.prepared import Item, Prepared, digest, folder_of, is_held_out, prepare, read_prepared
from gan_lightning.errors import UserError

SHAPE = (3, 2, 4)


class Source:
    """Images that are made of their names and stamps; keeps which ones it was asked for."""

    def __init__(self, *names: str, stamps: dict[str, int] | None = None, damaged: Sequence[str] = ()) -> None:
        self.items = [Item(name, [(stamps or {}).get(name, 0)], len(name), None) for name in names]
        self.damaged = damaged
        self.asked: list[str] = []

    def image(self, item: Item) -> Tensor:
        seed = int(digest(f"{item.name} {item.stamp}".encode()), 16) % 2**32
        return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, SHAPE, np.uint8))

    def read(self, number: int) -> tuple[Tensor, str]:
        item = self.items[number]
        self.asked.append(item.name)
        if item.name in self.damaged:
            raise UnreadableImageError("it is damaged")
        image = self.image(item)
        return image, digest(image.numpy())

    def prepare(self, folder: Path, held_out: float = 0.3) -> Prepared:
        found = prepare(folder, "numbers", self.items, self.read, SHAPE, held_out)
        self.check(found, held_out)
        return found

    def check(self, found: Prepared, held_out: float = 0.3) -> None:
        for train, (images, labels) in found.splits.items():
            kept = [item for item in self.items if item.name not in self.damaged]
            chosen = [item for item in kept if is_held_out(digest(self.image(item).numpy()), held_out) != train]
            assert images.shape == (len(chosen), *SHAPE)
            assert images.dtype == torch.uint8
            assert all(torch.equal(image, self.image(item)) for image, item in zip(images, chosen, strict=True))
            assert labels.tolist() == [item.label for item in chosen]
        assert found.unreadable == dict.fromkeys(self.damaged, "it is damaged")


NAMES = tuple(f"{n}" for n in range(100))


def test_what_is_prepared_is_not_decoded_again(tmp_path: Path) -> None:
    first, second = Source(*NAMES), Source(*NAMES)
    assert read_prepared(tmp_path) is None
    first.prepare(tmp_path)
    assert sorted(first.asked) == sorted(NAMES)
    second.prepare(tmp_path)
    assert second.asked == []
    there = read_prepared(tmp_path)
    assert there is not None
    second.check(there)
    assert len(list(tmp_path.glob("*.npy"))) == 2


def test_of_what_changed_alone_is_decoded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Source(*NAMES, damaged=["7"]).prepare(tmp_path)
    changed = Source("new", *NAMES[50:], "7", *NAMES[8:50], stamps={"60": 1, "20": 1})
    with caplog.at_level(logging.INFO):
        changed.prepare(tmp_path)
    assert sorted(changed.asked) == ["20", "60", "7", "new"]
    assert "numbers: 2 new, 2 changed, 7 gone" in caplog.text
    assert len(list(tmp_path.glob("*.npy"))) == 2


def test_other_labels_decode_nothing(tmp_path: Path) -> None:
    Source(*NAMES).prepare(tmp_path)
    renamed = Source(*NAMES)
    renamed.items = [item._replace(label=5) for item in renamed.items]
    renamed.prepare(tmp_path)
    assert renamed.asked == []


def test_splits_that_are_given(tmp_path: Path) -> None:
    source = Source(*NAMES)
    source.items = [item._replace(train=int(item.name) % 3 > 0) for item in source.items]
    splits = prepare(tmp_path, "numbers", source.items, source.read, SHAPE, held_out=0.5).splits
    for train in (True, False):
        expected = [source.image(item) for item in source.items if item.train is train]
        assert torch.equal(splits[train][0], torch.stack(expected))


def test_nothing_at_all(tmp_path: Path) -> None:
    assert [len(images) for images, _ in Source().prepare(tmp_path).splits.values()] == [0, 0]


def test_what_cannot_be_read_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    names = ("schöne Bilder/ä.png", os.fsdecode(b"\xff.png"), "two\nlines", "4", "5", *NAMES[6:])
    for _ in range(2):
        caplog.clear()
        Source(*names, damaged=names[:5]).prepare(tmp_path)
        (record,) = caplog.records
        assert record.getMessage() == (
            "numbers: 5 of 99 files cannot be read and are left out: 'schöne Bilder/ä.png' (it is damaged),"
            " '\\udcff.png' (it is damaged), 'two\\nlines' (it is damaged) and 2 more"
        )
    caplog.clear()
    Source("1", "2", damaged=["1"]).prepare(tmp_path)
    assert caplog.messages == ["numbers: 1 of 2 files cannot be read and is left out: '1' (it is damaged)"]


def test_what_the_system_did_not_give_is_asked_for_again(tmp_path: Path) -> None:
    class Unplugged(Source):
        unplugged = True

        def read(self, number: int) -> tuple[Tensor, str]:
            if self.unplugged and number == 3:
                self.asked.append("3")
                raise UnreadableImageError("Input/output error") from OSError(5, "Input/output error")
            return super().read(number)

    source = Unplugged(*NAMES)
    arrays = []
    for expected in (100, 1):
        source.asked.clear()
        assert prepare(tmp_path, "numbers", source.items, source.read, SHAPE).unreadable == {"3": "Input/output error"}
        assert len(source.asked) == expected
        arrays.append(sorted(tmp_path.glob("*.npy")))
    assert arrays[0] == arrays[1]
    source.unplugged = False
    source.prepare(tmp_path)
    assert source.prepare(tmp_path).unreadable == {}


@pytest.mark.parametrize("damage", ["index", "array", "short", "gone", "version", "no index"])
def test_damage_is_mended(damage: str, tmp_path: Path) -> None:
    Source(*NAMES).prepare(tmp_path)
    index, array = tmp_path / prepared.INDEX, next(tmp_path.glob("train*.npy"))
    match damage:
        case "index":
            index.write_bytes(index.read_bytes()[:-20])
        case "array":
            array.write_bytes(b"something else")
        case "short":
            array.write_bytes(array.read_bytes()[:-1])
        case "gone":
            array.unlink()
        case "version":
            index.write_text(index.read_text().replace('"version": 1', '"version": 0'))
        case _:
            index.write_text("[]")
    assert read_prepared(tmp_path) is None
    source = Source(*NAMES)
    source.prepare(tmp_path)
    assert sorted(source.asked) == sorted(NAMES)


def test_large_arrays_are_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "MOST_AT_ONCE", 500)
    source = Source(*NAMES)
    source.prepare(tmp_path)
    found = source.prepare(tmp_path)
    mapped = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines()}
    arrays = {path.name.split("-")[0]: str(path) in mapped for path in tmp_path.glob("*.npy")}
    assert arrays == {"train": True, "test": True}
    del found


def test_the_held_out_share_is_as_large_as_it_should_be() -> None:
    digits = [digest(str(n).encode()) for n in range(4000)]
    for share in (0.0, 0.1, 0.5, 1.0):
        held_out = {each for each in digits if is_held_out(each, share)}
        assert abs(len(held_out) / 4000 - share) < 0.02
    assert {each for each in digits if is_held_out(each, 0.1)} < {each for each in digits if is_held_out(each, 0.2)}


def test_folders_of_different_things_are_different(tmp_path: Path) -> None:
    made_from: list[tuple[Any, ...]] = [("a", 1), ("a", 2), ("b", 1), (os.fsdecode(b"\xff"), 1)]
    folders = {folder_of(str(tmp_path), "Grüne Häuser/..", *each) for each in made_from}
    assert len(folders) == 4
    assert all(folder.parent == tmp_path / "prepared" for folder in folders)
    assert folder_of("x", "y", 1) == folder_of("x", "y", 1)


def test_a_full_disk_is_noticed_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Source(*NAMES[:50]).prepare(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 2399))  # type: ignore[attr-defined]
    source = Source(*NAMES)
    with pytest.raises(UserError, match=rf"100 images of numbers take 0.0 GB, but {tmp_path} has room for 0.0 GB; "):
        source.prepare(tmp_path)
    assert source.asked == []
    Source(*NAMES[:50]).prepare(tmp_path)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(UserError, match=r"cannot write the prepared .* \(Not a directory\); .* data_dir="):
        Source("1").prepare(tmp_path / "data" / "prepared")


def test_an_error_of_the_source_is_loud_and_leaves_what_was(tmp_path: Path) -> None:
    Source(*NAMES).prepare(tmp_path)
    files = sorted(tmp_path.iterdir())
    source = Source(*NAMES, "more")
    with pytest.raises(ZeroDivisionError):
        prepare(tmp_path, "numbers", source.items, lambda _: 1 // 0, SHAPE, 0.3)
    assert sorted(tmp_path.iterdir()) == files
    Source(*NAMES).prepare(tmp_path)


@forks
def test_of_two_processes_one_decodes_and_the_other_waits(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    both_are_there, counted = context.Barrier(2), context.Value("i", 0)

    class Slow(Source):
        def read(self, number: int) -> tuple[Tensor, str]:
            time.sleep(0.002)
            with counted.get_lock():
                counted.value += 1
            return super().read(number)

    def work() -> None:
        both_are_there.wait(30)
        Slow(*NAMES).prepare(tmp_path)

    processes = [context.Process(target=work) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0, 0]
    assert counted.value == 100


@pytest.mark.slow
@forks
def test_killed_at_any_moment_it_leaves_what_was_or_what_should_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = multiprocessing.get_context("fork")
    before, after = NAMES[:40], NAMES[20:]
    monkeypatch.setattr(os, "fsync", lambda _: None)  # a kill is not a power cut, and disks are slow

    def killed_at(step: int) -> bool:
        """Whether a process that is killed at that step is killed at all."""

        def work() -> None:
            steps = iter(range(1000))

            def before_it(call: Any) -> Any:
                def counting(*args: Any, **kwargs: Any) -> Any:
                    if next(steps) == step:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return call(*args, **kwargs)

                return counting

            for owner, name in ((Path, "replace"), (Path, "unlink"), (os, "fsync"), (Source, "read")):
                monkeypatch.setattr(owner, name, before_it(getattr(owner, name)))
            monkeypatch.setattr(prepared, "AT_A_TIME", 30)
            Source(*after).prepare(folder)

        process = context.Process(target=work)
        process.start()
        process.join(30)
        assert process.exitcode in (0, -signal.SIGKILL)
        return process.exitcode != 0

    step = 0
    for step in (0, 30, *range(58, 1000)):
        folder = tmp_path / str(step)
        Source(*before).prepare(folder)
        killed = killed_at(step)
        there = read_prepared(folder)
        assert there is not None
        assert len(there.splits[True][1]) + len(there.splits[False][1]) in (len(before), len(after))
        again = Source(*after)
        again.prepare(folder)
        assert set(again.asked) <= set(after) - set(before)
        assert len(list(folder.glob("*.npy"))) == 2
        assert not list(folder.glob("*.unfinished"))
        if not killed:
            break
    assert 68 < step < 90
