"""Checkpoints: finding and reading them, what of them is trusted, and their players and data sets made anew.

A checkpoint may come from a stranger, and making what it names would run any code. So it is read as data, and what it
names is looked at first, all of it: only classes of this project are made, torch's layers, and those of modules that
the user vouches for.
"""

import inspect
import json
import logging
import re
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_lightning.building import build_dataset, build_player, locate, target_of
from gan_lightning.classes import LONGEST, MOST_NAMES, readable, readable_names
from gan_lightning.errors import UserError, true_or_false, whole_number
from gan_lightning.exporting.folder import exported_folder, read_exported
from gan_lightning.mistakes import LIBRARIES, user_mistakes
from gan_lightning.paths import LAST_CHECKPOINT, ONE_BEFORE, expand, with_numbers
from gan_lightning.settings import as_of_today

if TYPE_CHECKING:
    from torch import Tensor, nn

log = logging.getLogger(__name__)

OURS = {
    "dataset": "gan_lightning.data",
    "generator": "gan_lightning.networks",
    "discriminator": "gan_lightning.networks",
}
"""Where the project's own classes are."""
LAYERS = "torch.nn"
"""Where torch's layers are."""
LONGEST_LIST = 1000
"""Of settings of a network: a width a layer, say."""
AVERAGE = "ema.network."
"""How the names of a generator's averaged weights begin in a checkpoint."""


class DamagedError(UserError):
    """A file that is no checkpoint of this project, or no whole one."""


def find_checkpoints(ckpt: Any) -> list[Path]:
    """The checkpoints that paths stand for, one or a list: files, folders of runs or sweeps, and patterns of these.

    A run's folder stands for its last checkpoint, that of an exported generator for itself, any other folder for the
    last one of every run below it.

    Raises:
        UserError: if one of them stands for none.
    """
    found: list[Path] = []
    if ckpt in ("", []):
        raise UserError("ckpt is empty; it takes a run's folder or a checkpoint")
    for pattern in [ckpt] if isinstance(ckpt, str) else map(str, ckpt):
        paths = expand(pattern)
        if paths != [Path(pattern)]:
            paths = [match for match in paths if match.suffix == ".ckpt" or _runs_in(match)]
            paths = [match for match in paths if match.name != ONE_BEFORE]
            if not paths:
                raise UserError(f"no run and no checkpoint is called {pattern}")
        for one in paths:
            if one.is_dir() and not _runs_in(one):
                raise UserError(f"there is no run in {one}; a run leaves checkpoints/last.ckpt in its folder")
            found += _runs_in(one) if one.is_dir() else [one]
    return list(dict.fromkeys(found))


def _runs_in(folder: Path) -> list[Path]:
    if exported_folder(folder) is not None:
        return [folder]
    last = folder / "checkpoints" / LAST_CHECKPOINT
    return [last] if last.exists() else sorted(folder.glob(f"**/checkpoints/{LAST_CHECKPOINT}"), key=with_numbers)


def last_of(path: Path) -> Path:
    """The checkpoint that a path stands for: of a run's folder its last one."""
    return path / "checkpoints" / LAST_CHECKPOINT if path.is_dir() and exported_folder(path) is None else path


def read_checkpoint(path: str) -> dict[str, Any]:
    """A checkpoint of this project, read as data: nothing in the file is run.

    The folder of an exported generator is one, too, which has nothing but the generator.

    In place of a run's last one that is damaged it is the one before, if that was kept; a line says so. Under `path` it
    has the path of the file that was read.

    Raises:
        UserError: if there is no such file, or it cannot be read; a :class:`DamagedError` if it is not a checkpoint of
            this project, or no whole one.
    """
    try:
        return _read(path)
    except DamagedError as damage:
        before = Path(path).with_name(ONE_BEFORE)
        if not (Path(path).name == LAST_CHECKPOINT and Path(path).is_file() and before.is_file()):
            raise
        checkpoint = _read(str(before))
        log.warning("%s; the one before it is used, %s", damage, before)
        return checkpoint


def _read(path: str) -> dict[str, Any]:
    exported = exported_folder(Path(path))
    try:
        checkpoint = _load(path) if exported is None else read_exported(exported)
        if not (isinstance(checkpoint, dict) and isinstance(checkpoint["state_dict"], dict)):
            raise TypeError
        if exported is None:  # JSON has nothing that is held twice
            _check_size(checkpoint, Path(path).stat().st_size)
        # Until there were others, all data sets had ten classes, and all logits were log-odds.
        # By way of JSON, which knows nothing but dicts, lists, numbers and text, and nothing that holds itself.
        came_later = {"num_classes": 10, "class_names": [], "title": "", "log_odds": True}
        facts = came_later | json.loads(json.dumps(checkpoint["hyper_parameters"]))
        _check_facts(facts)
        facts["class_names"] = readable_names(facts["class_names"], facts["num_classes"])
        facts["title"] = readable(facts["title"])
        checkpoint |= {"hyper_parameters": as_of_today(facts), "path": path}
        epochs_of(checkpoint)
        is_between_epochs(checkpoint)
        if not all(isinstance(name, str) for name in checkpoint["state_dict"]):
            raise TypeError
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError):
        raise DamagedError(f"{path} is not a checkpoint of this project") from None
    return checkpoint


def _load(path: str) -> Any:
    import torch  # not needed to find the configuration

    if not Path(path).is_file():
        raise UserError(f"there is no checkpoint at {path}; a run leaves its own in checkpoints/last.ckpt")
    damaged = DamagedError(f"{path} is not a checkpoint, or it is damaged")
    try:
        if not _is_whole(path):
            raise damaged
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as reason:
        raise UserError(f"cannot read {path}: {reason.strerror}") from reason
    except Exception as reason:  # torch raises many kinds, depending on where the file stops making sense
        if isinstance(reason, MemoryError) or "allocate memory" in str(reason):
            raise UserError(f"there is too little memory for {path}") from reason
        raise damaged from reason


def _is_whole(path: str) -> bool:
    """Whether a file is a zip archive as torch writes it: nothing in it compressed, and all parts what they were."""
    try:
        with zipfile.ZipFile(path) as archive:
            stored = all(part.compress_type == zipfile.ZIP_STORED for part in archive.infolist())
            return stored and archive.testzip() is None
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError):
        return False


def _check_size(checkpoint: dict[str, Any], num_bytes: int) -> None:
    """See that nested dicts and lists are no more than their file has bytes, as those that hold one another would be.

    Raises:
        ValueError: if they are.
    """
    left: list[Any] = [checkpoint]
    found = 0
    while left:
        part = left.pop()
        found += 1 + len(part)
        if found > num_bytes:
            raise ValueError
        parts = part.values() if isinstance(part, dict) else part
        left += [each for each in parts if isinstance(each, dict | list | tuple)]


def _check_facts(settings: dict[str, Any]) -> None:
    """What a checkpoint's settings need to be so that its players can be made.

    Raises:
        KeyError, TypeError, ValueError: if they are not.
    """
    for group in ("dataset", "gan", "model", "objective", "trainer"):
        if not isinstance(settings[group], dict):
            raise TypeError
    if len(settings["image_shape"]) != 3:
        raise ValueError
    for value in (*settings["image_shape"], settings["num_classes"]):
        whole_number("a fact", value, at_least=1)
    whole_number("seed", settings["seed"], at_least=0)
    true_or_false("log_odds", settings["log_odds"])
    names = settings["class_names"]
    if not isinstance(names, list) or len(names) not in (0, settings["num_classes"]) or len(names) > MOST_NAMES:
        raise ValueError
    for name in (*names, settings["title"]):
        if not isinstance(name, str) or len(name) > LONGEST:
            raise ValueError


def epochs_of(checkpoint: dict[str, Any]) -> int:
    """How many epochs a checkpoint has been trained for."""
    epochs = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
    whole_number("epochs", epochs, at_least=0)
    return epochs


def processes_of(checkpoint: dict[str, Any]) -> int:
    """How many processes wrote a checkpoint together.

    Raises:
        UserError: if it does not say.
    """
    try:
        return len(checkpoint["random"]["states"]["cpu"])
    except (KeyError, TypeError):
        raise UserError(f"{checkpoint['path']}: random has no states of random number generators") from None


def is_between_epochs(checkpoint: dict[str, Any]) -> bool:
    """Whether a checkpoint was written when an epoch was over."""
    is_last = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]["is_last_batch"]
    true_or_false("is_last_batch", is_last)
    return is_last


def images_of_training(checkpoint: dict[str, Any]) -> int | None:
    """How many training images there were when a checkpoint was written; None if it does not say."""
    loaders = checkpoint["loops"]["fit_loop"]["state_dict"].get("combined_loader")
    images = loaders[0].get("images") if loaders else None
    return images if isinstance(images, int) else None


def has_average(checkpoint: dict[str, Any]) -> bool:
    """Whether a checkpoint has averaged weights of its generator."""
    return any(name.startswith(AVERAGE) for name in checkpoint["state_dict"])


def trained_player(checkpoint: dict[str, Any], player: str, weights: str = "raw") -> "nn.Module":
    """The `generator` or the `discriminator` of a checkpoint, on the CPU.

    Args:
        checkpoint: one in which all that is made here is trusted, see :func:`check_trust`.
        player: which of the two.
        weights: of a generator, `raw` or `ema`.

    Raises:
        UserError: if the weights are not those of the class as it is now.
    """
    import torch

    from gan_lightning.loop.checkpoint_schema import at_most_tensors_of, check_weights

    settings = checkpoint["hyper_parameters"]
    facts = settings["image_shape"], settings["num_classes"]
    prefix = AVERAGE if weights == "ema" else f"{player}."
    named = checkpoint["state_dict"].items()
    state = {name.removeprefix(prefix): weight for name, weight in named if name.startswith(prefix)}
    if not state and prefix == "generator." and has_average(checkpoint):
        raise UserError(
            f"weights=raw asks for those of the last step, and {checkpoint['path']} has their average alone"
        )
    where = f"{checkpoint['path']}: {prefix.removesuffix('.')}"
    if all(_is_below(target, (OURS[player], LAYERS)) for target in _targets(settings["model"][player], player)):
        # First without memory, of which sizes that cannot be would take any amount.
        with torch.device("meta"), at_most_tensors_of(state, where):
            check_weights(state, build_player(settings, player, *facts), where)
    network = build_player(settings, player, *facts)
    check_weights(state, network, where)
    network.load_state_dict(state)
    return network


def training_set(settings: dict[str, Any], data_dir: str, trust: Sequence[str]) -> "tuple[Tensor, Tensor]":
    """The images (N, C, H, W), bytes, and labels (N,) that a checkpoint's generator was trained on, from your disk.

    Args:
        settings: the checkpoint's.
        data_dir: the folder that holds the data sets.
        trust: modules of one's own whose classes may be made.

    Raises:
        UserError: if they are not there, or not to be trusted.
    """
    folder = {"data_dir": data_dir} if "data_dir" in settings["dataset"] else {}
    with user_mistakes():
        check_trust(settings, ["dataset"], trust)
        data = build_dataset({**settings, "dataset": settings["dataset"] | folder})
        if hasattr(data, "missing") and data.missing():  # to download it is for a training
            raise UserError(f"{data.title} is not in {data_dir}; data_dir=… says where it is")
        data.prepare_data()
        images, labels = data.split(train=True)
        found, said = (*images.shape[1:], data.num_classes), (*settings["image_shape"], settings["num_classes"])
        if found != said:
            raise UserError(f"{data.title} has (C, H, W, classes) {found}, and the checkpoint says {said}")
        return images[: data.num_train_images], labels[: data.num_train_images]


def check_trust(settings: dict[str, Any], parts: Sequence[str], trust: Sequence[str]) -> None:
    """See that whatever a checkpoint would have made is of a trusted class, before any of it is made.

    Trusted are this project's networks and data sets, torch's layers, and what the modules define that the user vouches
    for. These cannot be Python's own or a library's: their classes and functions can be made to run anything.

    Args:
        settings: the checkpoint's.
        parts: what will be made: `generator`, `discriminator`, `dataset`.
        trust: the modules, with what is below them, that the user vouches for.

    Raises:
        UserError: if something is of another class.
    """
    for part in parts:
        node = settings["dataset"] if part == "dataset" else settings["model"].get(part)
        target_of(node, f"the checkpoint's {part}")
        for target in _targets(node, part):
            module = target.rpartition(".")[0]
            if is_of_a_library(target):
                raise UserError(f"the checkpoint's {part} is {target}; of {module} nothing is made here")
            if not _is_below(target, (OURS[part], LAYERS, *trust)):
                raise UserError(
                    f"the checkpoint's {part} is {target}, which is not this project's own, and making it runs the"
                    f" code of {module}; if you trust that, say trust=[{','.join([*trust, module])}]"
                )
        for target in _targets(node, part):
            found = locate(target, f"the checkpoint's {part}")
            if not (inspect.isclass(found) or (inspect.isfunction(found) and _is_below(target, trust))):
                raise UserError(f"the checkpoint's {part} is {target}, which is no class")
            home = found.__module__
            if not _is_below(home, (OURS[part], LAYERS, *trust)) or is_of_a_library(home):  # imported there
                raise UserError(
                    f"the checkpoint's {part} is {target}, which is defined in {home}; if you trust that, too, say"
                    f" trust=[{','.join([*trust, home])}]"
                )


def _targets(node: Any, part: str) -> Iterator[str]:
    """Every `_target_` in a part of a checkpoint's settings.

    Raises:
        UserError: if one is no name, or something is to be computed, `${…}`, which could read what is not its own.
    """
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("device", "dtype"):
                raise UserError(f"the checkpoint's {part} has the setting {key}, which is for whoever draws to choose")
            if key != "_target_":
                yield from _targets(value, part)
            elif isinstance(value, str) and re.fullmatch(r"\w+(\.\w+)+", value, re.ASCII):
                yield value
            else:
                raise UserError(f"the checkpoint's {part} has a _target_ that names no class")
    elif isinstance(node, list):
        if len(node) > LONGEST_LIST:
            raise UserError(f"the checkpoint's {part} has a setting of {len(node):,} values, which no network has")
        for value in node:
            yield from _targets(value, part)
    elif isinstance(node, str) and "${" in node:
        raise UserError(f"the checkpoint's {part} has a setting that would have to be computed")


def _is_below(name: str, modules: Sequence[str]) -> bool:
    """Whether a dotted name is one of the modules, or in one of them."""
    return f"{name}.".startswith(tuple(f"{module}." for module in modules))


def is_of_a_library(name: str) -> bool:
    """Whether a module, or what is in it, is of Python's or of a library that this project stands on.

    Torch's layers are not meant, which may be made like the project's own.
    """
    root = name.partition(".")[0]
    is_layer = (
        _is_below(name, (LAYERS,)) and "Transformer" not in name
    )  # which copies its layers as often as it is told
    return (root in sys.stdlib_module_names or root in LIBRARIES) and not is_layer
