"""Inception-style score: Salimans et al. 2016, section 4."""

from torch import Tensor

from gan_lightning.measures.point_sets import check_points


def inception_score(probabilities: Tensor) -> float:
    """exp(E_x KL(p(y|x) ‖ p(y))) of class probabilities (N, K); between 1 and K.

    High where each image is surely of one class and all classes are drawn equally often. It is the Inception score if
    the classifier is the Inception network. Computed over all images at once, not as a mean over splits, so that the
    order of the images does not matter.

    Raises:
        ValueError: if there are no images, or the probabilities hold NaN or do not add up to 1.
    """
    check_points("the probabilities", probabilities, at_least=1)
    p = probabilities.double()
    if (p < 0).any() or ((p.sum(1) - 1).abs() > 1e-3).any():
        raise ValueError("the probabilities of an image must not be negative, and must add up to 1")
    # 0 log 0 is 0, which xlogy knows.
    return (p.xlogy(p) - p.xlogy(p.mean(0))).sum(1).mean().exp().item()
