"""Learning rates and momenta that change from update to update."""

from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from gan_lightning.checks import number, whole_number


class Goodfellow2014(LRScheduler):
    """The schedule of the code published with Goodfellow et al. 2014, for SGD with momentum.

    After u updates the learning rate is `max(lr / decay^u, min_lr)`. The momentum rises linearly from epoch to epoch,
    from the optimizer's own in the first one to `last_momentum` in epoch `momentum_epochs`, and stays there.

    Args:
        optimizer: with a `momentum`.
        decay: what each update divides the learning rate by.
        min_lr: the learning rate does not fall below it.
        last_momentum: the momentum in the end.
        momentum_epochs: the epoch, counted from 1, that reaches `last_momentum`.
        updates_per_epoch: an epoch here is so many updates; 500 are 50,000 images in batches of 100.

    Raises:
        ValueError: if the optimizer has no momentum, or a setting is not a number or too small.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        decay: float = 1.000004,
        min_lr: float = 1e-6,
        last_momentum: float = 0.7,
        momentum_epochs: int = 250,
        updates_per_epoch: int = 500,
    ) -> None:
        number("decay", decay, at_least=1)
        number("min_lr", min_lr, at_least=0)
        number("last_momentum", last_momentum, at_least=0)
        whole_number("momentum_epochs", momentum_epochs, at_least=2)
        whole_number("updates_per_epoch", updates_per_epoch, at_least=1)
        if any("momentum" not in group for group in optimizer.param_groups):
            raise ValueError(f"{type(optimizer).__name__} has no momentum, which the schedule Goodfellow2014 raises")
        self.decay = decay
        self.min_lr = min_lr
        self.last_momentum = last_momentum
        self.momentum_epochs = momentum_epochs
        self.updates_per_epoch = updates_per_epoch
        self.first_momenta = [group["momentum"] for group in optimizer.param_groups]
        super().__init__(optimizer)

    def get_lr(self) -> list[Any]:
        """The learning rate of each parameter group; sets their momenta on the way, as torch's own cycles do."""
        updates = self.last_epoch  # torch's name for the steps taken
        ramp = min(updates // self.updates_per_epoch / (self.momentum_epochs - 1), 1.0)
        for group, first in zip(self.optimizer.param_groups, self.first_momenta, strict=True):
            group["momentum"] = first + ramp * (self.last_momentum - first)
        return [max(lr / self.decay**updates, self.min_lr) for lr in self.base_lrs]
