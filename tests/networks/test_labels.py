import pytest
import torch
from torch import nn

from gan_lightning.networks.labels import BesideLatent, ConditionalBatchNorm2d, Projection, classes_of

LABELS = torch.tensor([0, 2, 1, 2])


def test_a_label_stands_beside_the_latents() -> None:
    latent = torch.randn(4, 5)
    beside = BesideLatent(5, 3)
    assert beside.features == 8
    both = beside(latent, LABELS)
    assert torch.equal(both[:, :5], latent)
    assert both[:, 5:].tolist() == [[2, 0, 0], [0, 0, 2], [0, 2, 0], [0, 0, 2]]


def test_without_classes_latents_stay_as_they_are() -> None:
    beside, latent = BesideLatent(5, None), torch.randn(4, 5)
    assert beside.features == 5
    assert beside(latent, None) is latent


@pytest.mark.parametrize("training", [True, False])
def test_a_new_conditional_norm_is_a_norm(training: bool) -> None:
    torch.manual_seed(0)
    ours, reference = ConditionalBatchNorm2d(6, 3).train(training), nn.BatchNorm2d(6).train(training)
    images = 3 * torch.randn(4, 6, 2, 2) + 1
    torch.testing.assert_close(ours(images, LABELS), reference(images))
    torch.testing.assert_close(ours.running_var, reference.running_var)


def test_without_classes_it_is_the_norm() -> None:
    images = torch.randn(4, 6, 2, 2)
    ours, reference = ConditionalBatchNorm2d(6, None), nn.BatchNorm2d(6)
    assert ours.state_dict().keys() == reference.state_dict().keys()
    assert torch.equal(ours(images), reference(images))


def test_each_class_has_its_own_gain_and_offset() -> None:
    torch.manual_seed(0)
    norm, images = ConditionalBatchNorm2d(6, 3), torch.randn(4, 6, 2, 2)
    normalized = norm(images, LABELS)
    nn.init.normal_(norm.gain.weight)
    nn.init.normal_(norm.offset.weight)
    for n, label in enumerate(LABELS):
        expected = (1 + norm.gain.weight[label, :, None, None]) * normalized[n] + norm.offset.weight[
            label, :, None, None
        ]
        torch.testing.assert_close(norm(images, LABELS)[n], expected)


def test_a_projection_is_one_linear_layer_a_class() -> None:
    torch.manual_seed(0)
    projection, features = Projection(16, 3), torch.randn(4, 16)
    logits = projection(features, LABELS)
    for n, label in enumerate(LABELS):
        weight = projection.weight[0] + projection.classes.weight[label] / 4
        torch.testing.assert_close(logits[n], weight @ features[n] + projection.bias[0])


def test_without_classes_a_projection_is_one_linear_layer() -> None:
    projection, features = Projection(16, None), torch.randn(4, 16)
    torch.testing.assert_close(projection(features), features @ projection.weight[0] + projection.bias)
    assert projection.state_dict().keys() == {"weight", "bias"}


def test_both_terms_of_a_projection_are_of_one_size() -> None:
    torch.manual_seed(0)
    projection, features = Projection(400, 10), torch.randn(2000, 400)
    plain = features @ projection.weight[0] + projection.bias
    of_class = projection(features, torch.arange(2000) % 10) - plain
    assert 0.5 < of_class.std() / plain.std() < 2


def test_only_a_conditional_network_has_to_know_the_number_of_classes() -> None:
    assert classes_of(True, 3) == 3
    assert classes_of(False, 3) is classes_of(False, None) is None
    with pytest.raises(ValueError, match="num_classes must be a whole number"):
        classes_of(True, None)
    with pytest.raises(ValueError, match="conditional must be true or false, not 'yes'"):
        classes_of("yes", 3)  # type: ignore[arg-type]
