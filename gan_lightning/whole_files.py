"""Files that are whole or not there."""

import contextlib
import errno
import json
import math
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

UNFINISHED = ".unfinished"
"""How the name ends under which a file is written before it is whole."""


def unfinished_name(path: Path) -> Path:
    """Under which this process prepares what is to be called `path`, beside it."""
    return path.with_name(f".{path.name}.{os.getpid()}{UNFINISHED}")


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to write that appears under its name only when it is complete; its folder is made, but not those above.

    It is written beside that name, on the same file system, brought to the disk, and renamed. Whatever goes wrong
    before leaves what had the name.

    Raises:
        OSError: if it cannot be written, because the disk is full, say; its `filename` is `path`.
    """
    unfinished = unfinished_name(path)
    try:
        with _errors_of(path):
            path.parent.mkdir(exist_ok=True)
            with unfinished.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
            _sync(path.parent)
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink()


@contextlib.contextmanager
def whole_folder(path: Path, durable: bool = True) -> Iterator[Path]:
    """A new folder to fill that appears under its name only when it is complete; where there is one, it must be empty.

    It is filled beside that name and renamed; whatever goes wrong before leaves nothing. The folders above it are made.

    Args:
        path: of the folder.
        durable: whether each file is brought to the disk, which takes a while for thousands of them.

    Raises:
        OSError: if it cannot be written, or what has the name is no empty folder; its `filename` is `path`.
    """
    unfinished = unfinished_name(path)
    try:
        with _errors_of(path):
            unfinished.mkdir(parents=True)
            yield unfinished
            for file in unfinished.rglob("*") if durable else ():
                if file.is_file():
                    with file.open("rb") as written:
                        os.fsync(written.fileno())
            unfinished.replace(path)
            _sync(path.parent)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


@contextlib.contextmanager
def _errors_of(path: Path) -> Iterator[None]:
    """Let the system's errors name what was to be written, not what it was called before it was whole."""
    try:
        yield
    except OSError as reason:
        if reason.errno is None:  # a library's answer to what it was to write
            raise
        raise OSError(reason.errno, reason.strerror, str(path)) from reason


def _sync(folder: Path) -> None:
    """Bring the names in a folder to the disk, where a system lets folders be opened and a file system can do it."""
    with contextlib.suppress(PermissionError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as reason:
            if reason.errno != errno.EINVAL:
                raise
        finally:
            os.close(descriptor)


def remove_unfinished(folder: Path) -> None:
    """Remove what processes that were killed left in a folder, and below it; none may be at work there now."""
    for path in folder.rglob(f".*{UNFINISHED}"):
        path.unlink(missing_ok=True)


def write_text(path: Path, content: str) -> None:
    """Write a whole file of text."""
    with whole_file(path) as file:
        file.write(content.encode())


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a whole file of JSON; a number that is NaN or infinite, which JSON does not know, becomes null."""
    write_text(path, json.dumps(_without_nan(content), indent=2, allow_nan=False) + "\n")


def _without_nan(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _without_nan(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_without_nan(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def read_json(path: Path) -> dict[str, Any] | None:
    """What such a file holds; None if it is damaged, no file but a folder or a pipe, or not there."""
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text())
        json.dumps(content, ensure_ascii=False).encode()  # half a character is no text
    except (ValueError, RecursionError, FileNotFoundError):  # not JSON, not text, or gone
        return None
    return content if isinstance(content, dict) else None
