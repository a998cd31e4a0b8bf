"""Labels all the way: from the batch to both players, into samples and into evaluations."""

from functools import partial
from typing import Any

import pytest
import torch
from test_gan import LATENT_DIM, SHAPE, RandomImages, fit, make_gan
from torch import Tensor, nn
from torch.optim import Adam

from gan_lightning.data.pixels import to_uint8
from gan_lightning.loop import cuda_graph, manual_optimization
from gan_lightning.measures.subject import Reference
from gan_lightning.objectives import NonSaturating, RelativisticPairing
from gan_lightning.penalties import R1R2, GradientPenalty
from gan_lightning.players.sampling import draw, generate, judged, labels_to_draw

NUM_CLASSES = 4


class Shades(RandomImages):
    """Images that show their own label: all pixels of class c have the byte 60 c."""

    num_classes = NUM_CLASSES

    def load(self, train: bool) -> tuple[Tensor, Tensor]:
        labels = torch.arange(self.num_images) % NUM_CLASSES
        return (60 * labels)[:, None, None, None].expand(-1, *SHAPE).to(torch.uint8), labels


def shown_labels(images: Tensor) -> Tensor:
    """What real images say of themselves."""
    return to_uint8(images).flatten(1)[:, 0].long() // 60


class Generator(nn.Module):
    """Each class has a shade of its own to learn."""

    latent_dim = LATENT_DIM

    def __init__(self, depends_on_batch: bool = False) -> None:
        super().__init__()
        self.depends_on_batch = depends_on_batch
        self.seen: list[Tensor] = []
        self.shades = nn.Embedding(NUM_CLASSES, 1)
        self.noise = nn.Linear(LATENT_DIM, 1)

    def forward(self, latent: Tensor, labels: Tensor) -> Tensor:
        self.seen.append(labels)
        shade = torch.tanh(self.shades(labels) + 0.05 * self.noise(latent))
        return shade[:, :, None, None].expand(-1, *SHAPE)


class Discriminator(nn.Module):
    def __init__(self, depends_on_batch: bool = False) -> None:
        super().__init__()
        self.depends_on_batch = depends_on_batch
        self.seen: list[tuple[Tensor, Tensor]] = []
        self.hidden = nn.Sequential(nn.Flatten(), nn.Linear(16, 32), nn.LeakyReLU(0.2), nn.Linear(32, 32), nn.Tanh())
        self.classes = nn.Embedding(NUM_CLASSES, 32)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        self.seen.append((images.detach(), labels))
        return (self.hidden(images) * self.classes(labels)).sum(1)


@pytest.mark.parametrize(("alternations_per_step", "penalty"), [(1, GradientPenalty()), (2, None)])
@pytest.mark.parametrize("depends_on_batch", [False, True])
@pytest.mark.parametrize("discriminator_batches", ["reuse", "fresh"])
@pytest.mark.parametrize("simultaneous", [False, True])
def test_every_image_is_judged_with_its_own_label(
    alternations_per_step: int, simultaneous: bool, discriminator_batches: str, depends_on_batch: bool, penalty: Any
) -> None:
    gan = make_gan(
        lambda: (Generator(depends_on_batch), Discriminator(depends_on_batch)),
        objective=RelativisticPairing(),
        penalty=penalty,
        discriminator_steps=3,
        discriminator_batches=discriminator_batches,
        simultaneous=simultaneous,
        alternations_per_step=alternations_per_step,
    )
    fit(gan, Shades(alternations=4, batches_per_alternation=gan.batches_per_alternation))
    judged_real = 0
    for images, labels in gan.discriminator.seen:  # type: ignore[union-attr]
        flat = images.flatten(1)
        # Only real images have exactly the shade of a byte.
        real = (flat == (to_uint8(flat).float() / 127.5 - 1)).all(1)
        judged_real += int(real.sum())
        assert torch.equal(shown_labels(images[real]), labels[real])
        if len(images) == 12:  # in one pass: a generated image has the label of the real one beside it
            assert torch.equal(labels[:6], labels[6:])
    assert judged_real >= 4 * 3 * 6
    drawn = torch.cat(gan.generator.seen)  # type: ignore[union-attr]
    assert torch.bincount(drawn, minlength=NUM_CLASSES).min() > 0


def test_labels_go_through_a_replayed_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def capture(function: Any, generators: Any) -> Any:
        return function  # computes on the same memory again

    monkeypatch.setattr(cuda_graph, "warm_up", lambda function: function())
    monkeypatch.setattr(cuda_graph, "capture", capture)
    trained = []
    for graphed in (False, True):
        monkeypatch.setattr(manual_optimization, "why_not", lambda *_, graphed=graphed: None if graphed else "no")
        gan = make_gan(lambda: (Generator(), Discriminator()), partial(Adam, lr=0.01, fused=True), penalty=R1R2())
        fit(gan, Shades(alternations=8))
        trained.append(gan.state_dict())
    assert all(torch.equal(trained[0][name], trained[1][name]) for name in trained[0])


@pytest.mark.slow
def test_each_class_is_learnt() -> None:
    adam = partial(Adam, lr=0.02, betas=(0.0, 0.9))
    settings = {"objective": RelativisticPairing(), "penalty": R1R2(0.02), "discriminator_steps": 1}
    gan = make_gan(lambda: (Generator(), Discriminator()), adam, **settings)
    fit(gan, Shades(batch_size=32, alternations=40), epochs=12)
    latent = torch.zeros(NUM_CLASSES, LATENT_DIM)
    shades = generate(gan.generator, latent, torch.arange(NUM_CLASSES), 2, torch.device("cpu")).flatten(1)[:, 0]
    expected = 60 * torch.arange(NUM_CLASSES) / 127.5 - 1
    torch.testing.assert_close(shades, expected, atol=0.15, rtol=0)


def test_samples_are_of_all_classes_and_judgements_have_their_labels() -> None:
    generator, discriminator = Generator(), Discriminator()
    labels = labels_to_draw(generator, 10, range(NUM_CLASSES))
    draw(generator, labels, seed=0, device=torch.device("cpu"))
    assert torch.cat(generator.seen).tolist() == [0, 0, 0, 1, 1, 2, 2, 2, 3, 3]
    pixels, labels = Shades(batch_size=10).load(train=True)
    logits = judged(discriminator, pixels, labels, 4, torch.device("cpu"))
    assert logits.shape == (10,)
    assert torch.cat([seen for _, seen in discriminator.seen]).tolist() == labels.tolist()
    assert not torch.allclose(logits, judged(discriminator, pixels, labels.flip(0), 4, torch.device("cpu")))


def test_an_unconditional_network_need_not_name_labels() -> None:
    gan = make_gan(objective=NonSaturating())
    fit(gan, Shades(alternations=2))
    assert gan.alternations == 2


def test_an_evaluation_draws_as_many_of_each_class_as_there_are_to_train_on() -> None:
    data = Shades(batch_size=600)
    reference = Reference(data, 100)
    assert reference.labels.tolist() == [n % NUM_CLASSES for n in range(100)]
    assert torch.equal(reference.held_out.labels, torch.arange(100) % NUM_CLASSES)
    assert len(Reference(data, 1000).labels) == 1000  # more than there are images
