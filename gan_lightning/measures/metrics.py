"""The metrics: numbers that measures give, and what is said of them."""

from typing import NamedTuple


class Metric(NamedTuple):
    """What a table says of one."""

    title: str
    better: str = ""
    """`higher`, `lower`, or nothing where neither is better."""


METRICS = {
    "parzen_official": Metric("Parzen log-likelihood (nats), the paper's widths", "higher"),
    "parzen_official_error": Metric("  its standard error"),
    "parzen_official_sigma": Metric("  its width σ"),
    "parzen_fine": Metric("Parzen log-likelihood (nats), finer widths", "higher"),
    "parzen_fine_error": Metric("  its standard error"),
    "parzen_fine_sigma": Metric("  its width σ"),
    "frechet_distance": Metric("Fréchet distance", "lower"),
    "spatial_frechet_distance": Metric("Fréchet distance, spatial features", "lower"),
    "kernel_distance": Metric("kernel distance", "lower"),
    "classifier_score": Metric("inception-style score", "higher"),
    "fid": Metric("FID", "lower"),
    "kid": Metric("KID", "lower"),
    "inception_score": Metric("Inception score", "higher"),
    "precision": Metric("precision", "higher"),
    "recall": Metric("recall", "higher"),
    "density": Metric("density", "higher"),
    "coverage": Metric("coverage", "higher"),
    "modes": Metric("classes drawn", "higher"),
    "class_divergence": Metric("KL of the classes (nats)", "lower"),
    "modes_found": Metric("modes found", "higher"),
    "high_quality": Metric("share of points near a mode", "higher"),
    "mode_divergence": Metric("KL of the modes (nats)", "lower"),
    "class_accuracy": Metric("share of the class that was asked for", "higher"),
    "class_kernel_distance": Metric("kernel distance within classes", "lower"),
    "class_coverage": Metric("coverage within classes", "higher"),
    "memorisation": Metric("distance to training images (1: as of new ones)"),
    "training_probability": Metric("mean D on training images"),
    "held_out_probability": Metric("mean D on held-out images"),
    "generated_probability": Metric("mean D on generated images"),
    "held_out_accuracy": Metric("accuracy of D on held-out and generated images"),
    "training_score": Metric("mean score of training images"),
    "held_out_score": Metric("mean score of held-out images"),
    "generated_score": Metric("mean score of generated images"),
    "held_out_gap": Metric("score of held-out images above generated ones"),
}
"""Every metric by its name, in the order of a table."""


def higher_is_better(metric: str) -> bool:
    """Whether more of a metric is better, as far as it is known; of losses, as of distances, less is."""
    return metric in METRICS and METRICS[metric].better == "higher"
