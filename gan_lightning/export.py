"""Take a generator elsewhere: `python -m gan_lightning.export ckpt=… format=onnx`; `--help` lists the settings."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from gan_lightning.checkpoints import check_trust, epochs_of, has_average, last_of, read_checkpoint
from gan_lightning.cli import as_list, entry_point
from gan_lightning.errors import UserError, whole_number
from gan_lightning.mistakes import user_mistakes
from gan_lightning.paths import PACKAGE
from gan_lightning.whole_files import whole_folder, write_json, write_text

if TYPE_CHECKING:
    from torch import Tensor

    from gan_lightning.loading import TrainedGenerator

FORMATS = ("safetensors", "onnx", "torch_export")
SHOWN = 64
"""Samples in the picture, at most."""


@entry_point("export")
def main(settings: DictConfig) -> None:
    """Write a generator into a folder of its own, once it draws there what it draws here."""
    if not settings.ckpt and settings.ckpt != 0:
        raise UserError("which checkpoint? ckpt=… takes a run's folder, such as outputs/mnist5k/…, or a checkpoint")
    if settings.format not in FORMATS:
        raise UserError(f"format must be one of {', '.join(FORMATS)}, not {settings.format!r}")
    if settings.opset is not None and settings.format != "onnx":
        raise UserError(f"opset={settings.opset} is of format=onnx, and format is {settings.format}")
    if settings.output_dir in (None, ""):
        raise UserError("output_dir is empty; it takes the name of the new folder")
    output = Path(str(settings.output_dir))
    if output.exists():
        raise UserError(f"{output} exists already; choose another output_dir")
    checkpoint = read_checkpoint(str(last_of(Path(str(settings.ckpt)))))
    check_trust(checkpoint["hyper_parameters"], ["generator"], as_list(settings.trust))

    from gan_lightning.averaging import which_weights  # not needed for --help and mistyped keys
    from gan_lightning.drawing.layouts import grid_of_classes
    from gan_lightning.drawing.pictures import save_png
    from gan_lightning.exporting.card import PICTURE, card
    from gan_lightning.exporting.comparison import BATCHES, largest_difference
    from gan_lightning.exporting.folder import CONFIG, config_of
    from gan_lightning.loading import trained_generator
    from gan_lightning.players.sampling import labels_to_draw

    with user_mistakes():
        if settings.opset is not None:
            whole_number("opset", settings.opset, at_least=1)
        weights = which_weights(settings.weights, has_average(checkpoint))
        generator = trained_generator(checkpoint, weights)
        config = config_of(checkpoint, epochs_of(checkpoint), weights, _measured(settings, checkpoint, weights))
    kinds = generator.num_classes if generator.conditional else 1
    num_samples = SHOWN // kinds * kinds or SHOWN  # as many of each, if there is one of each
    labels = labels_to_draw(generator, num_samples, range(generator.num_classes))
    images = generator.draw(num_samples)
    with whole_folder(output) as folder:
        write_json(folder / CONFIG, config)
        write_text(
            folder / "README.md", card(config, generator, settings.format, output.name, _commit(), settings.license)
        )
        save_png(grid_of_classes(images, labels), folder / PICTURE)
        exported = _write(generator, folder, weights, settings)
        difference = largest_difference(generator, exported, f"what was written as {settings.format}")
    print(
        f"the {weights} weights in {output}; {settings.format} draws what PyTorch draws,"
        f" {', '.join(map(str, BATCHES))} images at a time: pixels in [-1, 1] differ by {difference:.2g} at most"
    )


def _write(generator: "TrainedGenerator", folder: Path, weights: str, settings: DictConfig) -> "Callable[..., Tensor]":
    """Write the generator in the form that is asked for; what then draws from the file."""
    if settings.format == "safetensors":
        from gan_lightning.exporting.weights import write_weights

        return write_weights(generator, folder, weights, as_list(settings.trust))
    if settings.format == "onnx":
        from gan_lightning.exporting.onnx_file import write_onnx

        return write_onnx(generator, folder, settings.opset)
    from gan_lightning.exporting.program import write_program

    return write_program(generator, folder)


def _measured(settings: DictConfig, checkpoint: dict[str, Any], weights: str) -> dict[str, Any] | None:
    """What is known of how good the generator is: by the evaluation that is named, or what comes with it."""
    from gan_lightning.exporting.measured import measured_before, measured_by_evaluation, measured_by_training

    if settings.evaluation is not None:
        return measured_by_evaluation(Path(str(settings.evaluation)), checkpoint, weights)
    return measured_before(checkpoint) or measured_by_training(checkpoint, weights)


def _commit() -> str | None:
    """The commit of this project's checkout, if it is one that git knows."""
    try:
        words = ["git", "-C", str(PACKAGE), "describe", "--always", "--dirty", "--exclude=*"]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return None


if __name__ == "__main__":
    main()
