"""The base of the pictures that a run leaves behind."""

from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer


class Picture(Callback):
    """Draws one picture when training ends or is interrupted.

    Args:
        path: of the picture.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def draw(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the picture to `path`."""
        raise NotImplementedError

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.is_global_zero:
            self.draw(trainer, pl_module)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        if isinstance(exception, KeyboardInterrupt):
            self.on_train_end(trainer, pl_module)
