"""How good a generator is: every metric of one set of images against the data."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

from torch import Tensor

from gan_lightning.data.base import ImageDataModule
from gan_lightning.features.classifier import classifier_of
from gan_lightning.features.inception import Inception
from gan_lightning.features.space import Description, FeatureSpace
from gan_lightning.metrics import published
from gan_lightning.metrics.equilibrium import equilibrium
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
        describe: the feature space; None where no metric asks for one.
    """

    def __init__(self, pixels: Tensor, describe: Callable[[Tensor], Description] | None = None) -> None:
        self.pixels = pixels
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
        training_labels: their classes.
        validation: those that the Parzen window is chosen by: the first 1,000 of the last sixth of the training images,
            which of MNIST's are the numbers 50,000 to 50,999.
        held_out: the first test images.
        real: the first training images before the validation images, which stand in for generated ones where the
            floor of a metric is asked for.
    """

    def __init__(
        self, data: ImageDataModule, num_samples: int, describe: Callable[[Tensor], Description] | None = None
    ) -> None:
        training, self.training_labels = data.split(train=True)
        held_out, _ = data.split(train=False)
        first_validation = len(training) * 5 // 6
        self.num_classes = data.num_classes
        self.training = Images(training)
        self.validation = Images(training[first_validation:][:NUM_VALIDATION])
        self.held_out = Images(held_out[:num_samples], describe)
        self.real = Images(training[:first_validation][:num_samples], describe)


class Subject(NamedTuple):
    """What is measured."""

    images: Images
    discriminator: Callable[[Tensor], Tensor] | None = None
    """The generator's opponent, bytes to logits, if there is one."""
    num_train_images: int | None = None
    """How many of the training images both were trained on; None for all."""


Values = dict[str, float]


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
    modes, divergence = modes_and_divergence(classes, reference.training_labels, reference.num_classes)
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
    seen_in_training = reference.real.pixels[: subject.num_train_images]
    sets = (seen_in_training, reference.held_out.pixels, subject.images.pixels)
    logits = [subject.discriminator(pixels) for pixels in sets]
    if not all(of_one_set.isfinite().all() for of_one_set in logits):
        raise DivergedError("the discriminator answers NaN or infinity: its training has diverged")
    found = equilibrium(*logits)
    return {
        "training_probability": found.on_training,
        "held_out_probability": found.on_held_out,
        "generated_probability": found.on_generated,
        "held_out_accuracy": found.accuracy,
    }


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


_METRICS = {
    "parzen": Metric(_parzen, tuple(name for name in QUANTITIES if name.startswith("parzen_")), needs_features=False),
    "frechet": Metric(_frechet, ("frechet_distance",)),
    "kernel": Metric(_kernel, ("kernel_distance",)),
    "score": Metric(_score, ("classifier_score",)),
    "neighbourhoods": Metric(_neighbourhoods, ("precision", "recall", "density", "coverage")),
    "modes": Metric(_modes, ("modes", "class_divergence")),
    "memorisation": Metric(_memorisation, ("memorisation",), needs_features=False),
    "equilibrium": Metric(
        _equilibrium,
        ("training_probability", "held_out_probability", "generated_probability", "held_out_accuracy"),
        needs_features=False,
    ),
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
