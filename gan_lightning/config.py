"""Where the settings are, and what a checkpoint says of its own."""

from pathlib import Path
from typing import Any

from gan_lightning.errors import UserError

_PACKAGE = Path(__file__).parent
CONF = _PACKAGE / "conf" if (_PACKAGE / "conf").is_dir() else _PACKAGE.parent / "conf"
"""The configuration folder: inside an installed package, beside it in a checkout."""

FREE_ON_RESUME = ("output_dir", "ckpt_path", "data_dir", "trainer", "callbacks", "logger")
"""Settings that a resumed run may change: none of them decides what an alternation computes."""


def read_checkpoint(path: str) -> dict[str, Any]:
    """A checkpoint of this project, read as data: nothing in the file is run.

    Raises:
        UserError: if there is no such file or it is not a checkpoint of this project.
    """
    import torch  # not needed to find the configuration

    if not Path(path).is_file():
        raise UserError(f"there is no checkpoint at {path}; a run leaves its own in checkpoints/last.ckpt")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as reason:  # torch raises many kinds, depending on where the file stops making sense
        raise UserError(f"{path} is not a checkpoint, or it is damaged") from reason
    if not isinstance(checkpoint, dict) or not {"gan", "model"} <= checkpoint.get("hyper_parameters", {}).keys():
        raise UserError(f"{path} is not a checkpoint of this project")
    return checkpoint


def differences(before: dict[str, Any], now: dict[str, Any], prefix: str = "") -> list[str]:
    """The settings that decide what a run computes and are not the same, as `optimizer.lr (0.0001, now 0.001)`."""
    found = []
    for key in sorted(before.keys() | now.keys()):
        name = f"{prefix}{key}"
        old, new = before.get(key), now.get(key)
        if name in FREE_ON_RESUME or key == "data_dir":
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            found += differences(old, new, f"{name}.")
        elif old != new:
            found.append(f"{name} ({old}, now {new})")
    return found
