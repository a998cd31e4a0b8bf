"""The end of a run that was killed there."""

from lightning.pytorch import Callback, LightningModule, Trainer


class Ending(Callback):
    """Draws the pictures and writes the results of a run whose last checkpoint has all epochs: what was left to do.

    Lightning skips a training without steps, and with it what comes before its first step and after its last one.
    """

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
        for callback in callbacks:
            callback.on_train_start(trainer, pl_module)
        for callback in callbacks:
            callback.on_train_end(trainer, pl_module)
