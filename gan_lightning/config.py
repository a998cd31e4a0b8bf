"""Where the settings are, and what a checkpoint says of its own."""

from pathlib import Path
from typing import Any

from gan_lightning.errors import UserError

_PACKAGE = Path(__file__).parent
CONF = _PACKAGE / "conf" if (_PACKAGE / "conf").is_dir() else _PACKAGE.parent / "conf"
"""The configuration folder: inside an installed package, beside it in a checkout."""

FREE_ON_RESUME = {
    *("output_dir", "ckpt_path", "data_dir", "dataset.data_dir", "callbacks", "logger"),
    *("trainer.max_epochs", "trainer.log_every_n_steps", "trainer.default_root_dir", "trainer.enable_model_summary"),
    *("trainer.accelerator", "trainer.devices", "trainer.strategy", "trainer.deterministic"),
}
"""Settings that a resumed run may change: how long and where it trains, and what is written down."""


def read_checkpoint(path: str) -> dict[str, Any]:
    """A checkpoint of this project, read as data: nothing in the file is run.

    Raises:
        UserError: if there is no such file, it cannot be read, or it is not a checkpoint of this project.
    """
    import torch  # not needed to find the configuration

    if not Path(path).is_file():
        raise UserError(f"there is no checkpoint at {path}; a run leaves its own in checkpoints/last.ckpt")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as reason:
        raise UserError(f"cannot read {path}: {reason.strerror}") from reason
    except Exception as reason:  # torch raises many kinds, depending on where the file stops making sense
        raise UserError(f"{path} is not a checkpoint, or it is damaged") from reason
    settings = checkpoint.get("hyper_parameters") if isinstance(checkpoint, dict) else None
    if not isinstance(settings, dict) or not {"gan", "model", "image_shape"} <= settings.keys():
        raise UserError(f"{path} is not a checkpoint of this project")
    return checkpoint


def differences(before: dict[str, Any], now: dict[str, Any], prefix: str = "") -> list[str]:
    """The settings that a resumed run may not change and that are not the same: `optimizer.lr (0.0001, now 0.001)`."""
    found = []
    for key in sorted(before.keys() | now.keys()):
        name = f"{prefix}{key}"
        old, new = before.get(key), now.get(key)
        if name in FREE_ON_RESUME:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            found += differences(old, new, f"{name}.")
        elif old != new:
            found.append(f"{name} ({old}, now {new})")
    return found
