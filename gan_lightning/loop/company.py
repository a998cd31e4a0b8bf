"""The trainings that one shares its process with, as it sees them."""

from collections.abc import Hashable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

from torch import Tensor

if TYPE_CHECKING:
    from gan_lightning.loop.manual_optimization import ManualOptimization


class Company(Protocol):
    """Trainings in threads of one process, of which one at a time is at work.

    Attributes:
        asked_to_stop: whether all of them are to end after the training step that they are in.
    """

    asked_to_stop: bool

    def alternate(self, training: "ManualOptimization", batch: tuple[Tensor, ...], mode: Hashable) -> dict[str, Tensor]:
        """What the alternation of a training gives; others may go on, or alternate with it, before it returns."""
        raise NotImplementedError


COMPANY: ContextVar[Company | None] = ContextVar("company", default=None)
"""That of the training in this thread; None where it is alone in its process."""
