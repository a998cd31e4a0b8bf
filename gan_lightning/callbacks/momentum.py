"""Momentum that grows over the epochs."""

from lightning.pytorch import Callback, LightningModule, Trainer


class MomentumRamp(Callback):
    """Raises the momentum of both players' SGD linearly, from `first` in the first epoch to `last`, then holds it.

    Goodfellow et al. 2014, as the code published with the paper trains.

    Args:
        first: momentum in the first epoch.
        last: momentum from epoch `epochs` on.
        epochs: the epoch, counted from 1, that reaches `last`.

    Raises:
        ValueError: if `epochs` is less than 2 (here), or an optimizer has no momentum (as training starts).
    """

    def __init__(self, first: float = 0.5, last: float = 0.7, epochs: int = 250) -> None:
        if epochs < 2:
            raise ValueError(f"epochs must be at least 2, not {epochs!r}")
        self.first = first
        self.last = last
        self.epochs = epochs

    def momentum(self, epoch: int) -> float:
        """The momentum in `epoch`, counted from 0."""
        return self.first + (self.last - self.first) * min(epoch / (self.epochs - 1), 1.0)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for optimizer in trainer.optimizers:
            for group in optimizer.param_groups:
                if "momentum" not in group:
                    raise ValueError(f"{type(optimizer).__name__} has no momentum for MomentumRamp to raise")
                group["momentum"] = self.momentum(trainer.current_epoch)
