"""The jobs of a sweep: what their folders are called, how far each is, and what it goes on from."""

import contextlib
import hashlib
import json
import re
import shutil
import time
import traceback
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from gan_lightning.config import differences, epochs_of, read_checkpoint, read_settings
from gan_lightning.errors import UserError, one_line
from gan_lightning.event_files import read_events
from gan_lightning.whole_files import read_json, write_json

LOCK, STATUS, RESULTS, TRACEBACK = ".lock", "status.json", "metrics.json", "traceback.txt"
CONSOLE = "console.txt"
"""What a job printed, where several run side by side."""
LOGS = {LOCK, CONSOLE, "train.log", "status.tmp"}
"""Files that may be there before a job has begun."""
CHECKPOINT, BEST = Path("checkpoints", "last.ckpt"), Path("checkpoints", "best.ckpt")
LONGEST_NAME = 120


class State(StrEnum):
    """How far a job is."""

    WAITING = "waiting"
    RUNNING = "running"
    COMPLETED = "completed"
    PRUNED = "pruned"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


def folder_name(overrides: Iterable[str]) -> str:
    """The folder of a job, or of a sweep, named from its overrides: `dataset.batch_size-16+optimizer.lr-1e-4`.

    The same overrides have the same name in any order; others have another. Only letters, digits and `+-._` are in
    it: they need no quotes in a shell nor on the command lines of this project. Where other characters had to be
    replaced, or the name would be too long for a file system, it ends in a digest of the overrides.
    """
    words = sorted(word.lstrip("+") for word in overrides)
    plain = "+".join("-".join(re.sub(r"[^\w.-]+", "_", part, flags=re.A) for part in _parts(word)) for word in words)
    if len(plain) <= LONGEST_NAME and all(re.fullmatch(r"[\w.]+=[\w.-]+", word, re.A) for word in words):
        return plain
    return f"{plain[:LONGEST_NAME]}+{hashlib.sha256(json.dumps(words).encode()).hexdigest()[:8]}"


def _parts(word: str) -> list[str]:
    return [part.strip("[]{}'\" ") for part in word.split("=", 1)]


def read_status(folder: Path) -> dict[str, Any]:
    """What `status.json` says: `state`, and, once the job began, `overrides`, `began`, `ended` and `error`.

    A job that is said to be running and holds no lock was killed: it is interrupted.

    Raises:
        UserError: if the file is damaged.
    """
    if not (folder / STATUS).exists():
        return {"state": State.WAITING}
    status = read_json(folder / STATUS)
    if status is None or status.get("state") not in set(State):
        raise UserError(f"{folder / STATUS} is damaged; mend it, or choose another output_dir")
    if status["state"] == State.RUNNING:
        with contextlib.suppress(Timeout), FileLock(folder / LOCK, timeout=0):
            # Nobody writes now; it may have ended since.
            status = read_json(folder / STATUS) or status
            if status["state"] == State.RUNNING:
                status |= {"state": State.INTERRUPTED, "error": "it was killed"}
    return {**status, "state": State(status["state"])}


def read_results(folder: Path) -> dict[str, Any]:
    """The numbers of a finished run; empty if it is not finished.

    Raises:
        UserError: if the file is damaged.
    """
    if not (folder / RESULTS).exists():
        return {}
    results = read_json(folder / RESULTS)
    if results is None:
        raise UserError(f"{folder / RESULTS} is damaged; mend it, or choose another output_dir")
    return results


class Record:
    """Keeps a job's `status.json` up to date while the job runs; the lock it holds says that it does.

    Raises:
        UserError: on entering, if another process is at that job.
    """

    def __init__(self, folder: Path, overrides: list[str]) -> None:
        self.folder = folder
        self.pruned = False
        self._status: dict[str, Any] = {"overrides": overrides, "began": _now()}
        self._lock = FileLock(folder / LOCK, timeout=2)  # who reads the status holds it for a moment

    def __enter__(self) -> "Record":
        try:
            self._lock.acquire()
        except Timeout:
            raise UserError(f"another process is at work in {self.folder}") from None
        (self.folder / TRACEBACK).unlink(missing_ok=True)
        self._write(State.RUNNING)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        self._status["ended"] = _now()
        if error is None:
            # Without results the training was stopped before its last epoch, by +trainer.max_time=…, say.
            completed = State.COMPLETED if (self.folder / RESULTS).exists() else State.INTERRUPTED
            self._write(State.PRUNED if self.pruned else completed)
        elif isinstance(error, Exception):
            (self.folder / TRACEBACK).write_text("".join(traceback.format_exception(error)))
            self._status["error"] = one_line(error) or type(error).__name__
            self._write(State.FAILED)
        else:  # Ctrl-C, and what Lightning makes of it
            self._write(State.INTERRUPTED)
        self._lock.release()

    def _write(self, state: State) -> None:
        write_json(self.folder / STATUS, {"state": state, **self._status})


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def check_folder(folder: Path, settings: dict[str, Any]) -> None:
    """See that what lies in a job's folder is what an earlier run of the same job left, or nothing.

    Args:
        folder: it need not exist.
        settings: of the job, as :func:`gan_lightning.config.read_settings` gives them.

    Raises:
        UserError: if it is anything else.
    """
    read_results(folder)
    if read_status(folder)["state"] is State.WAITING and {path.name for path in _entries(folder)} - LOGS:
        raise UserError(f"{folder} holds files that no job of a sweep has left; choose another output_dir")
    if (folder / "config.yaml").exists() and (changed := _changes(read_settings(folder), settings)):
        raise UserError(f"{folder} holds a run with other settings: {', '.join(changed)}; choose another output_dir")


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.exists() else []


def _changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    lengths = before["trainer"]["max_epochs"], now["trainer"]["max_epochs"]
    longer = ["trainer.max_epochs ({}, now {})".format(*lengths)] if lengths[0] != lengths[1] else []
    return differences(before, now) + longer


def but_for_length(settings: dict[str, Any]) -> str:
    """Equal for runs of which the shorter is the beginning of the longer: nothing but `trainer.max_epochs` differs."""
    others = {key: value for key, value in settings["trainer"].items() if key != "max_epochs"}
    # A logger is told where a resumed run goes on.
    return json.dumps({**settings, "trainer": others, "logger": None}, sort_keys=True, default=str)


def checkpoint_to_go_on_from(folder: Path, settings: dict[str, Any]) -> Path | None:
    """Where a job continues: its own last checkpoint, else that of the longest shorter run beside it, else nowhere.

    What a shorter run has logged and drawn is copied; what an earlier try left is removed, if it has no checkpoint to
    go on from. That of the last epoch is none: the run was stopped while its pictures were drawn, and Lightning would
    not draw them again.
    """
    max_epochs = settings["trainer"]["max_epochs"]
    own = folder / CHECKPOINT
    with contextlib.suppress(UserError):  # of a checkpoint that is damaged
        if own.exists() and _epochs(own) < max_epochs:
            return own
    for name in ("config.yaml", *(path.name for path in folder.glob("events.out.tfevents.*"))):
        (folder / name).unlink(missing_ok=True)
    for name in ("samples", "checkpoints"):
        shutil.rmtree(folder / name, ignore_errors=True)
    if (shorter := _shorter_run(folder, settings)) is None:
        return None
    _copy_records(shorter, folder)
    return shorter / CHECKPOINT


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
    if (shorter / "samples").exists():
        shutil.copytree(shorter / "samples", folder / "samples")
    if (shorter / BEST).exists():
        (folder / BEST).parent.mkdir(exist_ok=True)
        shutil.copy(shorter / BEST, folder / BEST)
    for path in shorter.glob("events.out.tfevents.*"):
        with (folder / path.name).open("wb") as file:
            for stored, event in read_events(path):
                if not any(value.tag.startswith(("_hparams_/", "final/")) for value in event.summary.value):
                    file.write(stored)
