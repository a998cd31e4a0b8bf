"""What every feature space offers."""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Description(NamedTuple):
    """What a feature space says of images: points (N, D), and how likely each class is, (N, K)."""

    points: Tensor
    probabilities: Tensor


class FeatureSpace(nn.Module):
    """Images (B, C, H, W), bytes, to a :class:`Description`."""

    name: str
    """What its distances are called after."""
    fingerprint: str
    """The same on two machines that use the same weights."""
    accuracy: float | None = None
    """The share of test images it classifies rightly; None where its classes are not the data set's."""


@torch.no_grad()
def describe(space: FeatureSpace, images: Tensor, batch_size: int, device: torch.device) -> Description:
    """Describe images (N, C, H, W), bytes, `batch_size` at a time on `device`; the answer is on the CPU."""
    space.eval().to(device)
    parts = [space(batch.to(device)) for batch in images.split(batch_size)]
    return Description(*(torch.cat(columns).cpu() for columns in zip(*parts, strict=True)))


def fingerprint(tensors: Iterable[Tensor]) -> str:
    """Twelve hexadecimal digits of the SHA-256 of the tensors' bytes."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.cpu().contiguous().numpy().data)  # no copy of what may be larger than the memory
    return digest.hexdigest()[:12]
