"""The base of the data sets that torchvision downloads."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

from filelock import FileLock
from torchvision.datasets import VisionDataset

from gan_lightning.data.base import ImageDataModule
from gan_lightning.errors import UserError, one_line

CONNECTION_TIMEOUT = 30.0
"""Seconds without an answer after which a server counts as out of reach; torchvision itself would wait for ever."""


@contextmanager
def _connection_timeout(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


class DownloadedDataModule(ImageDataModule):
    """A torchvision data set: used where its files are on disk, downloaded otherwise, whole or not at all."""

    dataset: ClassVar[type[VisionDataset]]
    """The class of torchvision that knows the files."""
    subfolder: ClassVar[str]
    """Where below the data folder torchvision keeps the files."""

    @property
    def folder(self) -> Path:
        """Where the files belong."""
        return Path(self.data_dir) / self.subfolder

    def files(self) -> list[str]:
        """The names of the files that both splits consist of."""
        raise NotImplementedError

    def missing(self) -> list[str]:
        """Those of the files that are not there."""
        return [name for name in self.files() if not (self.folder / name).is_file()]

    def fill(self, temporary: Path) -> None:
        """Put the files, below the temporary folder, where torchvision would put them."""
        self.dataset(str(temporary), download=True)

    def publish(self, temporary: Path) -> None:
        """Move the files from below the temporary folder to where they belong."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in self.files():
            (temporary / self.subfolder / name).replace(self.folder / name)

    def prepare_data(self) -> None:
        """Make sure that the files are there.

        Two processes may do this at once: one downloads, the other waits. Files appear under their names only when
        they are complete, so that an interrupted download is not mistaken for a data set.

        Raises:
            UserError: if they are neither on disk nor to be had, or the data folder cannot be written.
        """
        if not self.missing():
            return
        try:
            Path(self.data_dir).mkdir(parents=True, exist_ok=True)
            lock = Path(self.data_dir) / f".{self.dataset.__name__}.lock"
            with FileLock(lock):
                try:
                    if self.missing():
                        self._download()
                finally:
                    lock.unlink(missing_ok=True)  # who waits for it notices, and makes another
        except OSError as reason:
            raise UserError(
                f"cannot write to the data folder {self.data_dir} ({reason.strerror or reason});"
                " choose another with data_dir=…, or use the images that come with the install: dataset=mnist5k"
            ) from reason

    def _download(self) -> None:
        with TemporaryDirectory(dir=self.data_dir, prefix=f".{self.dataset.__name__}-") as temporary:
            try:
                with _connection_timeout(CONNECTION_TIMEOUT):
                    self.fill(Path(temporary))
            except UserError:
                raise
            except Exception as reason:  # a download has many ways to fail
                raise UserError(
                    f"{self.title} is not in {self.folder} and could not be downloaded"
                    f" ({one_line(reason).replace(temporary, self.data_dir)});"
                    f" put {', '.join(self.missing())} there yourself, or use the images that come with the install:"
                    " dataset=mnist5k"
                ) from reason
            self.publish(Path(temporary))

    def damaged(self, name: str, why: str) -> UserError:
        """The error that says that one of the files is not what it should be."""
        return UserError(f"{self.folder / name} is damaged: {why}; delete it and run again to have it downloaded anew")
