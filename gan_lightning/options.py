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
    """A command line with the overrides by which the options chosen in it win over its experiment."""
    added = overrides_of_choices(arguments)
    typed = [argument for argument in arguments if argument not in added]
    # Hydra wants all overrides behind the flags; the first of two for the same setting gives way.
    places = (n for n, argument in enumerate(typed) if "=" in argument and not argument.startswith("-"))
    first = next(places, len(typed))
    return [*typed[:first], *added, *typed[first:]]


def overrides_of_choices(arguments: list[str]) -> list[str]:
    """What lets options that are chosen beside an experiment win over it, where they are not their group's default.

    To Hydra an experiment comes last, whoever chose what. So of the experiment's settings, those of which such an
    option says something else are set to that; and those that the option does not have, which are about another one of
    its group, are taken out: γ, say, where a penalty has none.
    """
    if not any(argument.startswith("experiment=") for argument in arguments):
        return []
    folders = [CONF, *map(Path, config_dirs(arguments))]
    entries = yaml.safe_load((CONF / "config.yaml").read_text())["defaults"]
    defaults = {group: option for entry in entries if isinstance(entry, dict) for group, option in entry.items()}
    chosen = dict(argument.split("=", 1) for argument in arguments if re.match(r"[\w/]+=[\w/]+$", argument))
    of_experiment = flatten(_settings_of(folders, "experiment", chosen.pop("experiment", "")) or {})
    added: dict[str, None] = {}
    for group, option in chosen.items():
        says, usually = (_settings_of(folders, group, each) for each in (option, str(defaults.get(group))))
        for key in of_experiment if says is not None else ():
            place, value = _lookup(says, key)
            if value is _ABSENT and key.startswith(f"{group}."):
                added[f"~{place}"] = None
            elif value is not _ABSENT and (place != key or value != _lookup(usually, place)[1]):
                added[f"{place}={written(value)}"] = None
    return list(added)


_ABSENT = object()


def _lookup(settings: Any, key: str) -> tuple[str, Any]:
    """What settings say at a key, or at the part of it where they end: that part, and a value or _ABSENT."""
    parts = key.split(".")
    for depth, part in enumerate(parts):
        if not isinstance(settings, dict):
            return ".".join(parts[:depth]), settings
        settings = settings.get(part, _ABSENT)
    return key, settings


def written(value: Any) -> str:
    """A value as Hydra reads it back from a command line."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{written(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return override("", value).removeprefix("=") if isinstance(value, str) else json.dumps(value)


def _settings_of(folders: list[Path], group: str, option: str) -> dict[str, Any] | None:
    """The settings in an option's file, with those of the options that it is made from; None if there is no file."""
    path = next((path for folder in folders if (path := folder / group / f"{option}.yaml").is_file()), None)
    if path is None:
        return None
    own = yaml.safe_load(path.read_text()) or {}
    if not isinstance(own, dict):
        return {}
    found: dict[str, Any] = {}
    for base in own.pop("defaults", []):
        if isinstance(base, str):  # of its group
            found = _merged(found, _settings_of(folders, group, base.partition("@")[0]) or {})
        for name, part in base.items() if isinstance(base, dict) else ():
            of_group, at, package = name.removeprefix("/").partition("@")
            if at:
                of_part = _settings_of(folders, of_group, part) or {}
                found = _merged(found, {group: {package: of_part.get(of_group, {})}})
    found = _merged(found, own if "@package _global_" in path.read_text() else {group: own})
    return {**found, group: found.get(group) or {}}  # of penalty=none there is nothing


def _merged(settings: Any, others: Any) -> Any:
    """Nested settings, and others that win."""
    if not isinstance(settings, dict) or not isinstance(others, dict):
        return others
    return settings | {key: _merged(settings.get(key), value) for key, value in others.items()}


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
                found = flatten(_settings_of([path.parents[1]], path.parent.name, path.stem) or {}) | found
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
