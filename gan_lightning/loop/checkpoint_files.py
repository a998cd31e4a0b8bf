"""How checkpoints reach the disk."""

import io
import logging
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins import TorchCheckpointIO

from gan_lightning.paths import LAST_CHECKPOINT, ONE_BEFORE
from gan_lightning.whole_files import unfinished_name, whole_file

log = logging.getLogger(__name__)


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint whole or not at all, and keeps the last one but one: `before_last.ckpt` beside `last.ckpt`.
    One that holds NaN or infinity is not written: there would be nothing to go on from.

    Lightning's own way writes it in the folder for temporary files, and moves it from there: from another file system
    that is a copy over the only checkpoint there is.
    """

    def __init__(self) -> None:
        super().__init__()
        self._folders: set[Path] = set()

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint.

        Raises:
            OSError: if it cannot be written; its `filename` is `path`.
        """
        path = Path(path)
        if not checkpoint.get("is_finite", True):
            log.warning("%s is not written: weights, or moments of an optimizer, are no finite numbers any more", path)
            return
        self._folders.add(path.parent.resolve())
        content = io.BytesIO()  # torch says less clearly than the file itself what is the matter with a disk
        torch.save(checkpoint, content)
        with whole_file(path) as file:
            file.write(content.getbuffer())
            if path.name == LAST_CHECKPOINT and zipfile.is_zipfile(path):  # one that was damaged is not worth keeping
                _keep(path, path.with_name(ONE_BEFORE))

    def remove_checkpoint(self, path: Any) -> None:
        """Remove a checkpoint that this training may have written, and nothing else: Lightning takes its name from the
        checkpoint that it went on from, which may be a stranger's.
        """
        path = Path(path)
        if path.suffix == ".ckpt" and path.is_file() and path.resolve().parent in self._folders:
            path.unlink()


def _keep(path: Path, kept: Path) -> None:
    """Give a file a second name, under which it stays when the first one gets another."""
    second = unfinished_name(kept)
    try:
        os.link(path, second)
    except OSError:  # a file system without links
        shutil.copy(path, second)
    second.replace(kept)
