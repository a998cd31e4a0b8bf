"""How good a generator is: every metric of one set of images against the data."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from gan_lightning.data.base import ImageDataModule
from gan_lightning.features.classifier import classifier_of
from gan_lightning.features.inception import Inception
from gan_lightning.features.space import Description, FeatureSpace
from gan_lightning.metrics import published
from gan_lightning.metrics.equilibrium import equilibrium, mean_scores
from gan_lightning.metrics.frechet import frechet_distance
from gan_lightning.metrics.inception_score import inception_score
from gan_lightning.metrics.kernel import kernel_distance
from gan_lightning.metrics.memorisation import memorisation
from gan_lightning.metrics.modes import modes_and_divergence
from gan_lightning.metrics.neighbourhoods import neighbourhoods
from gan_lightning.metrics.parzen import FINE_SIGMAS, OFFICIAL_SIGMAS, parzen_likelihoods
from gan_lightning.quantities import QUANTITIES

NUM_VALIDATION = 1000
"""Training images that the Parzen window is chosen by, as in the code published with Goodfellow et al. 2014."""
NUM_NEIGHBOURS_SOUGHT = 1000
"""Images whose nearest training image is sought; their median needs no more."""


class DivergedError(ValueError):
    """A generator draws NaN or infinity, or a discriminator answers it."""


class Images:
    """A set of images, and what a feature space says of it once a metric asks.

    Args:
        pixels: (N, C, H, W), bytes.
        labels: their classes, (N,).
        describe: the feature space; None where no metric asks for one.
    """

    def __init__(self, pixels: Tensor, labels: Tensor, describe: Callable[[Tensor], Description] | None = None) -> None:
        self.pixels = pixels
        self.labels = labels
        self._describe = describe

    @cached_property
    def description(self) -> Description:
        assert self._describe is not None
        return self._describe(self.pixels)

    @property
    def points(self) -> Tensor:
        """In the feature space, (N, D)."""
        return self.description.points

    @property
    def vectors(self) -> Tensor:
        """The pixels as points (N, C·H·W) in [0, 1]."""
        return self.pixels.flatten(1).float() / 255


class Reference:
    """The real images that generated ones are compared with.

    Args:
        data: the data set.
        num_samples: how many images a set has, if there are as many.
        describe: the feature space; None where no metric asks for one.

    Attributes:
        training: all training images, whatever part of them a model was trained on.
        validation: those that the Parzen window is chosen by: the first 1,000 of the last sixth of the training images,
            which of MNIST's are the numbers 50,000 to 50,999.
        held_out: the first test images.
        real: the first training images before the validation images, which stand in for generated ones where the
            floor of a metric is asked for.
        labels: those to generate images of, as many of each class as among the first training images.
    """

    def __init__(
        self, data: ImageDataModule, num_samples: int, describe: Callable[[Tensor], Description] | None = None
    ) -> None:
        training, labels = data.split(train=True)
        held_out, held_out_labels = data.split(train=False)
        first_validation = len(training) * 5 // 6
        self.num_classes = data.num_classes
        self.training = Images(training, labels)
        self.validation = Images(
            training[first_validation:][:NUM_VALIDATION], labels[first_validation:][:NUM_VALIDATION]
        )
        self.held_out = Images(held_out[:num_samples], held_out_labels[:num_samples], describe)
        self.real = Images(training[:first_validation][:num_samples], labels[:first_validation][:num_samples], describe)
        self.labels = labels[torch.arange(num_samples) % len(labels)]


class Subject(NamedTuple):
    """What is measured."""

    images: Images
    discriminator: Callable[[Tensor, Tensor], Tensor] | None = None
    """The generator's opponent, bytes and their labels to logits, if there is one."""
    log_odds: bool = True
    """Whether the logits are log-odds, not scores."""
    num_train_images: int | None = None
    """How many of the training images both were trained on; None for all."""


Values = dict[str, float]

PROBABILITIES = ("training_probability", "held_out_probability", "generated_probability", "held_out_accuracy")
SCORES = ("training_score", "held_out_score", "generated_score", "held_out_gap")
"""What is said of a discriminator whose logits are log-odds, and of one whose logits are scores."""


def _parzen(subject: Subject, reference: Reference) -> Values:
    sets = (subject.images.vectors, reference.validation.vectors, reference.held_out.vectors)
    values: Values = {}
    likelihoods = parzen_likelihoods(*sets, OFFICIAL_SIGMAS, FINE_SIGMAS)
    for grid, found in zip(("official", "fine"), likelihoods, strict=True):
        values |= {
            f"parzen_{grid}": found.mean,
            f"parzen_{grid}_error": found.standard_error,
            f"parzen_{grid}_sigma": found.sigma,
        }
    return values


def _frechet(subject: Subject, reference: Reference) -> Values:
    return {"frechet_distance": frechet_distance(subject.images.points, reference.held_out.points)}


def _kernel(subject: Subject, reference: Reference) -> Values:
    return {"kernel_distance": kernel_distance(subject.images.points, reference.held_out.points)}


def _score(subject: Subject, reference: Reference) -> Values:
    return {"classifier_score": inception_score(subject.images.description.probabilities)}


def _neighbourhoods(subject: Subject, reference: Reference) -> Values:
    return neighbourhoods(reference.held_out.points, subject.images.points)._asdict()


def _modes(subject: Subject, reference: Reference) -> Values:
    classes = subject.images.description.probabilities.argmax(1)
    modes, divergence = modes_and_divergence(classes, reference.training.labels, reference.num_classes)
    return {"modes": float(modes), "class_divergence": divergence}


def _memorisation(subject: Subject, reference: Reference) -> Values:
    samples = subject.images.vectors[:NUM_NEIGHBOURS_SOUGHT]
    held_out = reference.held_out.vectors[:NUM_NEIGHBOURS_SOUGHT]
    training = reference.training.vectors
    if subject.images is reference.real:  # which are the first of the training images: not against themselves
        training = training[len(samples) :]
    return {"memorisation": memorisation(samples, held_out, training)}


def _equilibrium(subject: Subject, reference: Reference) -> Values:
    if subject.discriminator is None:
        return {}
    n = subject.num_train_images
    training = reference.real.pixels[:n], reference.real.labels[:n]
    others = ((images.pixels, images.labels) for images in (reference.held_out, subject.images))
    logits = [subject.discriminator(*both) for both in (training, *others)]
    if not all(of_one_set.isfinite().all() for of_one_set in logits):
        raise DivergedError("the discriminator answers NaN or infinity: its training has diverged")
    names, measure = (PROBABILITIES, equilibrium) if subject.log_odds else (SCORES, mean_scores)
    return dict(zip(names, measure(*logits), strict=True))


def _fid(subject: Subject, reference: Reference) -> Values:
    return {"fid": published.fid(subject.images.points, reference.held_out.points)}


def _kid(subject: Subject, reference: Reference) -> Values:
    return {"kid": published.kid(subject.images.points, reference.held_out.points)}


def _inception_score(subject: Subject, reference: Reference) -> Values:
    return {"inception_score": published.inception_score(subject.images.description.probabilities)}


class Metric(NamedTuple):
    """One that can be asked for by name."""

    measure: Callable[[Subject, Reference], Values]
    quantities: tuple[str, ...]
    """The names of the numbers that it gives."""
    needs_features: bool = True
    of_scores: tuple[str, ...] = ()
    """What it gives instead where the discriminator's logits are scores."""

    def names(self, log_odds: bool) -> tuple[str, ...]:
        """The names of the numbers that it gives of a model whose logits are log-odds, or scores."""
        return self.quantities if log_odds else self.of_scores or self.quantities


_METRICS = {
    "parzen": Metric(_parzen, tuple(name for name in QUANTITIES if name.startswith("parzen_")), needs_features=False),
    "frechet": Metric(_frechet, ("frechet_distance",)),
    "kernel": Metric(_kernel, ("kernel_distance",)),
    "score": Metric(_score, ("classifier_score",)),
    "neighbourhoods": Metric(_neighbourhoods, ("precision", "recall", "density", "coverage")),
    "modes": Metric(_modes, ("modes", "class_divergence")),
    "memorisation": Metric(_memorisation, ("memorisation",), needs_features=False),
    "equilibrium": Metric(_equilibrium, PROBABILITIES, needs_features=False, of_scores=SCORES),
}
_INCEPTION_METRICS = _METRICS | {
    "frechet": Metric(_fid, ("fid",)),
    "kernel": Metric(_kid, ("kid",)),
    "score": Metric(_inception_score, ("inception_score",)),
}
del _INCEPTION_METRICS["modes"]  # its classes are not those of the data

METRICS = {"classifier": _METRICS, "inception": _INCEPTION_METRICS}
"""The metrics by name, for each feature space."""


def metrics_named(names: Sequence[str] | None, features: str) -> dict[str, Metric]:
    """The metrics that these names choose in that feature space; all for None.

    Raises:
        ValueError: if there is no such feature space or no such metric in it.
    """
    if features not in METRICS:
        raise ValueError(f"features must be {' or '.join(METRICS)}, not {features!r}")
    known = METRICS[features]
    if names is None:
        return known
    if isinstance(names, str) or not names:
        raise ValueError(f"metrics must be a list of some of {', '.join(known)}, not {names!r}")
    for name in names:
        if name not in known:
            raise ValueError(f"there is no metric {name!r} with features={features}; there is {', '.join(known)}")
    return {name: known[name] for name in known if name in names}


def feature_space(name: str, data: ImageDataModule) -> FeatureSpace:
    """The feature space of that name; `data` must be on disk.

    Raises:
        UserError: if it is not to be had.
    """
    return classifier_of(data) if name == "classifier" else Inception()


def check_generated(images: Tensor) -> None:
    """Accept images in [-1, 1].

    Raises:
        DivergedError: if some hold NaN or infinity.
    """
    if not images.isfinite().all():
        raise DivergedError("the generator draws NaN or infinity: its training has diverged")
