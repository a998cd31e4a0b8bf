"""Draw samples from a checkpoint, without its data set: `python -m gan_lightning.sample ckpt=… num_samples=64`."""

from pathlib import Path

from omegaconf import DictConfig

from gan_lightning.checkpoints import check_trust, has_average, read_checkpoint, trained_player
from gan_lightning.cli import as_list, entry_point
from gan_lightning.errors import UserError, whole_number
from gan_lightning.mistakes import user_mistakes
from gan_lightning.wording import counted


@entry_point("sample")
def main(settings: DictConfig) -> None:
    """Write a grid of samples as one PNG."""
    if settings.ckpt is None:
        raise UserError("which checkpoint? ckpt=… takes a run's folder, such as outputs/mnist5k/…, or a checkpoint")
    path = Path(str(settings.ckpt))
    output = Path(str(settings.output))
    if not output.suffix or output.is_dir():
        raise UserError(f"output must be the file of a picture, such as {output}/samples.png, not {settings.output}")
    checkpoint = read_checkpoint(str(path / "checkpoints" / "last.ckpt" if path.is_dir() else path))
    check_trust(checkpoint["hyper_parameters"], ["generator"], as_list(settings.trust))

    import torch  # not needed for --help and mistyped keys

    from gan_lightning.averaging import which_weights
    from gan_lightning.players.sampling import draw, grid, save_png

    with user_mistakes():
        whole_number("num_samples", settings.num_samples, at_least=1)
        whole_number("seed", settings.seed, at_least=0)
        weights = which_weights(settings.weights, has_average(checkpoint))
        generator = trained_player(checkpoint, "generator", weights)
    num_classes = checkpoint["hyper_parameters"]["num_classes"]
    images = draw(generator, settings.num_samples, num_classes, settings.seed, torch.device("cpu"))
    with user_mistakes():
        output.parent.mkdir(parents=True, exist_ok=True)
        save_png(grid(images, columns=max(1, round(settings.num_samples**0.5))), output)
    print(f"{counted(settings.num_samples, 'sample')} in {output}")


if __name__ == "__main__":
    main()
