"""Draw samples from a checkpoint, without its data set: `python -m gan_lightning.sample ckpt=… num_samples=64`."""

from pathlib import Path

from omegaconf import DictConfig

from gan_lightning.building import check_trust, has_average, trained_player
from gan_lightning.checks import whole_number
from gan_lightning.cli import door, user_mistakes, words
from gan_lightning.config import read_checkpoint
from gan_lightning.errors import UserError


@door("sample")
def main(settings: DictConfig) -> None:
    """Write a grid of samples as one PNG."""
    if settings.ckpt is None:
        raise UserError("which checkpoint? ckpt=… takes a run's folder, such as outputs/mnist5k/…, or a checkpoint")
    path = Path(str(settings.ckpt))
    checkpoint = read_checkpoint(str(path / "checkpoints" / "last.ckpt" if path.is_dir() else path))

    check_trust(checkpoint["hyper_parameters"], ["generator"], words(settings.trust))

    import torch  # not needed for --help and mistyped keys

    from gan_lightning.averaging import which_weights
    from gan_lightning.sampling import draw, grid, save_png

    with user_mistakes():
        whole_number("num_samples", settings.num_samples, at_least=1)
        whole_number("seed", settings.seed, at_least=0)
        weights = which_weights(settings.weights, has_average(checkpoint))
        generator = trained_player(checkpoint, "generator", weights)
    num_classes = checkpoint["hyper_parameters"]["num_classes"]
    images = draw(generator, settings.num_samples, num_classes, settings.seed, torch.device("cpu"))
    with user_mistakes():
        save_png(grid(images, columns=max(1, round(settings.num_samples**0.5))), Path(settings.output))
    print(f"{settings.num_samples} samples in {settings.output}")


if __name__ == "__main__":
    main()
