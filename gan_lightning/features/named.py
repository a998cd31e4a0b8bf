"""Which feature spaces there are."""

from gan_lightning.data.base import ImageDataModule
from gan_lightning.features.classifier import classifier_of
from gan_lightning.features.inception import Inception
from gan_lightning.features.space import FeatureSpace


def feature_space(name: str, data: ImageDataModule) -> FeatureSpace:
    """The feature space of that name; `data` must be on disk.

    Raises:
        UserError: if it is not to be had.
    """
    return classifier_of(data) if name == "classifier" else Inception()
