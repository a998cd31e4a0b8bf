"""Real images beside generated ones."""

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure

from gan_lightning.callbacks.picture import Picture
from gan_lightning.errors import whole_number
from gan_lightning.players.sampling import draw, grid


class RealAndFake(Picture):
    """Training images beside samples.

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
        images = data.train_images
        real = images[torch.linspace(0, len(images) - 1, self.num_samples).long()]
        generator = gan.ema.choose(gan.generator, self.weights)
        fake = draw(generator, self.num_samples, data.num_classes, self.seed, gan.device)
        figure = Figure(figsize=(10, 5.4), layout="constrained")
        for axes, title, shown in zip(figure.subplots(1, 2), ("real", "generated"), (real, fake), strict=True):
            axes.imshow(grid(shown).permute(1, 2, 0).numpy())
            axes.set_title(title)
            axes.axis("off")
        figure.savefig(self.path, dpi=120)
