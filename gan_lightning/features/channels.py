"""The feature space of images whose channels are images of another data set."""

from torch import Tensor

from gan_lightning.features.classifier import Classifier
from gan_lightning.features.space import Description, FeatureSpace


class ClassifierOfChannels(FeatureSpace):
    """A classifier applied to each channel by itself.

    Its points are those of the channels side by side, (B, C · 128). Its classes are all combinations of the channels'
    classes, that of the first channel counting most: of three digits a, b, c the class is 100 a + 10 b + c. The
    probability of a combination is the product of those of its parts.

    Args:
        classifier: of images (B, 1, H, W).
        num_channels: C. The accuracy that is claimed is that of C channels drawn independently.
    """

    name = "classifier of each channel"

    def __init__(self, classifier: Classifier, num_channels: int) -> None:
        super().__init__()
        self.classifier = classifier
        self.fingerprint = classifier.fingerprint
        self.accuracy = None if classifier.accuracy is None else classifier.accuracy**num_channels

    def forward(self, images: Tensor) -> Description:
        size = images.shape[:2]
        points, probabilities = self.classifier(images.flatten(0, 1)[:, None])
        first, *others = probabilities.unflatten(0, size).unbind(1)
        for of_channel in others:
            first = (first[:, :, None] * of_channel[:, None, :]).flatten(1)
        return Description(points.unflatten(0, size).flatten(1), first)
