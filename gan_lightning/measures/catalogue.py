"""Which measures there are: what each asks of images, and the metrics that it gives."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from gan_lightning.features.classifier import NUM_POINTS_DIMS
from gan_lightning.features.plane import MIXTURE, PLANE
from gan_lightning.features.spatial import NUM_SPATIAL_DIMS
from gan_lightning.measures import published
from gan_lightning.measures.equilibrium import equilibrium, mean_scores
from gan_lightning.measures.frechet import frechet_distance
from gan_lightning.measures.inception_score import inception_score
from gan_lightning.measures.kernel import kernel_distance
from gan_lightning.measures.memorisation import memorisation
from gan_lightning.measures.metrics import METRICS
from gan_lightning.measures.mixture import modes_found
from gan_lightning.measures.modes import modes_and_divergence
from gan_lightning.measures.neighbourhoods import neighbourhoods
from gan_lightning.measures.parzen import FINE_SIGMAS, OFFICIAL_SIGMAS, parzen_likelihoods
from gan_lightning.measures.subject import DivergedError, Reference, Subject
from gan_lightning.measures.within_classes import NUM_NEIGHBOURS, class_accuracy, within_classes

NUM_NEIGHBOURS_SOUGHT = 1000
"""Images whose nearest training image is sought; their median needs no more."""

PROBABILITIES = ("training_probability", "held_out_probability", "generated_probability", "held_out_accuracy")
SCORES = ("training_score", "held_out_score", "generated_score", "held_out_gap")
"""What is said of a discriminator whose logits are log-odds, and of one whose logits are scores."""


def _parzen(subject: Subject, reference: Reference) -> dict[str, float]:
    sets = (subject.images.vectors, reference.validation.vectors, reference.held_out.vectors)
    values: dict[str, float] = {}
    likelihoods = parzen_likelihoods(*sets, OFFICIAL_SIGMAS, FINE_SIGMAS)
    for grid, found in zip(("official", "fine"), likelihoods, strict=True):
        values |= {
            f"parzen_{grid}": found.mean,
            f"parzen_{grid}_error": found.standard_error,
            f"parzen_{grid}_sigma": found.sigma,
        }
    return values


def _frechet(subject: Subject, reference: Reference) -> dict[str, float]:
    return {
        "frechet_distance": frechet_distance(subject.images.points, reference.held_out.points),
        "spatial_frechet_distance": frechet_distance(subject.images.spatial_points, reference.held_out.spatial_points),
    }


def _frechet_of_points(subject: Subject, reference: Reference) -> dict[str, float]:
    return {"frechet_distance": frechet_distance(subject.images.points, reference.held_out.points)}


def _kernel(subject: Subject, reference: Reference) -> dict[str, float]:
    return {"kernel_distance": kernel_distance(subject.images.points, reference.held_out.points)}


def _score(subject: Subject, reference: Reference) -> dict[str, float]:
    return {"classifier_score": inception_score(subject.images.description.probabilities)}


def _neighbourhoods(subject: Subject, reference: Reference) -> dict[str, float]:
    return neighbourhoods(reference.held_out.points, subject.images.points)._asdict()


def _modes(subject: Subject, reference: Reference) -> dict[str, float]:
    classes = subject.images.description.probabilities.argmax(1)
    modes, divergence = modes_and_divergence(classes, reference.classes, reference.num_classes)
    return {"modes": float(modes), "class_divergence": divergence}


def _modes_found(subject: Subject, reference: Reference) -> dict[str, float]:
    assert reference.mixture is not None
    real, mixture = reference.training.pixels.flatten(1), reference.mixture
    found = modes_found(subject.images.points, real, mixture.centres, mixture.deviation)
    return {
        "modes_found": float(found.found),
        "high_quality": found.high_quality,
        "mode_divergence": found.divergence,
    }


def _classes(subject: Subject, reference: Reference) -> dict[str, float]:
    if not subject.conditional:
        return {}
    images, held_out = subject.images, reference.held_out
    distance, coverage = within_classes(images.points, images.labels, held_out.points, held_out.labels)
    return {
        "class_accuracy": class_accuracy(images.description.probabilities, images.labels),
        "class_kernel_distance": distance,
        "class_coverage": coverage,
    }


def _memorisation(subject: Subject, reference: Reference) -> dict[str, float]:
    sets = (subject.images, reference.held_out, reference.training)
    # As bytes, of which a ratio of distances is the same, and all training images need no more memory than they have.
    samples, held_out, training = (images.pixels.flatten(1) for images in sets)
    samples, held_out = samples[:NUM_NEIGHBOURS_SOUGHT], held_out[:NUM_NEIGHBOURS_SOUGHT]
    if subject.images is reference.real:  # which are the first of the training images: not against themselves
        training = training[len(samples) :]
    return {"memorisation": memorisation(samples, held_out, training)}


def _equilibrium(subject: Subject, reference: Reference) -> dict[str, float]:
    if subject.discriminator is None:
        return {}
    n = subject.num_train_images
    training = reference.real.pixels[:n], reference.real.labels[:n]
    others = ((images.pixels, images.labels) for images in (reference.held_out, subject.images))
    logits = [subject.discriminator(*both) for both in (training, *others)]
    if not all(of_one_set.isfinite().all() for of_one_set in logits):
        raise DivergedError("the discriminator answers NaN or infinity: its training has diverged")
    names, compute = (PROBABILITIES, equilibrium) if subject.log_odds else (SCORES, mean_scores)
    return dict(zip(names, compute(*logits), strict=True))


def _fid(subject: Subject, reference: Reference) -> dict[str, float]:
    return {"fid": published.fid(subject.images.points, reference.held_out.points)}


def _kid(subject: Subject, reference: Reference) -> dict[str, float]:
    return {"kid": published.kid(subject.images.points, reference.held_out.points)}


def _inception_score(subject: Subject, reference: Reference) -> dict[str, float]:
    return {"inception_score": published.inception_score(subject.images.description.probabilities)}


class Measure(NamedTuple):
    """One that can be asked for by name: gives metrics of a subject, beside the real images."""

    take: Callable[[Subject, Reference], dict[str, float]]
    metrics: tuple[str, ...]
    """The names of those that it gives."""
    at_least: int
    """How many images it needs."""
    needs_features: bool = True
    needs_positions: bool = False
    """Whether it asks for spatial features, too."""
    of_scores: tuple[str, ...] = ()
    """What it gives instead where the discriminator's logits are scores."""
    of_conditional: bool = False
    """Whether it is of conditional generators alone, those that are given labels."""

    def metrics_of(self, log_odds: bool, conditional: bool) -> tuple[str, ...]:
        """The names of the metrics that it gives of a model whose logits are log-odds, or scores, and whose generator
        is given labels, or not.
        """
        if self.of_conditional and not conditional:
            return ()
        return self.metrics if log_odds else self.of_scores or self.metrics


_PARZEN = tuple(name for name in METRICS if name.startswith("parzen_"))
_MEASURES = {
    "parzen": Measure(_parzen, _PARZEN, at_least=2, needs_features=False),
    "frechet": Measure(
        _frechet,
        ("frechet_distance", "spatial_frechet_distance"),
        at_least=max(NUM_POINTS_DIMS, NUM_SPATIAL_DIMS) + 1,
        needs_positions=True,
    ),
    "kernel": Measure(_kernel, ("kernel_distance",), at_least=2),
    "score": Measure(_score, ("classifier_score",), at_least=1),
    "neighbourhoods": Measure(_neighbourhoods, ("precision", "recall", "density", "coverage"), at_least=6),
    "modes": Measure(_modes, ("modes", "class_divergence"), at_least=1),
    "classes": Measure(
        _classes,
        ("class_accuracy", "class_kernel_distance", "class_coverage"),
        at_least=NUM_NEIGHBOURS + 1,
        of_conditional=True,
    ),
    "memorisation": Measure(_memorisation, ("memorisation",), at_least=1, needs_features=False),
    "equilibrium": Measure(_equilibrium, PROBABILITIES, at_least=1, needs_features=False, of_scores=SCORES),
}
_INCEPTION_MEASURES = _MEASURES | {
    "frechet": Measure(_fid, ("fid",), at_least=2049),
    "kernel": Measure(_kid, ("kid",), at_least=1000),
    "score": Measure(_inception_score, ("inception_score",), at_least=20),
}
for _of_the_datas_classes in ("modes", "classes"):  # which are not those of the Inception network
    del _INCEPTION_MEASURES[_of_the_datas_classes]
_MEASURES_OF_POINTS = {
    "frechet": Measure(_frechet_of_points, ("frechet_distance",), at_least=3),
    **{name: _MEASURES[name] for name in ("kernel", "neighbourhoods", "equilibrium")},
}
_MODES_FOUND = Measure(_modes_found, ("modes_found", "high_quality", "mode_divergence"), at_least=1)
OF_CLASSES = ("score", "modes", "classes")
"""Those that need a space which tells the data's classes apart."""

MEASURES = {
    "classifier": _MEASURES,
    "clusters": {name: measure for name, measure in _MEASURES.items() if name not in OF_CLASSES},
    "inception": _INCEPTION_MEASURES,
    PLANE: _MEASURES_OF_POINTS,
    MIXTURE: _MEASURES_OF_POINTS | {"modes": _MODES_FOUND},
}
"""The measures by name, for each feature space."""
USUAL = "frechet", "neighbourhoods", "modes"
"""Those that tell most for what they cost."""


def measures_named(names: Sequence[str] | str | None, features: str) -> dict[str, Measure]:
    """The measures that these names choose in that feature space; all for None.

    For `usual` those that a training is watched by: `frechet`, `neighbourhoods` and, where there are classes, `modes`.

    Raises:
        ValueError: if there is no such feature space or no such measure in it.
    """
    if features not in MEASURES:
        of_images = [name for name in MEASURES if name not in (PLANE, MIXTURE)]
        raise ValueError(f"features must be {', '.join(of_images)} or null, not {features!r}")
    known = MEASURES[features]
    if names is None:
        return known
    if names == "usual":
        return {name: known[name] for name in USUAL if name in known}
    if isinstance(names, str) or not names:
        raise ValueError(f"measures must be usual, or a list of some of {', '.join(known)}, not {names!r}")
    for name in names:
        if features == "clusters" and name in OF_CLASSES:
            raise ValueError(
                f"{name} is of classes, which features=clusters, the space of images of one class, does not know;"
                f" there is {', '.join(known)}"
            )
        if name not in known:
            raise ValueError(f"there is no measure {name!r} with features={features}; there is {', '.join(known)}")
    return {name: known[name] for name in known if name in names}


def with_so_many(measures: dict[str, Measure], num_images: int, by_name: bool) -> tuple[dict[str, Measure], str]:
    """Those of some measures that do with so many generated and as many test images, and what is to be said of others.

    Args:
        measures: by their names.
        num_images: the fewer of the two.
        by_name: whether they were asked for by their names.

    Raises:
        ValueError: if there are too few images for one that was asked for, or for all.
    """
    enough = {name: measure for name, measure in measures.items() if num_images >= measure.at_least}
    others = [f"{name} needs at least {each.at_least}" for name, each in measures.items() if name not in enough]
    if not others:
        return enough, ""
    said = f"{', '.join(others)} generated and test images, and there are {num_images}"
    if by_name or not enough:
        raise ValueError(f"{said}; measures=[{','.join(enough)}] do with so many" if enough else said)
    return enough, f"{said}: left out"
