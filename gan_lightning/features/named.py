"""Which feature spaces there are."""

from gan_lightning.data.base import ImageDataModule
from gan_lightning.features.channels import ClassifierOfChannels
from gan_lightning.features.classifier import classifier_of
from gan_lightning.features.inception import Inception
from gan_lightning.features.space import FeatureSpace


def feature_space(name: str, data: ImageDataModule) -> FeatureSpace:
    """The feature space of that name; `data` must be on disk.

    Raises:
        UserError: if it is not to be had.
    """
    if name == "inception":
        return Inception()
    if data.of_channels is not None:
        return ClassifierOfChannels(classifier_of(data.of_channels), data.image_shape[0])
    return classifier_of(data)
