"""Draw samples from a checkpoint, without its data set: `python -m gan_lightning.sample ckpt=… num_samples=64`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, ListConfig

from gan_lightning.checkpoints import check_trust, has_average, last_of, read_checkpoint, trained_player
from gan_lightning.cli import as_list, entry_point
from gan_lightning.errors import UserError, whole_number
from gan_lightning.mistakes import user_mistakes
from gan_lightning.wording import counted

if TYPE_CHECKING:
    from torch import nn


@entry_point("sample")
def main(settings: DictConfig) -> None:
    """Write a grid of samples as one PNG."""
    if settings.ckpt is None:
        raise UserError("which checkpoint? ckpt=… takes a run's folder, such as outputs/mnist5k/…, or a checkpoint")
    path = Path(str(settings.ckpt))
    output = Path(str(settings.output))
    if output.suffix != ".png" or output.is_dir():
        right = output.with_suffix(".png") if output.suffix else output / "samples.png"
        raise UserError(f"output must be the file of a picture, such as {right}, not {settings.output}")
    checkpoint = read_checkpoint(str(last_of(path)))
    check_trust(checkpoint["hyper_parameters"], ["generator"], as_list(settings.trust))

    import torch  # not needed for --help and mistyped keys

    from gan_lightning.averaging import which_weights
    from gan_lightning.loop.checkpoint_schema import check_finite
    from gan_lightning.players.sampling import draw, grid_of_classes, labels_to_draw, save_png

    with user_mistakes():
        whole_number("num_samples", settings.num_samples, at_least=1)
        whole_number("seed", settings.seed, at_least=0)
        weights = which_weights(settings.weights, has_average(checkpoint))
        generator = trained_player(checkpoint, "generator", weights)
        check_finite(generator.state_dict(), f"{checkpoint['path']}: generator")
        classes = _classes(settings.labels, checkpoint["hyper_parameters"]["num_classes"], generator)
    labels = labels_to_draw(generator, settings.num_samples, classes)
    images = draw(generator, labels, settings.seed, torch.device("cpu"))
    with user_mistakes():
        output.parent.mkdir(parents=True, exist_ok=True)
        save_png(grid_of_classes(images, labels, columns=max(1, round(settings.num_samples**0.5))), output)
    print(f"{counted(settings.num_samples, 'sample')} in {output}")


def _classes(labels: Any, num_classes: int, generator: "nn.Module") -> Sequence[int]:
    """The classes that are to be drawn: those that are asked for, one or a list, or all for None.

    Raises:
        UserError: if there are no such, or the generator takes no labels.
    """
    from gan_lightning.players.protocol import takes_labels

    if labels is None:
        return range(num_classes)
    if not takes_labels(generator):
        raise UserError(f"labels={labels}, but this generator takes none: it draws of all classes; leave labels out")
    classes = list(labels) if isinstance(labels, ListConfig) else [labels]
    are_labels = (type(label) is int and label in range(num_classes) for label in classes)
    if not classes or not all(are_labels):
        raise UserError(f"labels must be a label from 0 to {num_classes - 1}, or a list of such, not {labels!r}")
    return classes


if __name__ == "__main__":
    main()
