"""The numbers that an evaluation may give, and what is said of them."""

from typing import NamedTuple


class Quantity(NamedTuple):
    """What a table says of a number."""

    title: str
    better: str = ""
    """`higher`, `lower`, or nothing where neither is better."""


QUANTITIES = {
    "parzen_official": Quantity("Parzen log-likelihood (nats), the paper's widths", "higher"),
    "parzen_official_error": Quantity("  its standard error"),
    "parzen_official_sigma": Quantity("  its width σ"),
    "parzen_fine": Quantity("Parzen log-likelihood (nats), finer widths", "higher"),
    "parzen_fine_error": Quantity("  its standard error"),
    "parzen_fine_sigma": Quantity("  its width σ"),
    "frechet_distance": Quantity("Fréchet distance", "lower"),
    "kernel_distance": Quantity("kernel distance", "lower"),
    "classifier_score": Quantity("inception-style score", "higher"),
    "fid": Quantity("FID", "lower"),
    "kid": Quantity("KID", "lower"),
    "inception_score": Quantity("Inception score", "higher"),
    "precision": Quantity("precision", "higher"),
    "recall": Quantity("recall", "higher"),
    "density": Quantity("density", "higher"),
    "coverage": Quantity("coverage", "higher"),
    "modes": Quantity("classes drawn", "higher"),
    "class_divergence": Quantity("KL of the classes (nats)", "lower"),
    "memorisation": Quantity("distance to training images (1: as of new ones)"),
    "training_probability": Quantity("mean D on training images"),
    "held_out_probability": Quantity("mean D on held-out images"),
    "generated_probability": Quantity("mean D on generated images"),
    "held_out_accuracy": Quantity("accuracy of D on held-out and generated images"),
    "training_score": Quantity("mean score of training images"),
    "held_out_score": Quantity("mean score of held-out images"),
    "generated_score": Quantity("mean score of generated images"),
    "held_out_gap": Quantity("score of held-out images above generated ones"),
}
"""Every number, in the order of a table."""
