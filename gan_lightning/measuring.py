"""Measuring generators of one data set: which measures suit it, and taking them beside the real images."""

import logging
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from gan_lightning.data.base import ImageDataModule
from gan_lightning.errors import UserError
from gan_lightning.features.named import feature_space, space_for
from gan_lightning.features.space import Description, FeatureSpace, describe
from gan_lightning.features.spatial import Spatial, spatial_of, spatial_points
from gan_lightning.measures.catalogue import Measure, measures_named, with_so_many
from gan_lightning.measures.subject import DivergedError, Reference, Subject

log = logging.getLogger(__name__)


class Measuring:
    """Measures, and the real images of a data set that they compare generated ones with.

    A feature space is made, which may take a training, when a measure first asks for it.

    Args:
        data: the data set, which is read.
        measures: the names of some; all that suit the data for None, see :func:`measures_named`.
        features: the name of the feature space; that which suits the data for None.
        num_samples: how many images are generated, and as many test images if there are.
        batch_size: images that a network sees at a time.

    Attributes:
        measures: by their names.
        reference: the real images.

    Raises:
        UserError, ValueError: if there is no such space, or measure in it, or a measure needs more images.
    """

    def __init__(
        self,
        data: ImageDataModule,
        measures: Sequence[str] | str | None,
        features: str | None,
        num_samples: int,
        batch_size: int,
    ) -> None:
        self.data = data
        self.num_samples = num_samples
        self.batch_size = batch_size
        self.features = space_for(features, data)
        self.measures: dict[str, Measure] = measures_named(measures, self.features)
        self.device = torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
        data.prepare_data()
        self.reference = Reference(data, num_samples, self._describe, self._locate)
        num_images = min(num_samples, len(self.reference.held_out.pixels))
        self.measures, left_out = with_so_many(self.measures, num_images, not isinstance(measures, str | None))
        if left_out:
            log.warning("%s: %s", data.title, left_out)

    @cached_property
    def _space(self) -> FeatureSpace:
        return feature_space(self.features, self.data)

    @cached_property
    def _spatial(self) -> Spatial:
        return spatial_of(self.data)

    def _describe(self, pixels: Tensor) -> Description:
        return describe(self._space, pixels, self.batch_size, self.device)

    def _locate(self, pixels: Tensor) -> Tensor:
        return spatial_points(self._spatial, pixels, self.device)

    def protocol(self) -> dict[str, Any]:
        """What a table of figures says of itself: the data set, the feature space if one is used, counts of images."""
        space = self._space if any(measure.needs_features for measure in self.measures.values()) else None
        features = {"name": space.name, "fingerprint": space.fingerprint, "accuracy": space.accuracy} if space else None
        images = {
            "generated": self.num_samples,
            "held_out": len(self.reference.held_out.pixels),
            "floor": len(self.reference.real.pixels),
        }
        return {"dataset": self.data.title} | ({"features": features} if features else {}) | {"images": images}

    def floor(self, progress: tqdm, conditional: bool) -> dict[str, float]:
        """The metrics of real images in place of generated ones.

        Their labels are looked at where there is a conditional generator to compare them with.
        """
        return self.take(Subject(self.reference.real, conditional=conditional), "floor", progress)

    def take(self, subject: Subject, what: str, progress: tqdm) -> dict[str, float]:
        """Every metric of a subject, which is called `what`.

        Raises:
            DivergedError: if its images or its discriminator's answers are no finite numbers.
            UserError: if a measure refuses it.
        """
        metrics: dict[str, float] = {}
        for name, each in self.measures.items():
            progress.set_description(f"{what}: {name}")
            try:
                metrics |= each.take(subject, self.reference)
            except DivergedError:
                raise
            except ValueError as reason:
                raise UserError(f"{what}: {name}: {reason} (num_samples={self.num_samples})") from reason
            progress.update()
        return metrics
