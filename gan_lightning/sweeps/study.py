"""Where Optuna keeps what it knows of a search."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optuna.storages import JournalStorage


STUDY = "sweep"
"""The name of the study, the only one in its file."""


def open_study_file(path: str) -> "JournalStorage":
    """A file that several processes may read and write at a time; made if it is missing.

    Its lock is a link to it. Only if that leads there from anywhere can Optuna tell it from one that a killed process
    has left.
    """
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(str(Path(path).resolve())))
