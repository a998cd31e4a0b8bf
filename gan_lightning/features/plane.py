"""The feature space of points of the plane: themselves."""

from torch import Tensor

from gan_lightning.features.space import Description, FeatureSpace

PLANE, MIXTURE = "plane", "mixture"
"""What it is called where there are no modes, and where there are some, which a measure can count."""


class Plane(FeatureSpace):
    """Points (B, 2, 1, 1) to the same as (B, 2). It knows no classes.

    Args:
        name: `plane` or `mixture`.
    """

    fingerprint = "itself"

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward(self, images: Tensor) -> Description:
        points = images.flatten(1)
        return Description(points, points.new_empty(len(points), 0))
