"""The two loss curves."""

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure

from gan_lightning.callbacks.picture import Picture
from gan_lightning.callbacks.statistics import Statistics


class LossCurves(Picture):
    """Both players' losses over the epochs."""

    def draw(self, trainer: Trainer, pl_module: LightningModule) -> None:
        history = Statistics.of(trainer).history
        loader: Any = trainer.train_dataloader
        an_epoch = loader.sampler.num_batches(trainer.num_training_batches)
        epochs = [point["alternation"] / an_epoch for point in history]
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        axes = figure.subplots()
        axes.plot(epochs, [point["discriminator_loss"] for point in history], label="discriminator")
        axes.plot(epochs, [point["generator_loss"] for point in history], label="generator")
        axes.set_xlabel("epoch")
        axes.set_ylabel("loss (nats)")
        axes.grid(alpha=0.3)
        axes.legend()
        figure.savefig(self.path, dpi=120)
