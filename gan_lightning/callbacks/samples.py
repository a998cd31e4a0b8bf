"""What the generator draws, epoch by epoch."""

from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger

from gan_lightning.drawing.layouts import grid_of_classes
from gan_lightning.drawing.pictures import save_png
from gan_lightning.errors import whole_number
from gan_lightning.players.sampling import draw, labels_to_draw


class Samples(Callback):
    """Writes a grid of samples from the same latents after each epoch: a PNG, and an image in TensorBoard or
    Weights & Biases. Of a conditional generator a row is a class.

    Args:
        folder: where `epoch_0001.png` … are written.
        num_samples: how many samples the grid shows.
        seed: of the latents.
        weights: of the generator: `raw`, those of the last step; `ema`, their average; None, that if there is one.
    """

    def __init__(self, folder: str, num_samples: int = 64, seed: int = 0, weights: str | None = None) -> None:
        whole_number("num_samples", num_samples, at_least=1)
        whole_number("seed", seed, at_least=0)
        self.folder = Path(folder)
        self.num_samples = num_samples
        self.seed = seed
        self.weights = weights

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.is_global_zero:  # now, because a folder that cannot be would be noticed after an epoch
            self.folder.mkdir(parents=True, exist_ok=True)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        gan: Any = pl_module
        num_classes: int = trainer.datamodule.num_classes  # type: ignore[attr-defined]
        generator = gan.ema.choose(gan.generator, self.weights)
        labels = labels_to_draw(generator, self.num_samples, range(num_classes))
        picture = grid_of_classes(draw(generator, labels, self.seed, gan.device), labels)
        save_png(picture, self.folder / f"epoch_{trainer.current_epoch + 1:04d}.png")
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image("samples", picture, gan.alternations)
                logger.experiment.flush()
            elif isinstance(logger, WandbLogger):
                logger.log_image("samples", [picture.permute(1, 2, 0).numpy()], step=gan.alternations)
