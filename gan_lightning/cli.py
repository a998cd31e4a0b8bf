"""What every entry point has in common: Hydra composes its settings, and a user's mistake ends in one line."""

import contextlib
import difflib
import errno
import functools
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hydra
import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig

from gan_lightning import __version__
from gan_lightning.errors import UserError, one_line
from gan_lightning.mistakes import MISTAKES, settings_may_cause
from gan_lightning.options import CONFIG_DIR, config_dirs, known_settings, prefer_choices, suggest
from gan_lightning.paths import CONF
from gan_lightning.signals import terminated_like_ctrl_c

log = logging.getLogger(__name__)

MULTIRUN = ("-m", "--multirun")
EXTRAS = {"submitit_slurm": "slurm", "submitit_local": "slurm", "ray": "ray"}
"""Options that come with a package of their own, and what this project calls it."""
TO_DO = {
    errno.ENOSPC: "make room on that disk",
    errno.EDQUOT: "make room within your share of that disk",
    errno.EROFS: "let that disk be written, or choose another folder",
    errno.ENOENT: "was its folder moved or removed?",
}
"""What the user can do about a file that cannot be used."""
TAKES = {"sample": "ckpt", "evaluate": "ckpt", "explore": "ckpt", "export": "ckpt", "report": "sweep"}
"""The setting of an entry point that a path alone is meant for."""


class _Refused(BaseException):
    """Leads out of Hydra, past what it does about exceptions."""


def entry_point(config_name: str) -> Callable[[Callable[[DictConfig], Any]], Callable[..., None]]:
    """Make a command of a function of the composed settings.

    What the function returns, Hydra gives to the sweep. The command takes its arguments, those of the process unless a
    list is given, and exits with 1 and one line on standard error for a user's mistake: a
    :class:`gan_lightning.errors.UserError`, which may have another exit code, or settings that do not compose.
    HYDRA_FULL_ERROR=1 shows the traceback instead.
    """

    def decorate(task: Callable[[DictConfig], Any]) -> Callable[..., None]:
        def main(args: list[str] | None = None) -> None:
            arguments = list(sys.argv[1:] if args is None else args)
            if "--version" in arguments:
                print(f"gan-lightning {__version__}")
                return
            try:
                run(config_name, task, arguments)
            except UserError as mistake:
                if _shows_traceback():
                    raise
                if is_first_process():
                    print(f"error: {one_line(mistake)}", file=sys.stderr)
                sys.exit(mistake.exit_code)
            except KeyboardInterrupt:
                sys.exit(130)

        main.__doc__ = task.__doc__
        return main

    return decorate


def run(config_name: str, task: Callable[[DictConfig], Any], arguments: list[str]) -> Any:
    """What a function returns of the settings that the arguments of a command line compose.

    Raises:
        UserError: for a user's mistake, which it explains in one line; with HYDRA_FULL_ERROR=1 what was raised.
    """
    show_traceback = _shows_traceback()
    flags = {argument.partition("=")[0] for argument in arguments if argument.startswith("-")}
    if any(argument.startswith("hparams_search=") for argument in arguments) and flags <= {*CONFIG_DIR}:
        # Such a choice asks for it, too, but Hydra would not see that beside a mistake, and complain of lists.
        arguments = [MULTIRUN[0], *arguments]

    returned: Any = None
    refused: Exception | None = None
    begun = False

    @functools.wraps(task)
    def job(settings: DictConfig) -> Any:
        nonlocal begun, refused, returned
        begun = True
        try:
            with _full_error(show_traceback):  # as the user has it, for the processes that a training starts
                returned = task(settings)
                return returned
        except MISTAKES as mistake:
            if isinstance(mistake, OSError) and not settings_may_cause(mistake):
                raise RuntimeError("code of your own could not use a file") from mistake
            if HydraConfig.get().mode == RunMode.MULTIRUN:
                # In the job's own log; the sweep goes on, and fails at its end.
                log.error("error: %s", _explain(mistake, config_name, arguments))
                raise
            if show_traceback:
                raise
            refused = mistake
            raise _Refused from mistake
        finally:
            if HydraConfig.get().mode != RunMode.MULTIRUN:
                remove_empty(Path(HydraConfig.get().runtime.output_dir))

    try:
        # Hydra refuses -m between two overrides.
        in_order = sorted(prefer_choices(arguments), key=lambda argument: argument not in MULTIRUN)
        # Hydra would print its errors, over several lines, and exit.
        with _arguments(in_order), _full_error(True), terminated_like_ctrl_c():
            hydra.main(version_base="1.3", config_path=str(CONF), config_name=config_name)(job)()
    except _Refused:
        pass
    except MISTAKES as mistake:
        if show_traceback:
            raise
        refused = mistake
    except (ValueError, TypeError) as mistake:
        # Hydra's answer to objective=null or [0.5], say; from a job, it is an error of ours, and loud.
        if begun or show_traceback:
            raise
        raise UserError(_explain_group(arguments) or one_line(mistake)) from mistake
    if isinstance(refused, UserError):
        raise refused
    if refused is not None:
        raise UserError(_explain(refused, config_name, arguments)) from refused
    return returned


def composed(config_name: str, arguments: list[str]) -> DictConfig:
    """The settings that the arguments of a command line compose, where nothing is run.

    Raises:
        UserError: if they do not compose.
    """
    try:
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            return hydra.compose(config_name, prefer_choices(arguments))
    except MISTAKES as mistake:
        raise UserError(_explain(mistake, config_name, arguments)) from mistake
    except (ValueError, TypeError) as mistake:  # Hydra's answer to dataset=null, say
        raise UserError(_explain_group(arguments) or one_line(mistake)) from mistake


def _shows_traceback() -> bool:
    return os.environ.get("HYDRA_FULL_ERROR") == "1"


def as_list(setting: Any) -> list[str]:
    """A setting that is a text, or a list of texts, as a list."""
    return [str(each) for each in setting] if isinstance(setting, ListConfig) else [str(setting)]


def _explain(mistake: Exception, config_name: str, arguments: list[str]) -> str:
    """What is wrong, where, and what would be right."""
    if isinstance(mistake, MissingConfigException) and mistake.options is not None and mistake.missing_cfg_file:
        group, _, option = str(mistake.missing_cfg_file).rpartition("/")
        close = difflib.get_close_matches(option, mistake.options, n=3, cutoff=0.7)
        there_is = f"did you mean {' or '.join(close)}?" if close else f"there is {', '.join(sorted(mistake.options))}"
        brings = f"; pip install 'gan-lightning[{EXTRAS[option]}]' brings it" if option in EXTRAS else ""
        return f"there is no {group} called {option!r}; {there_is}{brings}"
    if isinstance(mistake, OverrideParseException):
        key, equals, value = mistake.override.partition("=")
        if equals:
            return (
                f"{mistake.override!r} cannot be read; a value with special characters has quotes: {key}=\"'{value}'\""
            )
        right = f"{TAKES[config_name]}={key}" if config_name in TAKES else "seed=1"
        return f"{key!r} is no setting; a setting is key=value, such as {right}"
    if several := re.match(r"Ambiguous value for argument '([^=]+)=([^']*)'", str(mistake)):
        of_sweep = f", and -m {several[1]}={several[2]} a sweep" if config_name == "config" else ""
        return f"{several[1]} has several values: a list is {several[1]}=[{several[2]}]{of_sweep}"
    if "Config group override" in str(mistake) and (explained := _explain_group(arguments)):
        return explained
    if unknown := re.match(r"Could not override '([^'=]+)", str(mistake)):
        return suggest(unknown[1], known_settings(config_name, config_dirs(arguments)))
    if isinstance(mistake, OSError) and mistake.filename is not None:
        to_do = f"; {TO_DO[mistake.errno]}" if mistake.errno in TO_DO else ""
        return f"cannot use {os.fsdecode(mistake.filename)}: {mistake.strerror}{to_do}"
    if isinstance(mistake, yaml.MarkedYAMLError) and mistake.problem_mark is not None:
        mark = mistake.problem_mark
        return f"{mark.name}, line {mark.line + 1}: {mistake.problem}"
    return one_line(mistake) or f"the settings do not compose: {type(mistake).__name__}"


def _explain_group(arguments: list[str]) -> str | None:
    """What is wrong with `dataset=null` or `penalty=0.3`, of which Hydra says neither the group nor what there is."""
    for argument in arguments:
        group, _, value = argument.partition("=")
        if (CONF / group).is_dir() and not isinstance(OverridesParser.create().parse_override(argument).value(), str):
            options = sorted(path.stem for path in (CONF / group).glob("*.yaml"))
            given = "nothing" if value in ("", "null") else value
            return f"{group} must be one of its options, not {given}; there is {', '.join(options)}"
    return None


def is_first_process() -> bool:
    """Whether this is the only process of a training, or the first of several, whose folder is its concern."""
    numbers = [os.environ[name] for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID") if name in os.environ]
    return numbers[:1] in ([], ["0"])


def remove_empty(folder: Path) -> None:
    """Hydra makes a run's folder before the run is known to be possible; take it back while nothing is in it.

    So are empty folders above it, below the current one: `outputs/mnist5k` and `outputs`.
    """
    with contextlib.suppress(OSError):
        for made in (folder, *folder.parents):
            if not made.is_relative_to(Path.cwd()) or made == Path.cwd():
                break
            made.rmdir()


@contextlib.contextmanager
def _arguments(arguments: list[str]) -> Iterator[None]:
    before = sys.argv
    sys.argv = [before[0], *arguments]
    try:
        yield
    finally:
        sys.argv = before


@contextlib.contextmanager
def _full_error(wished: bool) -> Iterator[None]:
    """While Hydra is to raise its errors, or, if that is not wished, is not told to."""
    before = os.environ.pop("HYDRA_FULL_ERROR", None)
    if wished:
        os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    finally:
        os.environ.pop("HYDRA_FULL_ERROR", None)
        if before is not None:
            os.environ["HYDRA_FULL_ERROR"] = before
