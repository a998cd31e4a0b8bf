"""What the files of options say, before Hydra composes them: what wins over an experiment, which settings there are."""

import contextlib
import difflib
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from gan_lightning.paths import CONF
from gan_lightning.settings import flatten, override

CONFIG_DIR = ("--config-dir", "-cd")


def prefer_choices(arguments: list[str]) -> list[str]:
    """Let options that are chosen beside an experiment win over it, in what they say other than their group's default.

    To Hydra an experiment comes last, whoever chose what. So those settings that both an option and the experiment have
    in their files are added to the command line, before all that is there.
    """
    if not any(argument.startswith("experiment=") for argument in arguments):
        return arguments
    folders = [CONF, *map(Path, config_dirs(arguments))]
    entries = yaml.safe_load((CONF / "config.yaml").read_text())["defaults"]
    defaults = {group: option for entry in entries if isinstance(entry, dict) for group, option in entry.items()}
    chosen = dict(argument.split("=", 1) for argument in arguments if re.match(r"[\w/]+=[\w/]+$", argument))
    of_experiment = _options_of(folders, "experiment", chosen.pop("experiment", ""), inherited=True)
    added = [
        override(key, value) if isinstance(value, str) else f"{key}={json.dumps(value)}"
        for group, option in chosen.items()
        for key, value in _options_of(folders, group, option).items()
        if key in of_experiment and (key, value) not in _options_of(folders, group, str(defaults.get(group))).items()
    ]
    first = next(n for n, argument in enumerate(arguments) if "=" in argument and not argument.startswith("-"))
    return [*arguments[:first], *added, *arguments[first:]]


def _options_of(folders: list[Path], group: str, option: str, inherited: bool = False) -> dict[str, Any]:
    """The settings in an option's file by their whole keys; with those of options of the same group that it is made
    from, if they are asked for.
    """
    for folder in folders:
        path = folder / group / f"{option}.yaml"
        if path.is_file():
            found: dict[str, Any] = {}
            with path.open() as file:
                own = yaml.safe_load(file)
            if not isinstance(own, dict):
                return {}
            for base in own.pop("defaults", []) if inherited else []:
                if isinstance(base, str):
                    found |= _options_of(folders, group, base, inherited)
            own.pop("defaults", None)
            is_global = "@package _global_" in path.read_text()
            return found | flatten(own, "" if is_global else f"{group}.")
    return {}


def suggest(key: str, known: dict[str, str]) -> str:
    """That there is no such setting, and which one may have been meant: by its last part, or by its letters."""
    if key in known:
        group = key.partition(".")[0]
        return f"there is no setting {key!r} with the {group} that is chosen; another option of {group}=… has it"
    last = key.rpartition(".")[2]
    close = sorted((each for each in known if each.rpartition(".")[2] == last), key=lambda each: each.count("."))
    close = close[:3] or difflib.get_close_matches(key, known, n=3, cutoff=0.5)
    shown = " or ".join(f"{each}={known[each]}" if known[each] else each for each in close)
    meant = f"did you mean {shown}? (--help lists the usual ones)" if close else "--help lists the usual ones"
    others = f"; another option of Lightning's Trainer is added with a plus: +{key}=…"
    return f"there is no setting {key!r}; {meant}{others if key.startswith('trainer.') else ''}"


def known_settings(config_name: str, folders: list[str]) -> dict[str, str]:
    """Groups and the keys of all their options, each with a value that it may have, or nothing.

    Args:
        config_name: the entry point's configuration.
        folders: those of options beside the project's own.
    """
    found = flatten(yaml.safe_load((CONF / f"{config_name}.yaml").read_text()))
    if config_name == "config":
        paths = [path for folder in (CONF, *map(Path, folders)) for path in sorted(folder.glob("*/*.yaml"))]
        for path in sorted(paths, key=lambda path: path.parent.name in ("experiment", "hparams_search")):
            found.setdefault(path.parent.name, path.stem)
            with contextlib.suppress(yaml.YAMLError):  # in a file of the user's that is not the one at hand
                found = _options_of([path.parents[1]], path.parent.name, path.stem) | found
    left_out = ("defaults", "hydra.", "_target_", "_partial_")
    return {
        key: "" if value is None or "${" in str(value) else json.dumps(value).replace(" ", "").replace('"', "")
        for key, value in found.items()
        if not key.startswith(left_out) and not key.endswith(left_out)
    }


def config_dirs(arguments: list[str]) -> list[str]:
    """The folders of options beside the project's own that a command line names, as they are written there."""
    flags = [argument.partition("=") for argument in arguments]
    found = [value for flag, equals, value in flags if flag in CONFIG_DIR and equals]
    return found + [folder for flag, folder in pairwise(arguments) if flag in CONFIG_DIR]
