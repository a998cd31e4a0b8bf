"""Which feature spaces there are."""

from gan_lightning.data.base import ImageDataModule
from gan_lightning.errors import UserError
from gan_lightning.features.channels import ClassifierOfChannels
from gan_lightning.features.classifier import classifier_of
from gan_lightning.features.clusters import clusters_of
from gan_lightning.features.inception import Inception
from gan_lightning.features.space import FeatureSpace


def space_for(features: str | None, num_classes: int) -> str:
    """The name of the feature space: that which is asked for, or else the one that suits data of so many classes.

    Raises:
        UserError: if it is a classifier of one class.
    """
    if features is None:
        return "clusters" if num_classes == 1 else "classifier"
    if features == "classifier" and num_classes == 1:
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
    if name == "inception":
        return Inception()
    if name == "clusters":
        return clusters_of(data)
    if data.of_channels is not None:
        return ClassifierOfChannels(classifier_of(data.of_channels), data.image_shape[0])
    return classifier_of(data)
