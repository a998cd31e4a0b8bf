"""The jobs of a sweep: what their folders are called, what may lie there, and what a job goes on from."""

import contextlib
import hashlib
import json
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from gan_lightning.checkpoints import DamagedError, epochs_of, read_checkpoint
from gan_lightning.errors import UserError
from gan_lightning.paths import LAST_CHECKPOINT
from gan_lightning.reports.event_files import read_events
from gan_lightning.settings import but_for_length, differences, read_settings
from gan_lightning.sweeps.status import LOGS, STATUS, State, read_results, read_status
from gan_lightning.whole_files import UNFINISHED

CHECKPOINT, BEST = Path("checkpoints", LAST_CHECKPOINT), Path("checkpoints", "best.ckpt")
LONGEST_NAME = 120


class Job(NamedTuple):
    """One run of a sweep."""

    varies: str
    """What tells it from the others, shortly: `lr=1e-4 seed=2`."""
    folder: Path
    overrides: list[str]
    settings: dict[str, Any]

    @property
    def state(self) -> State:
        return read_status(self.folder)["state"]

    @property
    def is_done(self) -> bool:
        """Whether there is nothing left to do."""
        return self.state in (State.COMPLETED, State.PRUNED, State.DIVERGED)

    def outcome(self) -> float | None:
        """The metric that the sweep optimises; None if the job has none, or diverged."""
        return read_results(self.folder).get(self.settings["optimized_metric"])


def folder_name(overrides: Iterable[str]) -> str:
    """The folder of a job, or of a sweep, named from its overrides: `dataset.batch_size-16+optimizer.lr-1e-4`.

    The same overrides have the same name in any order; others have another. Only letters, digits and `+-._` are in
    it: they need no quotes in a shell nor on the command lines of this project. Where other characters had to be
    replaced, or the name would be too long for a file system, it ends in a digest of the overrides.
    """
    plus_free = sorted(each.lstrip("+") for each in overrides)
    plain = "+".join(
        "-".join(re.sub(r"[^\w.-]+", "_", part, flags=re.A) for part in _parts(each)) for each in plus_free
    )
    if len(plain) <= LONGEST_NAME and all(re.fullmatch(r"[\w.]+=[\w.-]+", each, re.A) for each in plus_free):
        return plain
    return f"{plain[:LONGEST_NAME]}+{hashlib.sha256(json.dumps(plus_free).encode()).hexdigest()[:8]}"


def _parts(override: str) -> list[str]:
    return [part.strip("[]{}'\" ") for part in override.split("=", 1)]


def check_folder(folder: Path, settings: dict[str, Any]) -> None:
    """See that what lies in a job's folder is what an earlier run of the same job left, or nothing.

    Args:
        folder: it need not exist.
        settings: of the job, as :func:`gan_lightning.settings.read_settings` gives them.

    Raises:
        UserError: if it is anything else.
    """
    read_results(folder)
    others = [path for path in _entries(folder) if path.name not in LOGS and path.suffix != UNFINISHED]
    if read_status(folder)["state"] is State.WAITING and others:
        raise UserError(f"{folder} holds files that no job of a sweep has left; choose another output_dir")
    if (folder / "config.yaml").exists() and (changed := _changes(read_settings(folder), settings)):
        raise UserError(f"{folder} holds a run with other settings: {', '.join(changed)}; choose another output_dir")


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.exists() else []


def _changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    lengths = before["trainer"]["max_epochs"], now["trainer"]["max_epochs"]
    longer = ["trainer.max_epochs ({}, now {})".format(*lengths)] if lengths[0] != lengths[1] else []
    return differences(before, now) + longer


def checkpoint_to_go_on_from(folder: Path, settings: dict[str, Any]) -> Path | None:
    """Where a job continues: its own last checkpoint, else that of the longest shorter run beside it, else nowhere.

    What a shorter run has logged and drawn is copied; what an earlier try left is removed, if it has no checkpoint to
    go on from.
    """
    max_epochs = settings["trainer"]["max_epochs"]
    own = folder / CHECKPOINT
    with contextlib.suppress(DamagedError):
        if own.exists() and _epochs(own) <= max_epochs:
            return own
    remove_try(folder)
    if (shorter := _shorter_run(folder, settings)) is None:
        return None
    _copy_records(shorter, folder)
    return shorter / CHECKPOINT


def remove_try(folder: Path) -> None:
    """Remove what a run left that is to begin anew."""
    for name in ("config.yaml", *(path.name for path in folder.glob("events.out.tfevents.*"))):
        (folder / name).unlink(missing_ok=True)
    for name in ("samples", "csv", "checkpoints"):
        shutil.rmtree(folder / name, ignore_errors=True)


def _epochs(checkpoint: Path) -> int:
    return epochs_of(read_checkpoint(str(checkpoint)))


def _shorter_run(folder: Path, settings: dict[str, Any]) -> Path | None:
    found: dict[int, Path] = {}
    for status in folder.parent.glob(f"*/{STATUS}"):
        other = status.parent
        with contextlib.suppress(UserError):  # a damaged neighbour is not this job's concern
            if read_status(other)["state"] is State.COMPLETED and (other / CHECKPOINT).exists():
                theirs = read_settings(other)
                if but_for_length(theirs) == but_for_length(settings):
                    found[_epochs(other / CHECKPOINT)] = other
    shorter = [epochs for epochs in found if epochs < settings["trainer"]["max_epochs"]]
    return found[max(shorter)] if shorter else None


def _copy_records(shorter: Path, folder: Path) -> None:
    """The curves, the pictures and the best checkpoint of the epochs that both runs share.

    Of what TensorBoard shows, the hyperparameters are not the same, and the final numbers were not final.
    """
    for name in ("samples", "csv"):
        if (shorter / name).exists():
            shutil.copytree(shorter / name, folder / name)
    if (shorter / BEST).exists():
        (folder / BEST).parent.mkdir(exist_ok=True)
        shutil.copy(shorter / BEST, folder / BEST)
    for path in shorter.glob("events.out.tfevents.*"):
        with (folder / path.name).open("wb") as file:
            for stored, event in read_events(path):
                if not any(value.tag.startswith(("_hparams_/", "final/")) for value in event.summary.value):
                    file.write(stored)
