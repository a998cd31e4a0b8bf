"""What every door has in common: Hydra composes its settings, and a user's mistake ends in one line."""

import contextlib
import difflib
import functools
import logging
import os
import re
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, InstantiationException, MissingConfigException
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import MarkedYAMLError, YAMLError

from gan_lightning.building import LIBRARIES
from gan_lightning.config import CONF, PACKAGE
from gan_lightning.errors import UserError, one_line

log = logging.getLogger(__name__)

MISTAKES = (UserError, HydraException, OmegaConfBaseException, YAMLError, OSError)
"""What ends in one line: settings that do not compose, or that cannot be; a file that cannot be used."""


MULTIRUN = ("-m", "--multirun")
CONFIG_DIR = ("--config-dir", "-cd")
EXTRAS = {"submitit_slurm": "slurm", "submitit_local": "slurm", "ray": "ray"}
"""Options that come with a package of their own, and what this project calls it."""


def door(config_name: str) -> Callable[[Callable[[DictConfig], Any]], Callable[..., None]]:
    """Make a command of a function of the composed settings.

    What the function returns, Hydra hands to the sweep. The command takes its arguments, those of the process unless a
    list is given, and exits with 1 and one line on standard error for a user's mistake: a :class:`UserError`, or
    settings that do not compose. HYDRA_FULL_ERROR=1 shows the traceback instead.
    """

    def decorate(task: Callable[[DictConfig], Any]) -> Callable[..., None]:
        def main(args: list[str] | None = None) -> None:
            show_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
            # Hydra refuses -m between two overrides.
            words = sorted(sys.argv[1:] if args is None else args, key=lambda word: word not in MULTIRUN)
            flags = {word.partition("=")[0] for word in words if word.startswith("-")}
            if any(word.startswith("hparams_search=") for word in words) and flags <= {*CONFIG_DIR}:
                # Such a choice asks for it, too, but Hydra would not see that beside a mistake, and complain of lists.
                words.insert(0, MULTIRUN[0])

            begun = False

            @functools.wraps(task)
            def job(settings: DictConfig) -> Any:
                nonlocal begun
                begun = True
                try:
                    return task(settings)
                except MISTAKES as mistake:
                    if isinstance(mistake, OSError) and not _settings_may_cause(mistake):
                        raise RuntimeError("code of your own could not use a file") from mistake
                    if HydraConfig.get().mode == RunMode.MULTIRUN:
                        # In the job's own log; the sweep goes on, and fails at its end.
                        log.error("error: %s", _explain(mistake, config_name, words))
                        raise
                    if show_traceback:
                        raise
                    _exit(_explain(mistake, config_name, words))
                finally:
                    if HydraConfig.get().mode != RunMode.MULTIRUN:
                        _remove_empty(Path(HydraConfig.get().runtime.output_dir))

            try:
                with _arguments(words), _hydra_raises():
                    hydra.main(version_base="1.3", config_path=str(CONF), config_name=config_name)(job)()
            except MISTAKES as mistake:
                if show_traceback:
                    raise
                _exit(_explain(mistake, config_name, words))
            except ValueError as mistake:
                # Hydra's answer to objective=null, say; from a job, it is an error of ours, and loud.
                if begun or show_traceback:
                    raise
                _exit(one_line(mistake))
            except KeyboardInterrupt:
                sys.exit(130)

        main.__doc__ = task.__doc__
        return main

    return decorate


def words(setting: Any) -> list[str]:
    """A setting that is a word, or a list of words, as a list."""
    return [str(word) for word in setting] if isinstance(setting, ListConfig) else [str(setting)]


@contextlib.contextmanager
def user_mistakes() -> Iterator[None]:
    """Where settings become objects: an object that refuses its settings means that the user chose wrong ones.

    What settings cannot cause is an error in somebody's code, and loud. Nothing that runs a network belongs in here.

    Raises:
        UserError: in place of what an object raised that settings may have caused.
    """
    try:
        yield
    except UserError:
        raise
    except InstantiationException as mistake:
        where = re.search(r"full_key: (\S+)", str(mistake))
        cause = mistake.__cause__ or mistake
        if not _settings_may_cause(cause):
            raise cause from None
        raise UserError(f"{where[1]}: {_with_place(cause)}" if where else _with_place(cause)) from mistake
    except Exception as mistake:
        if not _settings_may_cause(mistake):
            raise
        raise UserError(one_line(mistake)) from mistake


def _with_place(error: BaseException) -> str:
    """What an error says, and where in the user's own code it was raised, if it was."""
    frames = traceback.extract_tb(error.__traceback__)
    if frames and not _is_ours_or_of_a_library(Path(frames[-1].filename)):
        return f"{one_line(error)} ({frames[-1].filename}, line {frames[-1].lineno})"
    return one_line(error)


def _settings_may_cause(error: BaseException) -> bool:
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


def _explain(mistake: Exception, config_name: str, words: list[str]) -> str:
    """What is wrong, where, and what would be right."""
    if isinstance(mistake, MissingConfigException) and mistake.options is not None and mistake.missing_cfg_file:
        group, _, option = str(mistake.missing_cfg_file).rpartition("/")
        there_is = ", ".join(sorted(map(str, mistake.options)))
        brings = f"; pip install 'gan-lightning[{EXTRAS[option]}]' brings it" if option in EXTRAS else ""
        return f"there is no {group} called {option!r}; there is {there_is}{brings}"
    if unknown := re.match(r"Could not override '([^'=]+)", str(mistake)):
        key = unknown[1]
        if close := difflib.get_close_matches(key, _known_keys(config_name, words), n=3, cutoff=0.5):
            return f"there is no setting {key!r}; did you mean {' or '.join(close)}? (--help lists the usual ones)"
        return f"there is no setting {key!r}; --help lists the usual ones, --cfg job all of them"
    if isinstance(mistake, OSError) and mistake.filename is not None:
        return f"cannot use {mistake.filename}: {mistake.strerror}"
    if isinstance(mistake, MarkedYAMLError) and mistake.problem_mark is not None:
        mark = mistake.problem_mark
        return f"{mark.name}, line {mark.line + 1}: {mistake.problem}"
    return one_line(mistake) or f"the settings do not compose: {type(mistake).__name__}"


def _known_keys(config_name: str, words: list[str]) -> list[str]:
    """Groups and keys, given the options that these words choose."""
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):

        def compose(*overrides: str) -> Any:
            return OmegaConf.to_container(hydra.compose(config_name, list(overrides), return_hydra_config=True))

        found = ", ".join(f"file://{Path(folder).absolute()}" for folder in config_dirs(words))
        groups = compose(f"hydra.searchpath=[{found}]")["hydra"]["runtime"]["choices"]
        chosen = [word for word in words if word.partition("=")[0] in groups and "," not in word]
        settings = compose(f"hydra.searchpath=[{found}]", *chosen)

    def keys(node: dict[str, Any], prefix: str = "") -> Iterator[str]:
        for key, child in node.items():
            yield f"{prefix}{key}"
            if isinstance(child, dict):
                yield from keys(child, f"{prefix}{key}.")

    return list(dict.fromkeys([*groups, *(key for key in keys(settings) if not key.startswith("hydra"))]))


def config_dirs(words: list[str]) -> list[str]:
    """The folders of options beside the project's own that a command line names, as they are written there."""
    found = [word.partition("=")[2] for word in words if word.partition("=")[0] in CONFIG_DIR and "=" in word]
    return found + [folder for flag, folder in pairwise(words) if flag in CONFIG_DIR]


def _exit(explanation: str) -> None:
    print(f"error: {explanation}", file=sys.stderr)
    sys.exit(1)


def _remove_empty(folder: Path) -> None:
    """Hydra makes a run's folder before the run is known to be possible; take it back while nothing is in it.

    So are empty folders above it, below the current one: `outputs/mnist5k` and `outputs`.
    """
    with contextlib.suppress(OSError):
        for made in (folder, *folder.parents):
            if not made.is_relative_to(Path.cwd()) or made == Path.cwd():
                break
            made.rmdir()


@contextlib.contextmanager
def _arguments(words: list[str]) -> Iterator[None]:
    before = sys.argv
    sys.argv = [before[0], *words]
    try:
        yield
    finally:
        sys.argv = before


@contextlib.contextmanager
def _hydra_raises() -> Iterator[None]:
    """Let Hydra raise its errors where it would print them, over several lines, and exit."""
    before = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = before
