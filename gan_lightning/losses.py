"""Losses of the two players, as functions of the discriminator's logits.

With D(x) = sigmoid(logit), log D(x) = -softplus(-logit) and log(1 - D(x)) = -softplus(logit). Written that way
the losses are exact and finite for any logit, where log(sigmoid(x)) would underflow.

Every function takes logits (B,) and returns the batch mean, a scalar.
"""

from torch import Tensor
from torch.nn.functional import relu, softplus


def discriminator_cross_entropy(real_logits: Tensor, fake_logits: Tensor, real_target: float = 1.0) -> Tensor:
    """-log D(x) - log(1 - D(G(z))): Goodfellow et al. 2014, equation 1, which D maximises, with the sign turned.

    2 log 2 where D answers 0.5 everywhere. Under another target than 1 for real images, α, the first part is
    -α log D(x) - (1 - α) log(1 - D(x)): Salimans et al. 2016, section 3.4.
    """
    on_real = softplus(-real_logits).mean()
    if real_target != 1:
        on_real = on_real + (1 - real_target) * real_logits.mean()  # -log(1 - D) is -log D + logit
    return on_real + softplus(fake_logits).mean()


def generator_minimax(fake_logits: Tensor) -> Tensor:
    """log(1 - D(G(z))): Goodfellow et al. 2014, equation 1. Its gradient vanishes where D rejects a fake surely."""
    return -softplus(fake_logits).mean()


def generator_non_saturating(fake_logits: Tensor) -> Tensor:
    """-log D(G(z)): Goodfellow et al. 2014, end of section 3; strong gradients where D rejects a fake surely."""
    return softplus(-fake_logits).mean()


def discriminator_least_squares(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """½ (D(x) - 1)² + ½ D(G(z))²: Mao et al. 2017, equation 9."""
    return ((real_scores - 1).square().mean() + fake_scores.square().mean()) / 2


def generator_least_squares(fake_scores: Tensor) -> Tensor:
    """½ (D(G(z)) - 1)²: Mao et al. 2017, equation 9."""
    return (fake_scores - 1).square().mean() / 2


def discriminator_hinge(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """max(0, 1 - D(x)) + max(0, 1 + D(G(z))): Lim & Ye 2017; Miyato et al. 2018, equation 16, with the sign turned."""
    return relu(1 - real_scores).mean() + relu(1 + fake_scores).mean()


def discriminator_wasserstein(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """D(G(z)) - D(x): Arjovsky et al. 2017, equation 2, with the sign turned; without a least value unless D's slope is
    bounded.
    """
    return fake_scores.mean() - real_scores.mean()


def generator_score(fake_scores: Tensor) -> Tensor:
    """-D(G(z)): what G minimises where D has the hinge (Miyato et al. 2018, equation 17) or Wasserstein's loss."""
    return -fake_scores.mean()


def relativistic(better: Tensor, worse: Tensor) -> Tensor:
    """-log sigmoid(better - worse), pair by pair: Jolicoeur-Martineau 2019, section 4.1; Huang et al. 2024, equation 2.

    D minimises it with real images as the better ones, G with its own. log 2 where D does not tell them apart.
    """
    return softplus(worse - better).mean()
