"""Draw samples from a checkpoint, without its data set: `python -m gan_lightning.sample ckpt=… num_samples=64`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.utils import get_class
from omegaconf import DictConfig

from gan_lightning.checks import whole_number
from gan_lightning.cli import door, user_mistakes
from gan_lightning.config import read_checkpoint
from gan_lightning.errors import UserError

if TYPE_CHECKING:
    from gan_lightning.networks.players import Generator


def load_generator(checkpoint: dict[str, Any]) -> "Generator":
    """The trained generator of a checkpoint, on the CPU.

    Raises:
        UserError: if the checkpoint names anything but a generator of `gan_lightning.networks`. It may come from a
            stranger, and making whatever it names would run code of its choice.
    """
    from gan_lightning.networks import players

    settings = checkpoint["hyper_parameters"]
    arguments = dict(settings["model"]["generator"])
    target = arguments.pop("_target_")
    ours = "gan_lightning.networks."
    network: Any = get_class(target) if target.startswith(ours) else object
    if not issubclass(network, players.Generator) or not network.__module__.startswith(ours):
        raise UserError(f"the checkpoint's generator is {target}; only those of gan_lightning.networks are loaded")
    # Called plainly: Hydra would make an object of each argument that names a class.
    generator = network(image_shape=settings["image_shape"], **arguments)
    prefix = "generator."
    weights = {name: value for name, value in checkpoint["state_dict"].items() if name.startswith(prefix)}
    generator.load_state_dict({name.removeprefix(prefix): value for name, value in weights.items()})
    return generator


@door("sample")
def main(settings: DictConfig) -> None:
    """Write a grid of samples as one PNG."""
    if settings.ckpt is None:
        raise UserError("which checkpoint? ckpt=… takes a run's folder, such as outputs/mnist5k/…, or a checkpoint")
    path = Path(str(settings.ckpt))
    checkpoint = read_checkpoint(str(path / "checkpoints" / "last.ckpt" if path.is_dir() else path))

    import torch  # not needed for --help and mistyped keys

    from gan_lightning.sampling import draw, grid, save_png

    with user_mistakes():
        whole_number("num_samples", settings.num_samples, at_least=1)
        whole_number("seed", settings.seed, at_least=0)
        images = draw(load_generator(checkpoint), settings.num_samples, settings.seed, torch.device("cpu"))
        save_png(grid(images, columns=max(1, round(settings.num_samples**0.5))), Path(settings.output))
    print(f"{settings.num_samples} samples in {settings.output}")


if __name__ == "__main__":
    main()
