"""The judge: one pass where that is allowed, labels, augmentation, memory."""

import pytest
import torch
from torch import Tensor, nn

from gan_lightning.players.judge import Judge

LABELS = torch.tensor([0, 1, 2])


class Watched(nn.Module):
    """Remembers what it was called with; its answer is the mean of an image, and ten times its label."""

    def __init__(self, depends_on_batch: bool = False) -> None:
        super().__init__()
        self.depends_on_batch = depends_on_batch
        self.calls: list[tuple[int, list[int]]] = []

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        self.calls.append((len(images), labels.tolist()))
        return images.flatten(1).mean(1) + 10 * labels


def batches(count: int) -> list[Tensor]:
    return [torch.full((3, 1, 2, 2), float(n)) for n in range(count)]


@pytest.mark.parametrize("depends_on_batch", [False, True])
def test_several_batches_are_judged_in_one_pass_where_that_changes_nothing(depends_on_batch: bool) -> None:
    network = Watched(depends_on_batch)
    logits = Judge(network, LABELS)(*batches(3))
    assert [each.tolist() for each in logits] == [[n, n + 10, n + 20] for n in (0.0, 1.0, 2.0)]
    assert network.calls == ([(3, [0, 1, 2])] * 3 if depends_on_batch else [(9, [0, 1, 2] * 3)])


def test_a_network_that_does_not_say_sees_one_batch_at_a_time() -> None:
    class Silent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.calls = 0

        def forward(self, images: Tensor) -> Tensor:
            self.calls += 1
            return images.flatten(1).mean(1)

    network = Silent()
    one, other = Judge(network, LABELS)(*batches(2))
    assert (one.tolist(), other.tolist(), network.calls) == ([0.0] * 3, [1.0] * 3, 2)


def test_one_batch_gives_one_tensor() -> None:
    (images,) = batches(1)
    assert Judge(Watched(), LABELS)(images).tolist() == [0.0, 10.0, 20.0]


def test_what_was_judged_before_is_remembered_only_if_asked() -> None:
    real, fake = batches(2)
    for remembers, calls in ((False, [6, 3, 6]), (True, [3, 3])):
        network = Watched()
        judge = Judge(network, LABELS, remembers=remembers)
        on_real, on_fake = judge(real, fake)
        assert torch.equal(judge(fake), on_fake)
        assert torch.equal(judge(fake, real)[1], on_real)
        assert [size for size, _ in network.calls] == calls
    # A tensor with the same numbers is another batch.
    judge(fake.clone())
    assert [size for size, _ in network.calls] == [3, 3, 3]


def test_all_that_is_judged_is_augmented() -> None:
    class Plus(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images + 100

    one, other = Judge(Watched(), LABELS, Plus())(*batches(2))
    assert (one.tolist(), other.tolist()) == ([100.0, 110.0, 120.0], [101.0, 111.0, 121.0])


@pytest.mark.parametrize(("given", "expected"), [(torch.bfloat16, torch.float32), (torch.float64, torch.float64)])
def test_logits_are_float32_at_least(given: torch.dtype, expected: torch.dtype) -> None:
    class Cast(Watched):
        def forward(self, images: Tensor, labels: Tensor) -> Tensor:
            return super().forward(images, labels).to(given)

    (images,) = batches(1)
    assert Judge(Cast(), LABELS)(images).dtype == expected


def test_a_discriminator_that_gives_something_else_is_named() -> None:
    class Columns(Watched):
        def forward(self, images: Tensor, labels: Tensor) -> Tensor:
            return super().forward(images, labels)[:, None]

    with pytest.raises(
        ValueError, match=r"Columns gave \(6, 1\) for 6 images; it should give a logit for each, \(6,\)"
    ):
        Judge(Columns(), LABELS)(*batches(2))
