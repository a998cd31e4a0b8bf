"""Draw samples from a checkpoint, without its data set: `python -m gan_lightning.sample ckpt=… num_samples=64`."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.utils import instantiate
from omegaconf import DictConfig

from gan_lightning.cli import door, user_mistakes
from gan_lightning.config import read_checkpoint
from gan_lightning.errors import UserError

if TYPE_CHECKING:
    from gan_lightning.networks.players import Generator

log = logging.getLogger(__name__)


def load_generator(checkpoint: dict[str, Any]) -> "Generator":
    """The trained generator of a checkpoint, on the CPU.

    Raises:
        UserError: if the checkpoint names a class outside `gan_lightning.networks`. A checkpoint may come from a
            stranger, and making an object of a class of its choice would run code of its choice.
    """
    settings = checkpoint["hyper_parameters"]
    target = settings["model"]["generator"]["_target_"]
    if not target.startswith("gan_lightning.networks."):
        raise UserError(f"the checkpoint's generator is {target}; only those of gan_lightning.networks are loaded")
    with user_mistakes():
        generator = instantiate(settings["model"]["generator"], image_shape=settings["image_shape"], _convert_="all")
        prefix = "generator."
        weights = {name: value for name, value in checkpoint["state_dict"].items() if name.startswith(prefix)}
        generator.load_state_dict({name.removeprefix(prefix): value for name, value in weights.items()})
    return generator


@door("sample")
def main(settings: DictConfig) -> None:
    """Write a grid of samples as one PNG."""
    if settings.ckpt is None:
        raise UserError("which checkpoint? ckpt=… takes a run's folder, such as outputs/mnist5k/…, or a checkpoint")
    if not isinstance(settings.num_samples, int) or settings.num_samples < 1:
        raise UserError(f"num_samples must be a whole number of at least 1, not {settings.num_samples!r}")
    path = Path(settings.ckpt)
    checkpoint = read_checkpoint(str(path / "checkpoints" / "last.ckpt" if path.is_dir() else path))

    import torch  # not needed for --help and mistyped keys

    from gan_lightning.sampling import draw, grid, save_png

    images = draw(load_generator(checkpoint), settings.num_samples, settings.seed, torch.device("cpu"))
    save_png(grid(images, columns=max(1, round(settings.num_samples**0.5))), Path(settings.output))
    log.info("%d samples in %s", settings.num_samples, settings.output)


if __name__ == "__main__":
    main()
