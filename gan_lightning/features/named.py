"""Which feature spaces there are."""

from gan_lightning.data.base import ImageDataModule
from gan_lightning.data.pixels import are_points
from gan_lightning.data.points import Mixture
from gan_lightning.errors import UserError
from gan_lightning.features.channels import ClassifierOfChannels
from gan_lightning.features.classifier import classifier_of
from gan_lightning.features.clusters import clusters_of
from gan_lightning.features.inception import Inception
from gan_lightning.features.plane import MIXTURE, PLANE, Plane
from gan_lightning.features.space import FeatureSpace


def space_for(features: str | None, data: ImageDataModule) -> str:
    """The name of the feature space: that which is asked for, or else the one that suits the data.

    Raises:
        UserError: if it is a classifier of one class, or of images where there are points, or the other way round.
    """
    if are_points(data.image_shape):
        suits = MIXTURE if isinstance(data, Mixture) else PLANE
        if features not in (None, suits):
            raise UserError(
                f"features={features} is not for {data.title}, whose points of the plane are compared as they are;"
                f" features={suits}, which null stands for here, is"
            )
        return suits
    if features in (PLANE, MIXTURE):
        raise UserError(f"features={features} is for points of the plane, and {data.title} has images; leave it out")
    if features is None:
        return "clusters" if data.num_classes == 1 else "classifier"
    if features == "classifier" and data.num_classes == 1:
        raise UserError(
            "features=classifier needs classes to tell apart, and these images are all of one; features=clusters,"
            " which null stands for here, needs none"
        )
    return features


def feature_space(name: str, data: ImageDataModule) -> FeatureSpace:
    """The feature space of that name; `data` must be on disk.

    Raises:
        UserError: if it is not to be had.
    """
    if name in (PLANE, MIXTURE):
        return Plane(name)
    if name == "inception":
        return Inception()
    if name == "clusters":
        return clusters_of(data)
    if data.of_channels is not None:
        return ClassifierOfChannels(classifier_of(data.of_channels), data.image_shape[0])
    return classifier_of(data)
