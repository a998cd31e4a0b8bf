"""Real images beside generated ones."""

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor

from gan_lightning.callbacks.picture import Picture
from gan_lightning.drawing.layouts import grid_of_classes
from gan_lightning.errors import whole_number
from gan_lightning.players.protocol import takes_labels
from gan_lightning.players.sampling import draw, labels_to_draw
from gan_lightning.whole_files import whole_file


class RealAndFake(Picture):
    """Training images beside samples; of a conditional generator both in rows of the same classes.

    Args:
        path: of the picture.
        num_samples: how many of each are shown.
        seed: of the samples' latents.
        weights: of the generator: `raw`, those of the last step; `ema`, their average; None, that if there is one.
    """

    def __init__(self, path: str, num_samples: int = 64, seed: int = 0, weights: str | None = None) -> None:
        whole_number("num_samples", num_samples, at_least=1)
        whole_number("seed", seed, at_least=0)
        super().__init__(path)
        self.num_samples = num_samples
        self.seed = seed
        self.weights = weights

    def draw(self, trainer: Trainer, pl_module: LightningModule) -> None:
        gan: Any = pl_module
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        images, image_labels = data.train_set.tensors
        generator = gan.ema.choose(gan.generator, self.weights)
        labels = labels_to_draw(generator, self.num_samples, image_labels.unique().tolist())
        if takes_labels(generator):
            chosen = _of_classes(image_labels, labels)
            real, real_labels = images[chosen], image_labels[chosen]
        else:
            real, real_labels = images[_spread(len(images), self.num_samples)], labels
        fake = draw(generator, labels, self.seed, gan.device)
        figure = Figure(figsize=(10, 5.4), layout="constrained")
        pictures = {"real": grid_of_classes(real, real_labels), "generated": grid_of_classes(fake, labels)}
        for axes, (title, picture) in zip(figure.subplots(1, 2), pictures.items(), strict=True):
            axes.imshow(picture.permute(1, 2, 0).numpy())
            axes.set_title(title)
            axes.axis("off")
        with whole_file(self.path) as file:
            figure.savefig(file, dpi=120)


def _spread(size: int, number: int) -> Tensor:
    """So many indices from the first to the last of `size`, evenly spaced."""
    return torch.linspace(0, size - 1, number).long()


def _of_classes(image_labels: Tensor, labels: Tensor) -> Tensor:
    """The indices of images that have such labels, in their order, and as many of each class if there are as many."""
    chosen = []
    for label, number in zip(*labels.unique_consecutive(return_counts=True), strict=True):
        (found,) = torch.where(image_labels == label)
        chosen.append(found[_spread(len(found), min(int(number), len(found)))])
    return torch.cat(chosen)
