"""Numbers that change as training goes on.

By the images seen, between two alternations: a :class:`Schedule`, wherever a number stands that may follow one. By the
updates of an optimizer: torch's own learning rate schedules, and :class:`Goodfellow2014` beside them.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from gan_lightning.adam import is_fused_on_cpu, step_fused
from gan_lightning.errors import number, whole_number


class Schedule:
    """A number as a function of how many real images the discriminator has been shown."""

    def __call__(self, images_seen: int) -> float:
        raise NotImplementedError

    def extremes(self) -> tuple[float, ...]:
        """Its least and its highest value, if they are known, so that they can be refused before a run begins."""
        return (self(0),)


class Cosine(Schedule):
    """From one value to another on half a cosine, and constant from then on, as in the burn-in of Huang et al. 2024.

    w first + (1 - w) last after n images, w = (1 + cos(π min(n / images, 1))) / 2.

    Args:
        first: the value at the start.
        last: the value in the end.
        images: the number of images after which the end is reached.

    Raises:
        ValueError: if a value is not a number of at least 0, or `images` is not one of at least 1.
    """

    def __init__(self, first: float, last: float, images: float) -> None:
        number("first", first, at_least=0)
        number("last", last, at_least=0)
        number("images", images, at_least=1)
        self.first = first
        self.last = last
        self.images = images

    def extremes(self) -> tuple[float, ...]:
        return (min(self.first, self.last), max(self.first, self.last))

    def __call__(self, images_seen: int) -> float:
        weight = (1 + math.cos(math.pi * min(images_seen / self.images, 1.0))) / 2
        return weight * self.first + (1 - weight) * self.last


class Linear(Schedule):
    """From one value to another on a line, and constant before it and after it, as the learning rate of Miyato et al.
    2018, which falls to 0.

    Args:
        first: the value at the start.
        last: the value in the end.
        images: the number of images after which the end is reached.
        begin: the number of images up to which the value stays what it is at the start.

    Raises:
        ValueError: if a value is not a number of at least 0, or `images` is not more than `begin`.
    """

    def __init__(self, first: float, last: float, images: float, begin: float = 0) -> None:
        number("first", first, at_least=0)
        number("last", last, at_least=0)
        number("begin", begin, at_least=0)
        number("images", images, at_least=1)
        if images <= begin:
            raise ValueError(f"images, where the line ends, must be more than begin, {begin:g}, not {images:g}")
        self.first = first
        self.last = last
        self.images = images
        self.begin = begin

    def extremes(self) -> tuple[float, ...]:
        return (min(self.first, self.last), max(self.first, self.last))

    def __call__(self, images_seen: int) -> float:
        share = (images_seen - self.begin) / (self.images - self.begin)
        share = min(max(share, 0.0), 1.0)
        return (1 - share) * self.first + share * self.last


def number_or_schedule(name: str, value: Any, at_least: float) -> None:
    """Accept a schedule, or a finite number that is large enough.

    Raises:
        ValueError: if `value` is anything else; the message begins with `name`.
    """
    if not isinstance(value, Schedule):
        number(name, value, at_least)


def at(setting: Any, images_seen: int) -> Any:
    """A setting, or a list of some, as it is after so many images: numbers in place of schedules."""
    return _with_numbers(setting, lambda schedule: schedule(images_seen))


def _with_numbers(setting: Any, number_of: Callable[[Schedule], float]) -> Any:
    if isinstance(setting, Schedule):
        return number_of(setting)
    return [_with_numbers(each, number_of) for each in setting] if isinstance(setting, list | tuple) else setting


class Scheduled(nn.Module):
    """A number, or what a schedule says, as a tensor: a step that was recorded with it sees it change.

    Args:
        source: the number, or the schedule.

    Attributes:
        value: what it is now, a scalar on the module's device.
    """

    value: Tensor

    def __init__(self, source: float | Schedule) -> None:
        super().__init__()
        self.source = source
        self.register_buffer("value", torch.tensor(float(at(source, 0))), persistent=False)

    def set_at(self, images_seen: int) -> None:
        """Let it be what it is after so many images."""
        if isinstance(self.source, Schedule):
            self.value.fill_(self.source(images_seen))


class ScheduledOptimizer:
    """An optimizer whose settings change: some, such as `lr` or one of `betas`, with the images seen, or the learning
    rate with its own updates.

    Args:
        factory: makes the optimizer from the parameters; the settings are its keywords if it is a `functools.partial`.
        parameters: what is optimized.
        scheduler: makes a learning rate schedule from the optimizer, stepped after each update; None for none.
        clip_norm: the greatest norm of all gradients together, to which an update scales them down; None for any.

    Attributes:
        optimizer: made with what the settings are at the start.
        parameters: what it optimizes.
        scheduler: of its learning rate, if there is one.
        follows: whether some of its settings follow the images seen.

    Raises:
        ValueError: if a setting follows the images seen, and there is a learning rate schedule beside it; or if
            `clip_norm` is neither None nor a number above 0.
    """

    def __init__(
        self,
        factory: Callable[..., Optimizer],
        parameters: Any,
        scheduler: Callable[[Optimizer], LRScheduler] | None = None,
        clip_norm: float | None = None,
    ) -> None:
        if clip_norm is not None:
            number("gan.generator_clip_norm and gan.discriminator_clip_norm (unless null)", clip_norm, at_least=0)
            if clip_norm == 0:
                raise ValueError("a clip_norm of 0 would let a player never learn; null is for gradients of any norm")
        keywords: dict[str, Any] = getattr(factory, "keywords", {})
        self._settings = {
            name: setting
            for name, setting in keywords.items()
            if any(isinstance(one, Schedule) for one in (setting if isinstance(setting, list | tuple) else [setting]))
        }
        self.parameters = list(parameters)
        self._clip_norm = clip_norm

        self._factory = factory
        for extreme in (min, max) if self._settings else ():  # what it refuses of these, it refuses now
            self._made(lambda schedule, extreme=extreme: extreme(schedule.extremes()), self.parameters)  # type: ignore[misc]
        self.optimizer = self._made(lambda schedule: schedule(0), self.parameters)
        self.scheduler = None if scheduler is None else scheduler(self.optimizer)
        self.follows = bool(self._settings)
        self._is_lean: bool | None = None  # not known before the first step: weights may move to another device
        if self.follows and self.scheduler is not None:
            raise ValueError("optimizer.scheduler and a schedule by the images seen would undo each other; choose one")

    def _made(self, number_of: Callable[[Schedule], float], parameters: list[Any]) -> Optimizer:
        now = {name: _with_numbers(setting, number_of) for name, setting in self._settings.items()}
        return self._factory(parameters, **now)

    def after_a_step(self) -> dict[str, Any]:
        """The state of such an optimizer that has moved all weights once: what one keeps of each of them."""
        copies = [torch.zeros_like(weight, requires_grad=weight.requires_grad) for weight in self.parameters]
        twin = self._made(lambda schedule: schedule(0), copies)
        for copy in copies:
            if copy.requires_grad:
                copy.grad = torch.zeros_like(copy)
        twin.step()
        return twin.state_dict()

    def zero_grad(self) -> None:
        """Forget the gradients."""
        self.optimizer.zero_grad()

    def step(self) -> None:
        """One update with gradients clipped, and one step of the learning rate schedule."""
        if self._clip_norm is not None:
            clip_grad_norm_(self.parameters, self._clip_norm)
        if self._is_lean is None:
            self._is_lean = self.scheduler is None and is_fused_on_cpu(self.optimizer)
        if self._is_lean:
            step_fused(self.optimizer)
        else:
            self.optimizer.step()
        if self.scheduler is not None:
            self.scheduler.step()

    def start(self, images_seen: int, device: torch.device | None) -> None:
        """Let the settings be what they are after so many images: tensors on `device`, numbers if that is None."""

        def now(schedule: Schedule) -> Any:
            number = schedule(images_seen)
            return number if device is None else torch.tensor(number, device=device)

        self._is_lean = None
        for group in self.optimizer.param_groups:
            for name, setting in self._settings.items():
                group[name] = _with_numbers(setting, now)

    def set_at(self, images_seen: int) -> None:
        """Let the settings be what they are after so many images, tensors in place."""
        for group in self.optimizer.param_groups:
            for name, setting in self._settings.items():
                group[name] = _changed(group[name], at(setting, images_seen))


def _changed(before: Any, now: Any) -> Any:
    if isinstance(before, Tensor):
        return before.fill_(now)
    return [_changed(*each) for each in zip(before, now, strict=True)] if isinstance(now, list) else now


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
