"""A classifier of each channel, beside the classifier itself."""

from pathlib import Path

import torch

from gan_lightning.data.mnist5k import MNIST5k
from gan_lightning.data.stacked_mnist import StackedMNIST
from gan_lightning.features.channels import ClassifierOfChannels
from gan_lightning.features.classifier import Classifier
from gan_lightning.features.named import feature_space
from gan_lightning.features.space import describe


def test_points_side_by_side_and_the_probabilities_of_all_combinations() -> None:
    torch.manual_seed(0)
    classifier = Classifier((1, 28, 28), num_classes=4, mirrors=False).eval()
    classifier.fingerprint = "1234"
    images = torch.randint(0, 256, (5, 3, 28, 28), dtype=torch.uint8)
    space = ClassifierOfChannels(classifier, 3)
    found = space(images)
    of_channels = [classifier(images[:, [channel]]) for channel in range(3)]
    torch.testing.assert_close(found.points, torch.cat([each.points for each in of_channels], dim=1))
    assert found.probabilities.shape == (5, 64)
    torch.testing.assert_close(found.probabilities.sum(1), torch.ones(5))
    a, b, c = (each.probabilities for each in of_channels)
    torch.testing.assert_close(found.probabilities[:, 16 * 3 + 4 * 0 + 2], a[:, 3] * b[:, 0] * c[:, 2])
    assert space.accuracy is None
    classifier.accuracy = 0.9
    assert ClassifierOfChannels(classifier, 3).accuracy == 0.9**3


def test_stacked_digits_are_classified_by_the_digits_own_classifier(classifiers: Path) -> None:
    data = StackedMNIST(source="mnist5k", num_images=300, data_dir=str(classifiers))
    space, own = (feature_space("classifier", each) for each in (data, MNIST5k(data_dir=str(classifiers))))
    assert space.fingerprint == own.fingerprint
    images, labels = data.split(train=True)
    found = describe(space, images, 100, torch.device("cpu")).probabilities.argmax(1)
    assert (found == labels).double().mean() > 0.6
    assert abs((found == labels).double().mean() - space.accuracy) < 0.2
