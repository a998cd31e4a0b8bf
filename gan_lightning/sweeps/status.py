"""How far a job of a sweep is: what its folder says, and the record that it keeps of itself."""

import contextlib
import time
import traceback
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from gan_lightning.errors import TrainingDivergedError, UserError, is_number, one_line
from gan_lightning.whole_files import read_json, remove_unfinished, write_json, write_text

LOCK, STATUS, RESULTS, TRACEBACK = ".lock", "status.json", "metrics.json", "traceback.txt"
CONSOLE = "console.txt"
"""What a job printed, where several run side by side."""
NUMBERS = "jobs.json"
"""In a sweep's folder: the number of each job, by the name of its folder."""
LARGEST = 1e300
"""What the size of a number in the results stays below; an integer may be longer than a float can be."""
LOGS = {LOCK, CONSOLE, "train.log"}
"""Files that may be there before a job has begun, beside unfinished ones."""


class State(StrEnum):
    """How far a job is."""

    WAITING = "waiting"
    RUNNING = "running"
    COMPLETED = "completed"
    PRUNED = "pruned"
    DIVERGED = "diverged"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


def read_status(folder: Path) -> dict[str, Any]:
    """What `status.json` says: `state`, and, once the job began, `overrides`, `began`, `ended` and `error`.

    A job that is said to be running and holds no lock was killed: it is interrupted.

    Raises:
        UserError: if the file is damaged.
    """
    if not (folder / STATUS).exists():
        return {"state": State.WAITING}
    status = read_json(folder / STATUS)
    if status is None or not _is_status(status):
        raise UserError(f"{folder / STATUS} is damaged; mend it, or choose another output_dir")
    if status["state"] == State.RUNNING:
        with contextlib.suppress(Timeout), FileLock(folder / LOCK, timeout=0):
            # Nobody writes now; it may have ended since.
            status = read_json(folder / STATUS) or status
            if status["state"] == State.RUNNING:
                status |= {"state": State.INTERRUPTED, "error": "it was killed"}
    return {**status, "state": State(status["state"])}


def _is_status(status: dict[str, Any]) -> bool:
    overrides = status.get("overrides", [])
    texts = [status.get("state"), *(status.get(name, "") for name in ("began", "ended", "error"))]
    return (
        isinstance(overrides, list)
        and all(isinstance(each, str) for each in (*overrides, *texts))
        and status["state"] in set(State)
    )


def read_results(folder: Path) -> dict[str, float | None]:
    """The numbers of a finished run, None for what is no number; empty if it is not finished.

    Raises:
        UserError: if the file is damaged.
    """
    if not (folder / RESULTS).exists():
        return {}
    results = read_json(folder / RESULTS)
    if results is None or not all(
        each is None or (is_number(each) and abs(each) < LARGEST) for each in results.values()
    ):
        raise UserError(f"{folder / RESULTS} is damaged; mend it, or choose another output_dir")
    return results


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """While no other process is at work in the folder of a run.

    Raises:
        UserError: if one is.
    """
    lock = FileLock(folder / LOCK, timeout=2)  # who reads a job's status holds it for a moment
    try:
        lock.acquire()
    except Timeout:
        raise UserError(f"another process is at work in {folder}") from None
    try:
        remove_unfinished(folder)
        yield
    finally:
        if not (folder / "config.yaml").exists() and not (folder / STATUS).exists():  # nothing began here
            (folder / LOCK).unlink(missing_ok=True)
        lock.release()


class Record:
    """Keeps a job's `status.json` up to date while the job runs; the lock it holds says that it does.

    Raises:
        UserError: on entering, if another process is at that job.
    """

    def __init__(self, folder: Path, overrides: list[str]) -> None:
        self.folder = folder
        self.pruned = False
        self._status: dict[str, Any] = {"overrides": overrides, "began": _now()}
        self._alone = contextlib.ExitStack()

    def __enter__(self) -> "Record":
        self._alone.enter_context(alone_in(self.folder))
        (self.folder / TRACEBACK).unlink(missing_ok=True)
        self._write(State.RUNNING)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        self._status["ended"] = _now()
        if error is None:
            # Without results the training was stopped before its last epoch, by trainer.max_time=…, say.
            completed = State.COMPLETED if (self.folder / RESULTS).exists() else State.INTERRUPTED
            self._write(State.PRUNED if self.pruned else completed)
        elif isinstance(error, TrainingDivergedError):
            self._status["error"] = one_line(error)
            self._write(State.DIVERGED)
        elif isinstance(error, Exception):
            write_text(self.folder / TRACEBACK, "".join(traceback.format_exception(error)))
            self._status["error"] = one_line(error) or type(error).__name__
            self._write(State.FAILED)
        else:  # Ctrl-C, and what Lightning makes of it
            self._write(State.INTERRUPTED)
        self._alone.close()

    def _write(self, state: State) -> None:
        write_json(self.folder / STATUS, {"state": state, **self._status})


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
