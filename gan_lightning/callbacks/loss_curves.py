"""The two loss curves, and what the discriminator answers."""

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure

from gan_lightning.callbacks.picture import Picture
from gan_lightning.whole_files import whole_file

ANSWERS = {
    "mean answer of D": {"real_probability": "real images", "fake_probability": "generated images"},
    "mean score": {"real_score": "real images", "fake_score": "generated images"},
}
"""What is drawn below the losses, of those of the statistics that there are: the axis, and a name for each curve."""


class LossCurves(Picture):
    """Both players' losses over the epochs, and below them the discriminator's mean answers.

    Where D's logits are log-odds a line marks what theory ends with: a loss of 2 log 2, and answers of 0.5, unless the
    objective smooths its targets.
    """

    def draw(self, trainer: Trainer, pl_module: LightningModule) -> None:
        history: Any = pl_module.history
        loader: Any = trainer.train_dataloader
        objective: Any = pl_module.objective
        an_epoch = loader.sampler.num_batches(trainer.num_training_batches)
        panels = {"loss": {"discriminator_loss": "discriminator", "generator_loss": "generator"}} | {
            title: names
            for title, names in ANSWERS.items()
            if any(names.keys() <= point.keys() for point in history.points)
        }
        marks = {"mean answer of D": objective.equilibrium_answer, "loss": objective.equilibrium_loss}
        figure = Figure(figsize=(8, 1 + 3 * len(panels)), layout="constrained")
        for axes, (title, names) in zip(figure.subplots(len(panels), squeeze=False)[:, 0], panels.items(), strict=True):
            for name, label in names.items():
                curve = [(point["alternation"] / an_epoch, point[name]) for point in history.points if name in point]
                axes.plot(*zip(*curve, strict=True), label=label, marker="o" if len(curve) == 1 else None)
            if (mark := marks.get(title)) is not None:
                axes.axhline(mark, color="gray", linestyle="--", linewidth=1, label=f"{mark:.3g}: D cannot tell")
            axes.set_xlabel("epoch")
            axes.set_ylabel(title)
            axes.grid(alpha=0.3)
            axes.legend()
        with whole_file(self.path) as file:
            figure.savefig(file, dpi=120)
