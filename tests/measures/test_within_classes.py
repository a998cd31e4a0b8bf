"""Measures within classes against those of each class."""

import pytest
import torch

from gan_lightning.measures.kernel import kernel_distance
from gan_lightning.measures.neighbourhoods import neighbourhoods
from gan_lightning.measures.within_classes import class_accuracy, within_classes


def test_accuracy_is_the_share_of_the_class_that_was_asked_for() -> None:
    probabilities = torch.tensor([[0.6, 0.4], [0.1, 0.9], [0.7, 0.3], [0.2, 0.8]])
    assert class_accuracy(probabilities, torch.tensor([0, 1, 1, 1])) == 0.75
    with pytest.raises(ValueError, match="no images"):
        class_accuracy(probabilities[:0], torch.tensor([], dtype=torch.int64))


def test_means_over_the_classes_that_have_enough_images() -> None:
    torch.manual_seed(0)
    points, real = torch.randn(60, 3), torch.randn(50, 3)
    labels, real_labels = torch.arange(60) % 3, torch.arange(50) % 2
    real_labels[:5] = 2  # too few of the class 2
    of_each = [(points[labels == label], real[real_labels == label]) for label in (0, 1)]
    distance, coverage = within_classes(points, labels, real, real_labels)
    assert distance == pytest.approx(sum(kernel_distance(*both) for both in of_each) / 2)
    assert coverage == pytest.approx(sum(neighbourhoods(r, f).coverage for f, r in of_each) / 2)
    with pytest.raises(ValueError, match="no class has 6 generated and as many test images"):
        within_classes(points[:15], labels[:15], real, real_labels)


def test_mixed_up_classes_are_seen_where_all_together_are_alike() -> None:
    torch.manual_seed(0)
    labels = torch.arange(600) % 3
    points, real = (torch.randn(600, 4) + 3 * (labels[:, None] - 1) for _ in range(2))
    distance, coverage = within_classes(points, labels, real, labels)
    assert abs(distance) < 30
    assert coverage > 0.9
    mixed_distance, mixed_coverage = within_classes(points, (labels + 1) % 3, real, labels)
    assert mixed_distance > 300
    assert mixed_coverage < 0.05
