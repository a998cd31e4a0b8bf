"""Images that have been decoded once, kept as files of bytes.

A folder of such images has `index.json`, which says what was decoded, and the array of each split, which it names.
The arrays of a new index have new names and are whole before it is written, and older ones are removed after it: at any
moment the folder holds images that belong together, or none.
"""

import contextlib
import hashlib
import json
import logging
import math
import os
import re
import secrets
import shutil
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

import numpy as np
import torch
from filelock import FileLock, Timeout
from torch import Tensor
from tqdm import tqdm

from gan_lightning.data.base import MOST_AT_ONCE
from gan_lightning.data.fitting import UnreadableImageError
from gan_lightning.errors import UserError
from gan_lightning.whole_files import remove_unfinished, whole_file
from gan_lightning.wording import counted

log = logging.getLogger(__name__)

INDEX = "index.json"
VERSION = 1
"""Raised with every change of what is decoded, or how, so that no older files are taken for it."""
AT_A_TIME = 16
"""Images that a thread decodes before it asks for more."""
SHOWN = 3
"""Files that are named of those that cannot be read."""


class Item(NamedTuple):
    """An image that is to be decoded."""

    name: str
    """Of no other image of the set."""
    stamp: Any
    """As JSON has it; equal where the image of that name is still the same."""
    label: int
    train: bool | None
    """The split that it belongs to; None where its content decides."""


class Prepared(NamedTuple):
    """Images and labels of both splits, and what has been left out."""

    splits: dict[bool, tuple[Tensor, Tensor]]
    """By whether it is the training split: images (N, C, H, W), bytes, in memory or memory-mapped; labels (N,)."""
    unreadable: dict[str, str]
    """Why, by the name of the item."""
    class_names: Sequence[str] = ()
    """Those that were kept beside the images."""

    def introduce(self, title: str, classes: str) -> None:
        """Say how many images of the set of that title there are in each split, and what classes they have."""
        held_out = len(self.splits[False][1])
        for_measuring = f"{held_out:,} for measuring" if held_out else "none held out for measuring"
        log.info(
            "%s: %s for training, %s, %s", title, counted(len(self.splits[True][1]), "image"), for_measuring, classes
        )


Result = TypeVar("Result")
Read = Callable[[int], tuple[Tensor, str]]
"""The image (C, H, W), bytes, of the item of that number, and hexadecimal digits that its content decides, such as
:func:`digest`; from several threads at once. An `UnreadableImageError` leaves the image out."""


def digest(content: Any) -> str:
    """Sixteen hexadecimal digits of the SHA-256 of some bytes."""
    return hashlib.sha256(content).hexdigest()[:16]


def is_held_out(digits: str, share: float) -> bool:
    """Whether content with these hexadecimal digits belongs to the held-out share, whatever else there is."""
    return int(digits, 16) < share * 16 ** len(digits)


def folder_of(data_dir: str, title: str, *made_from: Any) -> Path:
    """Where prepared images belong: its own folder for all that they are made from, such as a path, a shape, a fit."""
    digits = digest(os.fsencode(repr(made_from)))
    return Path(data_dir) / "prepared" / f"{re.sub(r'[^a-z0-9]+', '-', title.lower()).strip('-')}-{digits[:8]}"


def prepare(
    folder: Path,
    title: str,
    items: Sequence[Item],
    read: Read,
    image_shape: tuple[int, int, int],
    held_out: float = 0.0,
    class_names: Sequence[str] = (),
) -> Prepared:
    """The images of some items, in their order; decoded where they have not been, and kept in a folder.

    Two processes may do this at once: one decodes, the other waits. What was decoded before of an item of the same name
    and stamp is taken over.

    Args:
        folder: where they are kept, as :func:`folder_of` says.
        title: what people call the set.
        items: the images.
        read: decodes one.
        image_shape: (C, H, W).
        held_out: the share of the images held out for measuring, of those that belong to no split.
        class_names: kept beside the images, for who has no other way to know them later.

    Raises:
        UserError: if the folder cannot be written, or there is not enough space.
    """
    wished = {
        "version": VERSION,
        "image_shape": list(image_shape),
        "held_out": held_out,
        "names": [item.name for item in items],
        "stamps": [item.stamp for item in items],
        "labels": [item.label for item in items],
        "train": [item.train for item in items],
    }
    index = _read_index(folder)
    found = None if _strays(folder, index) else _up_to_date(folder, index, wished, read)
    if found is None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _alone(folder, title):
                remove_unfinished(folder)
                index = _read_index(folder)  # another process may have been at work
                found = _up_to_date(folder, index, wished, read)
                if found is None:
                    index = _decode(folder, title, index, {**wished, "class_names": list(class_names)}, read)
                    found = _open(folder, index)
                    assert found is not None
                for path in _strays(folder, index):
                    with contextlib.suppress(PermissionError):  # where a file that is mapped cannot be removed
                        path.unlink(missing_ok=True)
        except OSError as reason:
            raise UserError(
                f"cannot write the prepared images of {title} to {folder} ({reason.strerror or reason});"
                " choose another folder for them with data_dir=…"
            ) from reason
    _tell_unreadable(title, found, len(items))
    return found


def read_prepared(folder: Path) -> Prepared | None:
    """What a folder holds, whatever it was made from; None if that is nothing, or damaged."""
    index = _read_index(folder)
    return None if index is None else _open(folder, index)


@contextlib.contextmanager
def _alone(folder: Path, title: str) -> Iterator[None]:
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info("%s: waiting for another process, which prepares the same images", title)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _read_index(folder: Path) -> dict[str, Any] | None:
    try:
        index = json.loads((folder / INDEX).read_bytes())
        return index if (index["version"], set(index["arrays"])) == (VERSION, {"train", "test"}) else None
    except (OSError, ValueError, LookupError, TypeError):  # not there, damaged, or of another kind
        return None


def _strays(folder: Path, index: dict[str, Any] | None) -> list[Path]:
    """The arrays that the index does not name: of an earlier one, or of a process that was killed."""
    arrays = [] if index is None else index["arrays"].values()
    return [path for path in folder.glob("*.npy") if path.name not in arrays]


def _up_to_date(folder: Path, index: dict[str, Any] | None, wished: dict[str, Any], read: Read) -> Prepared | None:
    """What the folder holds, if that is what is wished."""
    if index is None or any(index.get(key) != value for key, value in wished.items()):
        return None
    for number in index["try_again"]:
        with contextlib.suppress(UnreadableImageError):
            read(number)
            return None
    return _open(folder, index)


def _open(folder: Path, index: dict[str, Any]) -> Prepared | None:
    try:
        labels: dict[bool, list[int]] = {True: [], False: []}
        for label, train in zip(index["labels"], _splits(index), strict=True):
            if train is not None:
                labels[train].append(label)
        splits = {}
        for train, of_split in labels.items():
            shape = (len(of_split), *index["image_shape"])
            splits[train] = _read_array(folder / index["arrays"][_name(train)], shape), torch.tensor(of_split).long()
        return Prepared(splits, index["unreadable"], index.get("class_names", ()))
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _name(train: bool) -> str:
    return "train" if train else "test"


def _splits(index: dict[str, Any]) -> list[bool | None]:
    """Of each item whether it is in the training split; None for those that could not be read."""
    chosen = zip(index["train"], index["digests"], strict=True)
    return [
        None if digits is None else not is_held_out(digits, index["held_out"]) if train is None else train
        for train, digits in chosen
    ]


def _read_array(path: Path, shape: tuple[int, ...]) -> Tensor:
    """An array of bytes: in memory, or, if it is large, memory-mapped, and then not to be written to.

    Raises:
        ValueError: if the file is of another shape.
    """
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        header = np.lib.format.read_array_header_1_0(file)
    if header != (shape, False, np.dtype(np.uint8)):
        raise ValueError(f"{path} holds {header}")
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else math.inf
    large = math.prod(shape) > min(MOST_AT_ONCE, physical / 4)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable", UserWarning)
        return torch.from_numpy(np.load(path, mmap_mode="r" if large else None))


def _decode(
    folder: Path, title: str, before: dict[str, Any] | None, wished: dict[str, Any], read: Read
) -> dict[str, Any]:
    """Decode what is new, take over what is not, write both down, and give the new index."""
    names, shape = wished["names"], wished["image_shape"]
    known = _known(folder, before, shape)
    sources = [known.get(name) for name in names]
    rows = [
        None if source is None or source.stamp != stamp else source
        for source, stamp in zip(sources, wished["stamps"], strict=True)
    ]
    if known:
        new = sum(source is None for source in sources)
        changed = sum(row is None for row in rows) - new
        log.info(
            "%s: %s new, %s changed, %s gone", title, *(f"{n:,}" for n in (new, changed, len(known.keys() - names)))
        )
    _check_space(folder, title, len(names), math.prod(shape))

    def fetch(number: int) -> tuple[Tensor, str] | UnreadableImageError:
        row = rows[number]
        if row is not None:
            return row.images[row.number], row.digest
        try:
            return read(number)
        except UnreadableImageError as reason:
            return reason

    digests: list[str | None] = []
    unreadable: dict[str, str] = {}
    try_again: list[int] = []
    token = secrets.token_hex(4)
    arrays = {_name(train): f"{_name(train)}-{token}.npy" for train in (True, False)}
    with contextlib.ExitStack() as stack:
        writers = {
            train: stack.enter_context(_array_file(folder / arrays[_name(train)], shape)) for train in (True, False)
        }
        bar = stack.enter_context(tqdm(total=len(names), desc=f"{title}, prepared once", unit="image"))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # Pillow's, of odd files, of which threads have no filters of their own
        for number, fetched in enumerate(_in_parallel(fetch, len(names))):
            bar.update()
            if isinstance(fetched, UnreadableImageError):
                digests.append(None)
                unreadable[names[number]] = str(fetched)
                if isinstance(fetched.__cause__, OSError) and fetched.__cause__.errno is not None:
                    try_again.append(number)  # it is the system's answer: the file may be all right
                continue
            pixels, digits = fetched
            digests.append(digits)
            train = wished["train"][number]
            writers[not is_held_out(digits, wished["held_out"]) if train is None else train](pixels)
    index = {**wished, "digests": digests, "unreadable": unreadable, "try_again": try_again, "arrays": arrays}
    with whole_file(folder / INDEX) as file:
        file.write(json.dumps(index).encode())
    return index


class _Row(NamedTuple):
    """Where an image that was decoded before is."""

    stamp: Any
    digest: str
    images: Tensor
    number: int


def _known(folder: Path, index: dict[str, Any] | None, image_shape: list[int]) -> dict[str, _Row]:
    """The images that were decoded before, by name."""
    before = None if index is None or index["image_shape"] != image_shape else _open(folder, index)
    if index is None or before is None:
        return {}
    rows: dict[str, _Row] = {}
    counts = {True: 0, False: 0}
    for name, stamp, digits, train in zip(
        index["names"], index["stamps"], index["digests"], _splits(index), strict=True
    ):
        if train is not None:
            rows[name] = _Row(stamp, digits, before.splits[train][0], counts[train])
            counts[train] += 1
    return rows


def _in_parallel(task: Callable[[int], Result], count: int) -> Iterator[Result]:
    """The results of a task for 0, 1, … count - 1, in that order, from as many threads as there are processors.

    No more is begun than so many threads will soon need, so that results do not fill the memory.
    """

    def several(numbers: range) -> list[Result]:
        return [task(number) for number in numbers]

    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    pool = ThreadPoolExecutor(threads, thread_name_prefix="decoding")
    try:
        waiting: deque[Future[list[Result]]] = deque()
        for start in range(0, count, AT_A_TIME):
            waiting.append(pool.submit(several, range(start, min(start + AT_A_TIME, count))))
            if len(waiting) > 2 * threads:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _array_file(path: Path, item_shape: Sequence[int]) -> Iterator[Callable[[Tensor], None]]:
    """A whole file of an array of bytes, to which one appends items of that shape."""
    count = 0
    with whole_file(path) as file:

        def append(item: Tensor) -> None:
            nonlocal count
            assert (item.dtype, list(item.shape)) == (torch.uint8, list(item_shape))
            file.write(item.contiguous().numpy().data)
            count += 1

        start = _write_header(file, (0, *item_shape))
        yield append
        file.seek(0)
        end = _write_header(file, (count, *item_shape))
        assert end == start  # NumPy leaves room for a number that grows


def _write_header(file: IO[bytes], shape: tuple[int, ...]) -> int:
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return file.tell()


def _check_space(folder: Path, title: str, count: int, size: int) -> None:
    needed, free = count * size, shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"{counted(count, 'image')} of {title} take {needed / 1e9:,.1f} GB, but {folder} has room for"
            f" {free / 1e9:,.1f} GB; choose another folder with data_dir=…, or smaller images"
        )


def _tell_unreadable(title: str, prepared: Prepared, count: int) -> None:
    if prepared.unreadable:
        first: Iterable[tuple[str, str]] = list(prepared.unreadable.items())[:SHOWN]
        more = len(prepared.unreadable) - SHOWN
        log.warning(
            "%s: %s of %s cannot be read and %s left out: %s%s",
            title, f"{len(prepared.unreadable):,}", counted(count, "file"),
            "is" if len(prepared.unreadable) == 1 else "are",
            ", ".join(f"{name!r} ({why})" for name, why in first),
            f" and {more:,} more" if more > 0 else "",
        )  # fmt: skip
