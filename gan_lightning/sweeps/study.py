"""Where Optuna keeps what it knows of a search."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_lightning.errors import UserError, one_line

if TYPE_CHECKING:
    from optuna import Study
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


def open_study(path: str, direction: Any) -> "Study":
    """The study in a file, or a new one there.

    Raises:
        UserError: if the file is damaged.
    """
    import optuna

    try:
        return optuna.create_study(
            study_name=STUDY, storage=open_study_file(path), direction=direction, load_if_exists=True
        )
    except OSError:
        raise
    except Exception as reason:  # Optuna trusts its file, and fails where that stops making sense
        raise UserError(f"{path} is damaged ({one_line(reason)}); mend it, or choose another output_dir") from reason
