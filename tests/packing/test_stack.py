"""Trainings that alternate as one are what they are alone."""

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn
from torch.optim import SGD, Adam

from gan_lightning.augmentation import DiffAugment, InstanceNoise
from gan_lightning.averaging import ExponentialMovingAverage
from gan_lightning.gan import GAN
from gan_lightning.networks import dcgan, goodfellow, mlp, r3gan, sngan
from gan_lightning.objectives import (
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    Objective,
    RelativisticPairing,
    Wasserstein,
)
from gan_lightning.packing.likeness import described, kind_of
from gan_lightning.packing.stack import Stack, rehearse
from gan_lightning.packing.streams import Stream
from gan_lightning.penalties import R1, R1R2, GradientPenalty
from gan_lightning.players.judge import Judge
from gan_lightning.schedules import Cosine

MEMBERS, BATCH_SIZE, LATENT_DIM = 3, 4, 5
TRAINER = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)


@pytest.fixture(autouse=True)
def float64() -> Any:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def mlps(shape: tuple[int, ...], member: int, **settings: Any) -> tuple[nn.Module, nn.Module]:
    settings = {"dropout": 0.3, "hidden_dim": 8, "maxout_dim": 4} | settings
    of_generator = {key: settings[key] for key in ("conditional", "num_classes") if key in settings}
    return mlp.Generator(shape, LATENT_DIM, hidden_dims=[8], **of_generator), mlp.Discriminator(shape, **settings)


class OfTorch(mlp.Generator):
    """Draws its latents from torch's global generator."""

    def sample_latent(self, num_samples: int, random: torch.Generator | None = None) -> Tensor:
        return torch.randn(num_samples, self.latent_dim)


def with_other_dropouts(shape: tuple[int, ...], member: int) -> tuple[nn.Module, nn.Module]:
    return mlps(shape, member, dropout=0.2 * member)


def goodfellows(shape: tuple[int, ...], member: int) -> tuple[nn.Module, nn.Module]:
    return (
        goodfellow.Generator(shape, LATENT_DIM, hidden_dim=8),
        goodfellow.Discriminator(shape, maxout_dim=4, input_dropout=0.1 * member),
    )


def family(module: Any, **settings: Any) -> Callable[..., tuple[nn.Module, nn.Module]]:
    return lambda shape, member: (
        module.Generator(shape, latent_dim=LATENT_DIM, width=8, **settings),
        module.Discriminator(shape, width=8, **settings),
    )


class Case(NamedTuple):
    """What trainings are made of, and how large their images are."""

    networks: Callable[..., tuple[nn.Module, nn.Module]] = mlps
    objective: Callable[[], Objective] = NonSaturating
    penalty: Callable[[int], nn.Module | None] = lambda member: None
    augmentation: Callable[[int], nn.Module | None] = lambda member: None
    settings: dict[str, Any] = {}  # noqa: RUF012  # no case changes it
    size: int = 4


CLASSES = {"conditional": True, "num_classes": 10}
CASES = {
    "minimax": Case(objective=Minimax),
    "non-saturating": Case(),
    "least squares": Case(objective=LeastSquares),
    "hinge": Case(objective=Hinge),
    "relativistic": Case(objective=RelativisticPairing, penalty=lambda member: R1R2(0.1 * (member + 1))),
    "critic": Case(objective=Wasserstein, penalty=lambda member: GradientPenalty(1.0 + member)),
    "followed": Case(penalty=lambda member: R1(Cosine(1.0, 0.1 * member, 20))),
    "fresh": Case(settings={"discriminator_batches": "fresh"}),
    "simultaneous": Case(penalty=lambda member: R1(1.0), settings={"simultaneous": True}),
    "clipped": Case(settings={"discriminator_clip_norm": 0.01, "generator_clip_norm": 0.02}),
    "other dropouts": Case(with_other_dropouts),
    "maxout": Case(goodfellows),
    "spectral": Case(partial(mlps, normalization="spectral"), Hinge),
    "classes": Case(partial(mlps, **CLASSES)),
    "noise": Case(augmentation=lambda member: InstanceNoise(0.1 * member)),
    "augmented": Case(augmentation=lambda member: DiffAugment()),
    "dcgan": Case(family(dcgan, num_classes=10), size=8),
    "sngan": Case(family(sngan, **CLASSES), Hinge, size=8),
    "latents of torch's": Case(
        lambda shape, member: (OfTorch(shape, LATENT_DIM, hidden_dims=[8]), mlps(shape, member)[1])
    ),
    "r3gan": Case(family(r3gan, num_classes=10), RelativisticPairing, lambda member: R1R2(0.1), size=8),
}


def made(case: Case, member: int, optimizer: Any = SGD) -> tuple[GAN, Stream]:
    """A training with numbers of its own, and what it draws."""
    torch.manual_seed(member)
    networks = case.networks((1, case.size, case.size), member)
    gan = GAN(
        *networks,
        case.objective(),
        *(partial(optimizer, lr=0.01 * (member + 1)) for _ in range(2)),
        penalty=case.penalty(member),
        augmentation=case.augmentation(member),
        ema=ExponentialMovingAverage(10.0 * (member + 1)),
        **{"discriminator_steps": 2, "seed": member} | case.settings,
    )
    gan.trainer = TRAINER
    return gan, Stream()


def batches(case: Case, number: int) -> list[tuple[Tensor, Tensor]]:
    images = BATCH_SIZE * (2 if "discriminator_batches" in case.settings else 1)
    random = torch.Generator().manual_seed(0)
    shape = (MEMBERS, images, 1, case.size, case.size)
    return [
        (torch.rand(shape, generator=random) * 2 - 1, torch.randint(10, shape[:2], generator=random))
        for _ in range(number)
    ]


def before(gan: GAN, images: int) -> None:
    """What a training step does before it alternates."""
    gan.follow_schedules()
    gan.images_seen += images
    gan.ema.set_at(gan.images_seen, images)


def alone(gan: GAN, stream: Stream, member: int, of_all: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    for images, labels in of_all:
        before(gan, images.shape[1])
        with stream:
            numbers = gan.eager_alternation((images[member], labels[member]), gan.objective)
    return numbers


def together(stack: Stack, of_all: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    for batch in of_all:
        for gan in stack.members:
            before(gan, batch[0].shape[1])  # type: ignore[arg-type]
        numbers = stack.alternate(batch, stack.members[0].objective)  # type: ignore[arg-type]
    return numbers


def assert_equal(one: nn.Module, other: nn.Module, atol: float = 1e-12) -> None:
    for name, tensor in one.state_dict().items():
        torch.testing.assert_close(
            tensor, other.state_dict()[name], rtol=0, atol=atol, msg=lambda m, n=name: f"{n}: {m}"
        )


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_members_are_what_they_are_alone(case: Case) -> None:
    of_all = batches(case, 3)
    stack = Stack(*zip(*(made(case, member) for member in range(MEMBERS)), strict=True))
    numbers = together(stack, of_all)
    for member, gan in enumerate(stack.members):
        other, stream = made(case, member)
        weights = [weight.clone() for weight in other.parameters()]
        own = alone(other, stream, member, of_all)
        assert_equal(gan, other)
        assert any(not torch.equal(*pair) for pair in zip(weights, other.parameters(), strict=True))
        for name, number in own.items():
            torch.testing.assert_close(numbers[name][member], number, rtol=0, atol=1e-12)


class Langevin(SGD):
    """Adds noise to the weights."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        super().step()
        for weight in self.param_groups[0]["params"]:
            weight.add_(torch.randn_like(weight), alpha=0.01)


@pytest.mark.parametrize("optimizer", [Adam, Langevin])
def test_many_alternations_with_optimizers_of_their_own(optimizer: type) -> None:
    case = CASES["other dropouts"]
    of_all = batches(case, 40)
    stack = Stack(*zip(*(made(case, member, optimizer) for member in range(MEMBERS)), strict=True))
    together(stack, of_all)
    for member, gan in enumerate(stack.members):
        other, stream = made(case, member, optimizer)
        alone(other, stream, member, of_all)
        assert_equal(gan, other)


def test_who_parts_goes_on_alone_and_the_others_together() -> None:
    case, of_all = CASES["non-saturating"], batches(CASES["non-saturating"], 4)
    members, streams = zip(*(made(case, member) for member in range(MEMBERS)), strict=True)
    stack = Stack(members, streams)
    together(stack, of_all[:2])
    stack.part()
    alone(members[0], streams[0], 0, of_all[2:])
    together(Stack(members[1:], streams[1:]), [(images[1:], labels[1:]) for images, labels in of_all[2:]])
    for member, gan in enumerate(members):
        other, stream = made(case, member)
        alone(other, stream, member, of_all)
        assert_equal(gan, other)


def test_a_rehearsal_changes_nothing() -> None:
    case = CASES["other dropouts"]
    members, streams = zip(*(made(case, member) for member in range(MEMBERS)), strict=True)
    (batch,) = batches(case, 1)
    rehearse(members, streams, batch, members[0].objective)
    for member, gan in enumerate(members):
        other, stream = made(case, member)
        assert_equal(gan, other, atol=0)
        assert torch.equal(gan.randomness.latent().get_state(), other.randomness.latent().get_state())
        with streams[member]:
            drawn = torch.rand(2)
        with stream:
            assert torch.equal(torch.rand(2), drawn)


class Undecided(mlp.Discriminator):
    """Looks at the numbers to decide what to do."""

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        return super().forward(images if images.mean() > 0 else -images)


class Counting(mlp.Discriminator):
    """Depends on how often it was asked."""

    asked = 0

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        self.asked += 1
        return super().forward(images) / self.asked


class OfNumPy(mlp.Discriminator):
    """Draws other random numbers than torch's."""

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        return super().forward(images) * np.random.rand()


class Generating(mlp.Discriminator):
    """Draws random numbers from a generator of its own."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.random = torch.Generator()

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        return super().forward(images + torch.randn(images.shape, generator=self.random))


class Remembering(Hinge):
    """Depends on the losses so far."""

    mean = 0.0

    def discriminator_loss(self, judge: Judge, real: Tensor, fake: Tensor) -> Any:
        loss, scalars = super().discriminator_loss(judge, real, fake)
        self.mean = 0.9 * self.mean + 0.1 * loss.detach()
        return loss * self.mean, scalars


@pytest.mark.parametrize(
    ("discriminator", "objective", "why"),
    [
        (Undecided, Hinge, "vmap"),
        (Counting, Hinge, "changes more of Counting than weights and buffers"),
        (OfNumPy, Hinge, "draws from Python's or NumPy's random numbers"),
        (Generating, Hinge, "draws from a random number generator of its own"),
        (mlp.Discriminator, Remembering, "changes more of Remembering than weights and buffers"),
    ],
)
def test_what_cannot_be_packed_says_so_in_a_rehearsal(discriminator: Any, objective: Any, why: str) -> None:
    def networks(shape: tuple[int, ...], member: int) -> tuple[nn.Module, nn.Module]:
        return mlps(shape, member)[0], discriminator(shape, hidden_dim=8, maxout_dim=4)

    case = Case(networks, objective)
    members, streams = zip(*(made(case, member) for member in range(2)), strict=True)
    images, labels = batches(case, 1)[0]
    before, mode = [described(vars(members[0].discriminator)), np.random.get_state()[2]], members[0].objective
    with pytest.raises(RuntimeError, match=why):
        rehearse(members, streams, (images[:2], labels[:2]), mode)
    assert before == [described(vars(members[0].discriminator)), np.random.get_state()[2]]
    assert not vars(mode)


@pytest.mark.parametrize(
    ("settings", "same"),
    [
        ({"dropout": 0.5}, True),
        ({"negative_slope": 0.1}, False),
        ({"hidden_dim": 16}, False),
        ({"maxout_pieces": 3}, False),
    ],
)
def test_only_what_a_member_can_have_of_its_own_may_differ(settings: dict[str, Any], same: bool) -> None:
    kinds = [kind_of(made(Case(partial(mlps, **each)), 0)[0]) for each in ({}, settings)]
    assert (kinds[0] == kinds[1]) is same


class Scaled(mlp.Discriminator):
    """With something of its own that is neither a weight nor a buffer."""

    def __init__(self, shape: tuple[int, ...], scale: Any) -> None:
        super().__init__(shape, hidden_dim=8, maxout_dim=4)
        self._scale = scale


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (0.1, 0.2),
        (None, 0.2),
        ([0.1], [0.2]),
        ({"std": 0.1}, {"std": 0.2}),
        (torch.ones(2), torch.zeros(2)),
        (np.arange(2000), np.arange(2000) // 2),
        (partial(pow, 2), partial(pow, 3)),
        (Cosine(1.0, 0.0, 20), Cosine(1.0, 0.1, 20)),
    ],
)
def test_trainings_are_alike_where_all_that_their_networks_hold_is(one: Any, other: Any) -> None:
    def kind(scale: Any) -> Any:
        return kind_of(made(Case(lambda shape, member: (mlps(shape, member)[0], Scaled(shape, scale))), 0)[0])

    assert kind(one) == kind(deepcopy(one)) != kind(other)
    assert kind([one, Lock()]) != kind([one, Lock()])  # into which nobody can look
