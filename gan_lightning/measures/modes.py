"""How many of the classes a generator draws, and how evenly: Che et al. 2017, section 4; Metz et al. 2017."""

import torch
from torch import Tensor


def modes_and_divergence(classes: Tensor, real_classes: Tensor, num_classes: int) -> tuple[int, float]:
    """The number of classes drawn at least once, and KL(drawn ‖ real) in nats of the two class histograms.

    Args:
        classes: of the generated images, (N,), integers from 0.
        real_classes: of real images, (M,).
        num_classes: how many there are.

    Raises:
        ValueError: if there are no images, a class is out of range, or one is drawn that no real image has.
    """
    if len(classes) == 0 or len(real_classes) == 0:
        raise ValueError("the modes of no images cannot be counted")
    if max(classes.max(), real_classes.max()) >= num_classes or min(classes.min(), real_classes.min()) < 0:
        raise ValueError(f"classes must be 0 … {num_classes - 1}")
    drawn = torch.bincount(classes, minlength=num_classes).double() / len(classes)
    real = torch.bincount(real_classes, minlength=num_classes).double() / len(real_classes)
    if ((drawn > 0) & (real == 0)).any():
        raise ValueError("a class is drawn that no real image has: the divergence is infinite")
    modes = int((drawn > 0).sum())
    return modes, max((drawn.xlogy(drawn) - drawn.xlogy(real.clamp(min=1e-300))).sum().item(), 0.0)
