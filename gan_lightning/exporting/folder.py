"""The folder of an exported generator: what its `config.json` says, and reading it again, as data.

`config.json` has the constructor's arguments of the generator's class by their names, as
`huggingface_hub.PyTorchModelHubMixin` looks for them, and under `gan_lightning` what this project has to say beside.
"""

from pathlib import Path
from typing import Any

from gan_lightning import __version__
from gan_lightning.errors import UserError, one_line
from gan_lightning.settings import without_places
from gan_lightning.whole_files import read_json

CONFIG, WEIGHTS = "config.json", "model.safetensors"
"""The names that `huggingface_hub` gives them."""
FACTS = ("image_shape", "num_classes")
"""Of the data set, which stand among the arguments."""
NAMES = ("class_names", "title")
"""What people call the classes and the data set, empty where that is not known; nothing in versions before."""
LENGTHS = ("alternations", "images_seen")
"""What a checkpoint says of its length beside the epochs; one of an earlier version does not."""


def exported_folder(path: Path) -> Path | None:
    """The folder of an exported generator that a path stands for, by itself or by a file in it; None for none."""
    if path.name in (CONFIG, WEIGHTS) and path.is_file():
        path = path.parent
    return path if (path / CONFIG).is_file() else None


def config_of(checkpoint: dict[str, Any], epochs: int, weights: str, measured: dict[str, Any] | None) -> dict[str, Any]:
    """What `config.json` says of the generator of a checkpoint; nothing of the machine that it was trained on.

    Args:
        checkpoint: of :func:`gan_lightning.checkpoints.read_checkpoint`.
        epochs: that it has been trained for.
        weights: which of the generator's, `raw` or `ema`.
        measured: of :mod:`gan_lightning.exporting.measured`.
    """
    settings = without_places(checkpoint["hyper_parameters"])
    facts = {name: settings.pop(name) for name in FACTS}
    settings.pop("class_names")
    model = dict(settings["model"])
    arguments = dict(model.pop("generator"))
    ours = {
        "version": __version__,
        "weights": weights,
        "epochs": epochs,
        **{name: value if type(value := checkpoint.get(name)) is int else None for name in LENGTHS},
        "measured": measured,
        **{name: checkpoint["hyper_parameters"][name] for name in NAMES},
        "settings": {**settings, "model": model},
    }
    return {"_target_": arguments.pop("_target_"), **arguments, **facts, "gan_lightning": ours}


def read_exported(folder: Path) -> dict[str, Any]:
    """What an exported folder holds, in the form of a checkpoint that has nothing but the generator.

    Raises:
        UserError: if it has no weights to read, or they are damaged.
        KeyError, TypeError, ValueError: if its `config.json` is not one of this project.
    """
    from safetensors.torch import load_file

    config = read_json(folder / CONFIG)
    if config is None:
        raise ValueError
    ours = config.pop("gan_lightning")
    facts = {name: config.pop(name) for name in FACTS}
    settings = {**ours["settings"], **facts, **{name: ours[name] for name in NAMES if name in ours}}
    settings["model"] = {**settings["model"], "generator": config}
    prefix = {"raw": "generator.", "ema": "ema.network."}[ours["weights"]]
    path = folder / WEIGHTS
    if not path.is_file():
        raise UserError(f"{folder} has no {WEIGHTS}, the one form that is read here: export with format=safetensors")
    try:
        weights = load_file(path)
    except OSError as reason:
        raise UserError(f"cannot read {path}: {reason.strerror}") from reason
    except Exception as reason:  # which kinds depends on where the file stops making sense
        raise UserError(f"{path} is damaged: {one_line(reason)}") from reason
    place = {"epoch_progress": {"current": {"processed": ours["epochs"]}}}
    return {
        "state_dict": {f"{prefix}{name}": weight for name, weight in weights.items()},
        "hyper_parameters": settings,
        "loops": {"fit_loop": {**place, "epoch_loop.batch_progress": {"is_last_batch": True}}},
        **{name: ours.get(name) for name in (*LENGTHS, "measured")},
    }
