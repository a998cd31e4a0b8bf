"""The discriminator as an objective sees it."""

from typing import NamedTuple, overload

import torch
from torch import Tensor, nn

from gan_lightning.players.protocol import call, depends_on_batch, takes_labels


class Judge:
    """D with what is bound to it: the labels of the images, and an augmentation of whatever it is shown.

    Called with batches of images, each (B, C, H, W) in [-1, 1], it gives their logits, each (B,), float32 at least. All
    batches have the same labels, image by image: a generated image is of the class of the real one it stands beside.
    Several batches are judged in one pass, unless an image's logit depends on the rest of its batch.

    Args:
        discriminator: images, and labels if it takes them, to logits.
        labels: (B,), int64.
        augmentation: images to images, differentiable; None for none.
        remembers: whether a batch that was judged before, the same tensor, has the logits that it had then, and the
            gradients of these: so two losses, or a loss and a penalty, can be taken on one judgement.

    Raises:
        ValueError: as it is called, if the discriminator does not give one number for each image.
    """

    def __init__(
        self,
        discriminator: nn.Module,
        labels: Tensor,
        augmentation: nn.Module | None = None,
        remembers: bool = False,
    ) -> None:
        self._discriminator = discriminator
        self._labels = labels
        self._augmentation = augmentation
        self._remembers = remembers
        self._known: list[_Judged] = []

    @overload
    def __call__(self, images: Tensor, /) -> Tensor: ...

    @overload
    def __call__(self, images: Tensor, others: Tensor, /, *more: Tensor) -> tuple[Tensor, ...]: ...

    def __call__(self, *batches: Tensor) -> Tensor | tuple[Tensor, ...]:
        logits = tuple(each.logits for each in self._judged(batches))
        return logits[0] if len(logits) == 1 else logits

    def gradients(self, *batches: Tensor) -> tuple[Tensor, ...]:
        """∇D of each image of these batches, of their shapes: with respect to the image before its augmentation, and
        through that; differentiable with respect to D's weights.
        """
        judged = self._judged(batches, for_penalty=True)
        # As PyTorch advises: what autocast chose on the way forward is in the graph already.
        with torch.autocast(batches[0].device.type, enabled=False):
            total = torch.cat([each.logits for each in judged]).sum()
            return torch.autograd.grad(total, [each.seen for each in judged], create_graph=True)

    def _judged(self, batches: tuple[Tensor, ...], for_penalty: bool = False) -> list["_Judged"]:
        found = [next((each for each in self._known if each.images is images), None) for images in batches]
        new = [images for images, before in zip(batches, found, strict=True) if before is None]
        # What a penalty asks about are leaves of their own: no gradient reaches a generator, or stays with the images.
        seen = [
            images.detach().requires_grad_()
            if for_penalty or (self._remembers and not images.requires_grad)
            else images
            for images in new
        ]
        answers = map(_Judged, new, seen, self._judge(seen))
        judged = [next(answers) if before is None else before for before in found]
        if self._remembers:
            self._known += [each for each, before in zip(judged, found, strict=True) if before is None]
        return judged

    def _judge(self, batches: list[Tensor]) -> list[Tensor]:
        # Of a joint pass, the penalty on one batch alone would go back through the other's half, too.
        if len(batches) < 2 or self._remembers or depends_on_batch(self._discriminator):
            return [self._logits(images, self._labels) for images in batches]
        labels = self._labels.repeat(len(batches)) if takes_labels(self._discriminator) else self._labels
        logits = self._logits(torch.cat(batches), labels)
        return list(logits.split([len(images) for images in batches]))

    def _logits(self, images: Tensor, labels: Tensor) -> Tensor:
        seen = images if self._augmentation is None else self._augmentation(images)
        logits = call(self._discriminator, seen, labels)
        if logits.shape != (len(images),):
            raise ValueError(
                f"{type(self._discriminator).__name__} gave {tuple(logits.shape)} for {len(images)} images;"
                f" it should give a logit for each, ({len(images)},)"
            )
        return logits if logits.dtype == torch.float64 else logits.float()


class _Judged(NamedTuple):
    images: Tensor
    seen: Tensor
    """The same, as D was shown them, such that a gradient can be taken."""
    logits: Tensor
