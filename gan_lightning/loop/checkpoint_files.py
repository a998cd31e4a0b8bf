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

from gan_lightning.loop.checkpoint_schema import infinite_part
from gan_lightning.paths import LAST_CHECKPOINT, ONE_BEFORE
from gan_lightning.whole_files import whole_file

log = logging.getLogger(__name__)


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint whole or not at all, and keeps the last one but one: `before_last.ckpt` beside `last.ckpt`.
    One that holds NaN or infinity is not written: there would be nothing to go on from.

    Lightning's own way writes it in the folder for temporary files, and moves it from there: from another file system
    that is a copy over the only checkpoint there is.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint.

        Raises:
            OSError: if it cannot be written; its `filename` is `path`.
        """
        path = Path(path)
        if part := infinite_part({name: checkpoint.get(name) for name in ("state_dict", "optimizer_states")}):
            log.warning("%s is not written: %s is no finite number any more", path, part)
            return
        content = io.BytesIO()  # torch says less clearly than the file itself what is the matter with a disk
        torch.save(checkpoint, content)
        with whole_file(path) as file:
            file.write(content.getbuffer())
            if path.name == LAST_CHECKPOINT and zipfile.is_zipfile(path):  # one that was damaged is not worth keeping
                _keep(path, path.with_name(ONE_BEFORE))


def _keep(path: Path, kept: Path) -> None:
    """Give a file a second name, under which it stays when the first one gets another."""
    kept.unlink(missing_ok=True)
    try:
        os.link(path, kept)
    except OSError:  # a file system without links
        shutil.copy(path, kept)
