"""Where one's own images are: the files of a folder, or of a zip archive, which is never unpacked."""

import contextlib
import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Protocol

from gan_lightning.data.fitting import UnreadableImageError
from gan_lightning.errors import one_line

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""How the names of image files end, in small letters or in capitals."""
MOST_BYTES = 2**28
"""A larger file is not read."""
MOST_INFLATION, INFLATED = 100, 2**30
"""Archives that promise more bytes than the second, and so many times more than they have, are not read: images are
compressed already."""

IT_MUST_BE = "path must be a folder of images, or a zip archive of one"
"""How each refusal of what is neither begins."""

Content = Callable[[str], bytes]
"""The bytes of the file of a name; from several threads at once. What cannot be read is an `UnreadableImageError`."""


class ImageFiles(Protocol):
    """Image files that have names, which are relative paths with `/`."""

    def stamps(self) -> dict[str, list[int]]:
        """The names, and for each what changes when the file does. Hidden files are left out."""

    def reading(self) -> AbstractContextManager[Content]:
        """Something to read them with."""


def image_files(path: Path) -> ImageFiles:
    """Those of a folder, or of a zip archive.

    Raises:
        ValueError: if it is neither.
    """
    if path.is_dir():
        return Folder(path)
    if not path.is_file():
        what = "is neither" if path.exists() else "is not there"
        raise ValueError(f"{IT_MUST_BE}; {str(path)!r} {what}")
    if _is_image(path.name):
        raise ValueError(f"{IT_MUST_BE}; {str(path)!r} is an image: give its folder, {str(path.parent)!r}")
    return Archive(path)


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _is_hidden(name: str) -> bool:
    return (name.startswith(".") and name != ".") or name == "__MACOSX"


def _read(file: IO[bytes]) -> bytes:
    content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise UnreadableImageError(f"it has more than {MOST_BYTES:,} bytes")
    return content


class Folder:
    """A folder, with all that is below it, also behind links; each folder once, so that links may go round."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def stamps(self) -> dict[str, list[int]]:
        """By name the size and the times of the last change, of the content and of anything; where there is nothing
        behind a name, or a folder cannot be listed, nothing of that.
        """
        found: dict[str, list[int]] = {}
        seen = set()
        folders = [""]
        links: list[str] = []
        while folders or links:
            if not folders:  # last: a folder is known by its own name
                folders.append(min(links))
                links.remove(folders[0])
            folder = folders.pop()
            try:
                itself = (self.path / folder).stat()
                if (itself.st_dev, itself.st_ino) in seen:
                    continue
                seen.add((itself.st_dev, itself.st_ino))
                with os.scandir(self.path / folder) as scanned:
                    entries = [entry for entry in scanned if not _is_hidden(entry.name)]
            except OSError:
                if folder == "":
                    raise
                found[folder] = []
                continue
            for entry in entries:
                name = folder + entry.name
                try:
                    status = entry.stat()
                except OSError:  # a link to nowhere, or to itself
                    if _is_image(name):
                        found[name] = []
                    continue
                if stat.S_ISDIR(status.st_mode):
                    (links if entry.is_symlink() else folders).append(f"{name}/")
                elif stat.S_ISREG(status.st_mode) and _is_image(name):
                    found[name] = [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
        return found

    @contextlib.contextmanager
    def reading(self) -> Iterator[Content]:
        yield self._content

    def _content(self, name: str) -> bytes:
        try:
            if name.endswith("/"):
                next((self.path / name).iterdir(), None)  # says why it could not be listed
            with (self.path / name).open("rb") as file:
                return _read(file)
        except OSError as reason:
            raise UnreadableImageError(str(reason.strerror)) from reason


class Archive:
    """A zip archive."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def stamps(self) -> dict[str, list[int]]:
        """By name the size and the checksum.

        Raises:
            ValueError: if the file is no such archive, or one that is meant to do harm.
        """
        try:
            with zipfile.ZipFile(self.path) as archive:
                files = [each for each in archive.infolist() if not each.is_dir()]
        except OSError:
            raise
        except Exception as reason:  # a damaged file has many ways to fail
            with self.path.open("rb") as file:
                is_meant = self.path.suffix.lower() == ".zip" or file.read(2) == b"PK"
            what = f"is a damaged archive: {one_line(reason)}" if is_meant else "is neither"
            raise ValueError(f"{IT_MUST_BE}; {str(self.path)!r} {what}") from reason
        found = {}
        for each in files:
            parts = each.filename.replace("\\", "/").split("/")
            if ".." in parts or parts[0] == "" or parts[0].endswith(":"):
                raise ValueError(
                    f"{str(self.path)!r} has the name {each.filename!r} in it, which leads out of the archive;"
                    " nothing of it is read"
                )
            if _is_image(parts[-1]) and not any(map(_is_hidden, parts)):
                found[each.filename] = [each.file_size, each.CRC]
        promised, size = sum(size for size, _ in found.values()), self.path.stat().st_size
        if promised > max(INFLATED, MOST_INFLATION * size):
            raise ValueError(
                f"{str(self.path)!r} has {size:,} bytes, of which its images would make {promised:,}: that is no"
                " archive of images, and nothing of it is read"
            )
        return found

    @contextlib.contextmanager
    def reading(self) -> Iterator[Content]:
        with zipfile.ZipFile(self.path) as archive:

            def content(name: str) -> bytes:
                try:
                    with archive.open(name) as file:
                        return _read(file)
                except (MemoryError, UnreadableImageError):
                    raise
                except Exception as reason:  # as above; or it is encrypted
                    raise UnreadableImageError(one_line(reason)) from reason

            yield content
