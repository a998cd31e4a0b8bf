"""The checkpoints that a page shows: of each run those of its epochs, in their order."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gan_lightning.checkpoints import epochs_of, find_checkpoints, read_checkpoint
from gan_lightning.paths import LAST_CHECKPOINT


class Run(NamedTuple):
    """A training, or a single checkpoint."""

    name: str
    """What tells it from the others: its folder, or the checkpoint's path."""
    checkpoints: dict[int, Path]
    """By the epochs that each has been trained for, from the first to the last; at least one."""


def find_runs(ckpt: Sequence[str]) -> list[Run]:
    """The runs that paths stand for, as in :func:`gan_lightning.checkpoints.find_checkpoints`, and their epochs.

    A run's last checkpoint brings those of its other epochs, as a training leaves them: `epoch_0010.ckpt`.

    Raises:
        UserError: if a path stands for none, or a checkpoint cannot be read.
    """
    together: dict[Path, list[Path]] = {}
    for path in find_checkpoints(list(ckpt)):
        of_folder = together.setdefault(path if path.is_dir() else path.parent, [])
        if path.name == LAST_CHECKPOINT:
            of_folder += sorted(path.parent.glob("epoch_*.ckpt"))
        of_folder.append(path)
    runs = []
    for folder, paths in together.items():
        checkpoints = {_epochs(path): path for path in paths}
        name = folder.parent if folder.name == "checkpoints" else paths[0] if len(paths) == 1 else folder
        runs.append(Run(str(name), dict(sorted(checkpoints.items()))))
    return runs


def _epochs(path: Path) -> int:
    """How many epochs a checkpoint has been trained for, as its name says, or else the file."""
    named = re.fullmatch(r"epoch_(\d+)\.ckpt", path.name)
    return int(named[1]) if named else epochs_of(read_checkpoint(str(path)))


def short_names(runs: Sequence[Run]) -> list[str]:
    """What tells runs from one another in few letters: the ends of their names, as long as it takes."""
    parts = [Path(run.name).parts for run in runs]
    for length in range(1, max(map(len, parts))):
        names = ["/".join(each[-length:]) for each in parts]
        if len(set(names)) == len(runs):
            return names
    return [run.name for run in runs]
