"""What the generator draws, epoch by epoch."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger
from torch import Tensor

from gan_lightning.data.pixels import are_points
from gan_lightning.drawing.layouts import grid_of_classes
from gan_lightning.drawing.pictures import captioned, save_png
from gan_lightning.drawing.plane import lattice, scene
from gan_lightning.errors import whole_number
from gan_lightning.players.places import answers, leaning, pushes
from gan_lightning.players.sampling import draw, judged, labels_to_draw
from gan_lightning.wording import counted

PLACES = 64
"""In a row, where D is asked, of the plane's places."""
ARROWS = 60
"""Generated points that show where they are pushed; more would hide the rest."""


class Samples(Callback):
    """Writes a grid of samples from the same latents after each epoch: a PNG, and an image in TensorBoard or
    Weights & Biases. Of a conditional generator a row is a class.

    Of points of the plane it is the game at this moment: as many training points, in blue, beside generated ones, in
    orange; each place as blue as D takes it for real, as orange as it takes it for generated, and white where it cannot
    tell; and from some generated points arrows against the gradient of G's loss, as D would push them now. Where logits
    are scores, white is half way between the mean scores of both, and the farthest of all has the full colour.

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
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        picture = (self._game if are_points(data.image_shape) else self._grid)(gan, data, trainer.current_epoch)
        save_png(picture, self.folder / f"epoch_{trainer.current_epoch + 1:04d}.png")
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image("samples", picture, gan.alternations)
                logger.experiment.flush()
            elif isinstance(logger, WandbLogger):
                logger.log_image("samples", [picture.permute(1, 2, 0).numpy()], step=gan.alternations)

    def _grid(self, gan: Any, data: Any, epoch: int) -> Tensor:
        generator = gan.ema.choose(gan.generator, self.weights)
        labels = labels_to_draw(generator, self.num_samples, range(data.num_classes))
        return grid_of_classes(draw(generator, labels, self.seed, gan.device), labels)

    def _game(self, gan: Any, data: Any, epoch: int) -> Tensor:
        """Real points, generated points of the same labels, what D says of every place, and where it sends some."""
        real, labels = (each[: self.num_samples] for each in data.train_set.tensors)
        generated = draw(gan.ema.choose(gan.generator, self.weights), labels, self.seed, gan.device)
        objective, d = gan.objective.in_epoch(epoch), gan.discriminator
        both = torch.cat([judged(d, points, labels, len(labels), gan.device) for points in (real, generated)])
        places = answers(d, lattice(PLACES), data.num_classes, gan.device)
        heat = leaning(places, objective.log_odds, undecided=both.mean()).view(PLACES, PLACES)
        arrows = pushes(objective.generator_loss, d, real, generated, labels, gan.device)[:ARROWS]
        return captioned(scene(heat, real, generated, arrows), f"after {counted(gan.alternations, 'alternation')}")
