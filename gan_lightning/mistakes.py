"""Whose mistake an error is: that of the settings, which is the user's, or that of somebody's code."""

import contextlib
import re
import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path

from hydra.errors import HydraException, InstantiationException
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from gan_lightning.errors import UserError, one_line
from gan_lightning.paths import PACKAGE

MISTAKES = (UserError, HydraException, OmegaConfBaseException, YAMLError, OSError)
"""What ends in one line: settings that do not compose, or that cannot be; a file that cannot be used."""
LIBRARIES = {
    *("PIL", "antlr4", "av", "cloudpickle", "fastapi", "filelock", "fsspec", "gradio", "huggingface_hub", "hydra"),
    *("jinja2", "lightning"),
    *("lightning_utilities", "matplotlib", "mlxtend", "numpy", "omegaconf", "onnx", "onnx_ir", "onnxruntime"),
    *("onnxscript", "optuna", "pip", "safetensors", "setuptools", "tensorboard", "torch", "torchmetrics"),
    *("torchvision", "tqdm", "yaml"),
}
"""What this project stands on."""


@contextlib.contextmanager
def user_mistakes() -> Iterator[None]:
    """Where settings become objects: an object that refuses its settings means that the user chose wrong ones.

    What settings cannot cause is an error in somebody's code, and loud. Nothing that runs a network belongs in here.

    Raises:
        UserError: in place of what an object raised that settings may have caused; it names the setting where the
            object named its argument.
    """
    try:
        yield
    except UserError:
        raise
    except InstantiationException as mistake:
        where = re.search(r"full_key: (\S+)", str(mistake))
        cause = mistake.__cause__ or mistake
        if not settings_may_cause(cause):
            raise cause from None
        between = "." if where and re.match(r"\w+ (\([^)]*\) )?must be ", str(cause)) else ": "
        raise UserError(f"{where[1]}{between}{_with_place(cause)}" if where else _with_place(cause)) from mistake
    except Exception as mistake:
        if not settings_may_cause(mistake):
            raise
        raise UserError(one_line(mistake)) from mistake


def _with_place(error: BaseException) -> str:
    """What an error says, and where in the user's own code it was raised, if it was."""
    frames = traceback.extract_tb(error.__traceback__)
    if frames and not _is_ours_or_of_a_library(Path(frames[-1].filename)):
        return f"{one_line(error)} ({frames[-1].filename}, line {frames[-1].lineno})"
    return one_line(error)


def settings_may_cause(error: BaseException) -> bool:
    """Whether an error may be the answer to a setting: a `ValueError`, or what a library says to its arguments."""
    if isinstance(error, ValueError | OverflowError | MemoryError):
        return True
    if isinstance(error, SyntaxError):
        return False
    files = [Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__)]
    if not all(map(_is_ours_or_of_a_library, files)):
        return False  # it comes from code that the user has written
    return isinstance(error, TypeError | OSError) or not files[-1].is_relative_to(PACKAGE)


def _is_ours_or_of_a_library(file: Path) -> bool:
    if not file.is_absolute() or file.is_relative_to(PACKAGE):
        return True
    for kind in ("purelib", "platlib", "stdlib", "platstdlib"):  # the first two may be below the others
        folder = sysconfig.get_path(kind)
        if file.is_relative_to(folder):
            return kind.endswith("stdlib") or file.relative_to(folder).parts[0] in LIBRARIES
    return False
