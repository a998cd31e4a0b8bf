"""How near the two players are to their equilibrium: Goodfellow et al. 2014, theorem 1."""

from typing import NamedTuple

from torch import Tensor


class Equilibrium(NamedTuple):
    """The means of D over three sets of images, and D's accuracy; all 0.5 where G draws from the data."""

    on_training: float
    on_held_out: float
    on_generated: float
    accuracy: float


def equilibrium(training_logits: Tensor, held_out_logits: Tensor, generated_logits: Tensor) -> Equilibrium:
    """Of D's logits (N,) on training, on held-out and on generated images, if they are log-odds.

    The accuracy is the mean of the shares of held-out images taken for real and of generated ones taken for generated.
    D on training images above D on held-out ones shows how much D has memorised.

    Raises:
        ValueError: if a set is empty or holds NaN.
    """
    _check(training_logits, held_out_logits, generated_logits)
    accuracy = ((held_out_logits > 0).double().mean() + (generated_logits <= 0).double().mean()) / 2
    return Equilibrium(
        on_training=training_logits.double().sigmoid().mean().item(),
        on_held_out=held_out_logits.double().sigmoid().mean().item(),
        on_generated=generated_logits.double().sigmoid().mean().item(),
        accuracy=accuracy.item(),
    )


class Scores(NamedTuple):
    """The mean scores of three sets of images, and how much higher held-out images are than generated ones, in the
    critic's own unit; the gap is 0 where G draws from the data.
    """

    on_training: float
    on_held_out: float
    on_generated: float
    gap: float


def mean_scores(training_scores: Tensor, held_out_scores: Tensor, generated_scores: Tensor) -> Scores:
    """Of a critic's scores (N,) of training, of held-out and of generated images.

    Raises:
        ValueError: if a set is empty or holds NaN.
    """
    _check(training_scores, held_out_scores, generated_scores)
    training, held_out, generated = (
        scores.double().mean().item() for scores in (training_scores, held_out_scores, generated_scores)
    )
    return Scores(training, held_out, generated, held_out - generated)


def _check(training: Tensor, held_out: Tensor, generated: Tensor) -> None:
    for name, logits in (("training", training), ("held-out", held_out), ("generated", generated)):
        if len(logits) == 0 or not logits.isfinite().all():
            raise ValueError(f"the logits on {name} images are missing, or hold NaN or infinity")
