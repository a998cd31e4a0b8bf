"""A generator that begins at the mean image."""

from lightning.pytorch import Callback, LightningModule, Trainer


class OutputMarginals(Callback):
    """Before the first epoch, sets the generator's output bias so that its pixels have the training data's means.

    Goodfellow et al. 2014, as the code published with the paper begins. The generator must offer
    `set_output_marginals`.
    """

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if pl_module.alternations == 0:
            images, _ = trainer.datamodule.train_set.tensors  # type: ignore[attr-defined]
            pl_module.generator.set_output_marginals(images.double().mean(0) / 255)  # type: ignore[operator, union-attr]
