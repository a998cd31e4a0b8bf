"""The alternation, against plain PyTorch, and what each player's step may touch."""

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer
from torch.optim.lr_scheduler import ExponentialLR

from gan_lightning.averaging import ExponentialMovingAverage
from gan_lightning.data.base import ImageDataModule
from gan_lightning.data.pixels import from_uint8
from gan_lightning.gan import GAN
from gan_lightning.networks import base, mlp
from gan_lightning.objectives import Hinge, Minimax, NonSaturating, Objective, Switch, Wasserstein
from gan_lightning.penalties import R1, GradientPenalty, statistics_of
from gan_lightning.schedules import Cosine
from gan_lightning.train import check_losses

SHAPE, LATENT_DIM, BATCH_SIZE = (1, 4, 4), 3, 6


class RandomImages(ImageDataModule):
    """Noise to train on: `alternations` alternations an epoch."""

    title, image_shape = "noise", SHAPE

    def __init__(self, batch_size: int = BATCH_SIZE, alternations: int = 1, batches_per_alternation: int = 1) -> None:
        super().__init__(batch_size)
        self.batches_per_alternation = batches_per_alternation
        self.num_images = batch_size * alternations * batches_per_alternation

    def load(self, train: bool) -> tuple[Tensor, Tensor]:
        random = torch.Generator().manual_seed(0)
        images = torch.randint(0, 256, (self.num_images, *SHAPE), generator=random, dtype=torch.uint8)
        return images, torch.zeros(self.num_images, dtype=torch.int64)


def plain_networks() -> tuple[nn.Module, nn.Module]:
    return (
        mlp.Generator(SHAPE, LATENT_DIM, hidden_dims=[8]),
        mlp.Discriminator(SHAPE, hidden_dim=8, maxout_dim=4, dropout=0.0),
    )


class NormalisedGenerator(base.Generator):
    def __init__(self) -> None:
        super().__init__(LATENT_DIM)
        self.layers = nn.Sequential(
            nn.Linear(LATENT_DIM, 16, bias=False), nn.BatchNorm1d(16), nn.Tanh(), nn.Unflatten(1, SHAPE)
        )

    def forward(self, latent: Tensor) -> Tensor:
        return self.layers(latent)


class NormalisedDiscriminator(base.Discriminator):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(16, 8, bias=False), nn.BatchNorm1d(8), nn.LeakyReLU(), nn.Linear(8, 1)
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images).squeeze(1)


def normalised_networks() -> tuple[nn.Module, nn.Module]:
    return NormalisedGenerator(), NormalisedDiscriminator()


def half_normalised_networks() -> tuple[nn.Module, nn.Module]:
    return plain_networks()[0], NormalisedDiscriminator()


Networks = Callable[[], tuple[nn.Module, nn.Module]]


def make_gan(networks: Networks = plain_networks, optimizer: Any = None, **settings: Any) -> GAN:
    torch.manual_seed(0)
    optimizer = optimizer or partial(SGD, lr=0.5)
    settings = {
        "objective": NonSaturating(),
        "generator_optimizer": optimizer,
        "discriminator_optimizer": optimizer,
    } | settings
    generator, discriminator = networks()
    return GAN(generator, discriminator, **settings)


def fit(
    gan: GAN,
    data: RandomImages,
    epochs: int = 1,
    callbacks: list[Callback] | None = None,
    accelerator: str = "cpu",
    precision: Any = "32-true",
) -> None:
    data.batches_per_alternation = gan.batches_per_alternation
    data.alternations_per_step = gan.alternations_per_step
    Trainer(
        max_epochs=epochs, accelerator=accelerator, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=callbacks, precision=precision,
    ).fit(gan, data)  # fmt: skip


class Recorder(Callback):
    """Keeps the batches as the networks see them, the latents drawn, and the statistics returned."""

    def __init__(self, gan: GAN) -> None:
        self.batches: list[Tensor] = []
        self.latents: list[Tensor] = []
        self.statistics: list[dict[str, Tensor]] = []
        draw = gan.sample_latent

        def sample_latent(num_samples: int) -> Tensor:
            self.latents.append(draw(num_samples))
            return self.latents[-1]

        gan.sample_latent = sample_latent  # type: ignore[method-assign]

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.batches += batch[0]
        self.statistics.append(outputs)


def reference(
    networks: Networks,
    optimizer: Any,
    batches: list[Tensor],
    latent: Tensor,
    k: int,
    fresh: bool,
    simultaneous: bool,
    switch_epoch: int,
    discriminator_scale: float = 1.0,
) -> tuple[nn.Module, nn.Module, list[dict[str, float]]]:
    """Goodfellow et al. 2014, algorithm 1, in plain PyTorch, as a course would write it: one epoch a batch.

    When simultaneous, a copy of the discriminator as it was before its last step judges that step's own fakes.
    """
    torch.manual_seed(0)
    generator, discriminator = networks()
    discriminator_optimizer, generator_optimizer = (
        optimizer(discriminator.parameters()),
        optimizer(generator.parameters()),
    )
    bce = nn.BCELoss()
    statistics = []
    for epoch, images in enumerate(batches):
        losses, on_real, on_fake = [], [], []
        for step in range(k):
            real = images[step * BATCH_SIZE : (step + 1) * BATCH_SIZE] if fresh else images
            noise, latent = latent[: len(real)], latent[len(real) :]
            judge = deepcopy(discriminator)
            fake = generator(noise).detach()
            real_probability, fake_probability = discriminator.probability(real), discriminator.probability(fake)
            loss = bce(real_probability, torch.ones_like(real_probability))
            loss = discriminator_scale * (loss + bce(fake_probability, torch.zeros_like(fake_probability)))
            discriminator_optimizer.zero_grad()
            loss.backward()
            discriminator_optimizer.step()
            losses.append(loss.item())
            on_real += real_probability.tolist()
            on_fake += fake_probability.tolist()
        if simultaneous:
            # With batch statistics the judge has yet to see that step's batch, generated last.
            probability = judge.probability(generator(noise))
        else:
            noise, latent = latent[:BATCH_SIZE], latent[BATCH_SIZE:]
            probability = discriminator.probability(generator(noise))
        loss = -torch.log(probability).mean() if epoch < switch_epoch else torch.log(1 - probability).mean()
        generator_optimizer.zero_grad()
        loss.backward()
        generator_optimizer.step()
        hits = [p > 0.5 for p in on_real] + [p < 0.5 for p in on_fake]
        statistics.append(
            {
                "generator_loss": loss.item(),
                "discriminator_loss": sum(losses) / k,
                "real_probability": sum(on_real) / len(on_real),
                "fake_probability": sum(on_fake) / len(on_fake),
                "discriminator_accuracy": sum(hits) / len(hits),
            }
        )
    assert len(latent) == 0  # no more latents were drawn than this needs
    return generator, discriminator, statistics


@pytest.mark.parametrize("networks", [plain_networks, normalised_networks])
@pytest.mark.parametrize("optimizer", [partial(SGD, lr=0.1), partial(Adam, lr=1e-3, fused=True)], ids=["sgd", "adam"])
@pytest.mark.parametrize("simultaneous", [False, True])
@pytest.mark.parametrize(("k", "discriminator_batches"), [(1, "reuse"), (3, "reuse"), (3, "fresh")])
def test_alternations_equal_plain_pytorch_before_and_after_the_switch(
    k: int, simultaneous: bool, discriminator_batches: str, optimizer: Any, networks: Networks
) -> None:
    if simultaneous and networks is normalised_networks:
        networks = half_normalised_networks
    gan = make_gan(
        networks,
        optimizer,
        objective=Switch(NonSaturating(), Minimax(), 1),
        discriminator_steps=k,
        discriminator_batches=discriminator_batches,
        simultaneous=simultaneous,
    )
    fresh = discriminator_batches == "fresh"
    recorder = Recorder(gan)
    fit(gan, RandomImages(batches_per_alternation=k if fresh else 1), epochs=2, callbacks=[recorder])
    generator, discriminator, statistics = reference(
        networks, optimizer, recorder.batches, torch.cat(recorder.latents), k, fresh, simultaneous, switch_epoch=1
    )
    assert len(statistics) == gan.alternations == 2
    for ours, theirs in ((gan.generator, generator), (gan.discriminator, discriminator)):
        for name, weight in theirs.state_dict().items():
            torch.testing.assert_close(ours.state_dict()[name], weight, rtol=1e-4, atol=2e-6)
    for ours, theirs in zip(recorder.statistics, statistics, strict=True):
        assert {name: value.item() for name, value in ours.items()} == pytest.approx(theirs, abs=1e-5)


@pytest.mark.parametrize("networks", [plain_networks, normalised_networks])
@pytest.mark.parametrize(("k", "discriminator_batches"), [(1, "reuse"), (3, "fresh")])
@pytest.mark.parametrize(
    ("objective", "switch_epoch", "scale"),
    [
        (Minimax(), 0, 1.0),
        (NonSaturating(), 9, 1.0),
        (NonSaturating(0.5), 9, 0.5),
        (Switch(NonSaturating(), Minimax(), None), 9, 1.0),
    ],
)
def test_every_objective_gives_the_weights_of_plain_pytorch_also_with_several_alternations_a_step(
    k: int, objective: Objective, switch_epoch: int, scale: float, discriminator_batches: str, networks: Networks
) -> None:
    optimizer = partial(SGD, lr=0.1)
    gan = make_gan(
        networks,
        optimizer,
        objective=objective,
        discriminator_steps=k,
        discriminator_batches=discriminator_batches,
        alternations_per_step=2,
    )
    recorder = Recorder(gan)
    data = RandomImages(alternations=3, batches_per_alternation=gan.batches_per_alternation)
    fit(gan, data, callbacks=[recorder])
    generator, discriminator, _ = reference(
        networks, optimizer, recorder.batches, torch.cat(recorder.latents), k, discriminator_batches == "fresh",
        False, switch_epoch, scale,
    )  # fmt: skip
    for ours, theirs in ((gan.generator, generator), (gan.discriminator, discriminator)):
        for name, weight in theirs.state_dict().items():
            torch.testing.assert_close(ours.state_dict()[name], weight, rtol=1e-4, atol=2e-6)


class Steps(Callback):
    """Records whose optimizer stepped, and which players' weights had changed since the step before."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.changed: list[set[str]] = []

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        self.before = self._weights(pl_module)
        for player, optimizer in zip("GD", trainer.optimizers, strict=True):
            optimizer.register_step_post_hook(partial(self._after, player, pl_module))

    def _after(self, player: str, gan: GAN, *_: object) -> None:
        now = self._weights(gan)
        self.order.append(player)
        self.changed.append({name[0].upper() for name in now if not torch.equal(now[name], self.before[name])})
        self.before = now

    @staticmethod
    def _weights(gan: GAN) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in gan.named_parameters()}


@pytest.mark.parametrize("networks", [plain_networks, normalised_networks])
@pytest.mark.parametrize("k", [1, 5])
def test_each_step_changes_its_own_player_alone(k: int, networks: Networks) -> None:
    gan, steps = make_gan(networks, objective=Switch(NonSaturating(), Minimax(), 1), discriminator_steps=k), Steps()
    fit(gan, RandomImages(alternations=2), epochs=2, callbacks=[steps])
    assert "".join(steps.order) == (k * "D" + "G") * 4
    assert steps.changed == [{player} for player in steps.order]
    assert all(weight.requires_grad for weight in gan.parameters())


def test_the_generator_step_computes_no_gradients_of_the_discriminator() -> None:
    gan = make_gan(discriminator_steps=1)
    after_discriminator_step: list[Tensor] = []

    class Watch(Steps):
        def _after(self, player: str, gan: GAN, *_: object) -> None:
            gradients = torch.cat([weight.grad.flatten() for weight in gan.discriminator.parameters()])
            after_discriminator_step.append(gradients.clone())

    fit(gan, RandomImages(), callbacks=[Watch()])
    assert torch.equal(*after_discriminator_step)


def test_fakes_come_from_one_pass_and_logits_from_one_pass_where_no_batch_statistics_forbid_it() -> None:
    calls = []

    def networks(make: Networks) -> tuple[nn.Module, nn.Module]:
        generator, discriminator = make()
        generator.register_forward_pre_hook(lambda _, args: calls.append(("G", len(args[0]), torch.is_grad_enabled())))
        discriminator.register_forward_pre_hook(
            lambda _, args: calls.append(("D", len(args[0]), args[0].requires_grad))
        )
        return generator, discriminator

    b = BATCH_SIZE
    fit(make_gan(lambda: networks(plain_networks), discriminator_steps=2), RandomImages())
    assert calls == [("G", 2 * b, False), ("D", 2 * b, False), ("D", 2 * b, False), ("G", b, True), ("D", b, True)]
    calls.clear()
    fit(make_gan(lambda: networks(normalised_networks), discriminator_steps=2), RandomImages())
    assert calls == [("G", b, False), ("G", b, False), *4 * [("D", b, False)], ("G", b, True), ("D", b, True)]


def test_fresh_batches_show_the_discriminator_every_image_once_an_epoch() -> None:
    seen = []

    def networks() -> tuple[nn.Module, nn.Module]:
        generator, discriminator = plain_networks()
        discriminator.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
        return generator, discriminator

    data = RandomImages(alternations=2, batches_per_alternation=3)
    fit(make_gan(networks, discriminator_steps=3, discriminator_batches="fresh"), data)
    real = torch.cat([images[:BATCH_SIZE] for images in seen if len(images) == 2 * BATCH_SIZE])
    expected = from_uint8(data.load(train=True)[0])
    assert sorted(real.flatten(1).tolist()) == sorted(expected.flatten(1).tolist())


def test_a_schedule_steps_after_each_update_of_its_player() -> None:
    gan = make_gan(scheduler=partial(ExponentialLR, gamma=0.5), discriminator_steps=3)
    rates: dict[str, list[float]] = {"G": [], "D": []}

    class Rates(Steps):
        def _after(self, player: str, gan: GAN, optimizer: Optimizer, *_: object) -> None:
            rates[player].append(optimizer.param_groups[0]["lr"])

    fit(gan, RandomImages(alternations=2), callbacks=[Rates()])
    assert rates["G"] == [0.5, 0.25]
    assert rates["D"] == [0.5 / 2**step for step in range(6)]


def test_latents_repeat_with_the_seed_and_do_not_follow_the_global_generator() -> None:
    draws = []
    for seed, noise in ((0, 0), (0, 1), (1, 0)):
        gan = make_gan(seed=seed)
        torch.manual_seed(noise)
        draws.append(gan.sample_latent(4))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    torch.manual_seed(0)
    assert not torch.equal(draws[0], torch.randn(4, LATENT_DIM))  # not the numbers the weights were drawn from


def test_the_latents_are_the_same_with_dropout_and_without() -> None:
    """Latents and dropout have a generator each: with dropout, the same latents are drawn."""

    def with_dropout() -> tuple[nn.Module, nn.Module]:
        generator, discriminator = plain_networks()
        discriminator.layers[3].p = discriminator.layers[5].p = 0.5
        return generator, discriminator

    drawn = []
    for networks in (plain_networks, with_dropout):
        gan = make_gan(networks)
        recorder = Recorder(gan)
        fit(gan, RandomImages(alternations=3), callbacks=[recorder])
        drawn.append(torch.cat(recorder.latents))
    assert torch.equal(*drawn)


@pytest.mark.parametrize("discriminator_batches", ["reuse", "fresh"])
@pytest.mark.parametrize("networks", [plain_networks, normalised_networks])
def test_several_alternations_a_step_are_the_same_alternations(networks: Networks, discriminator_batches: str) -> None:
    trained, statistics, global_steps = [], [], []
    for alternations_per_step in (1, 3):
        gan = make_gan(
            networks,
            discriminator_steps=2,
            discriminator_batches=discriminator_batches,
            alternations_per_step=alternations_per_step,
        )
        recorder = Recorder(gan)
        fit(gan, RandomImages(alternations=7), epochs=2, callbacks=[recorder])
        trained.append(gan.state_dict())
        statistics.append([row["discriminator_loss"].item() for row in recorder.statistics])
        global_steps.append(gan.trainer.global_step)
        per_epoch = -(-7 // gan.batches_per_alternation)
        assert gan.alternations == 2 * per_epoch
        assert global_steps[-1] == gan.alternations * 3  # optimizer steps, as Lightning counts them
    assert all(torch.equal(trained[0][name], trained[1][name]) for name in trained[0])
    assert statistics[1][0] == pytest.approx(sum(statistics[0][:3]) / 3)
    assert len(statistics[1]) < len(statistics[0])


@pytest.mark.parametrize("simultaneous", [False, True])
@pytest.mark.parametrize("alternations_per_step", [1, 3])
def test_the_average_follows_every_alternation(alternations_per_step: int, simultaneous: bool) -> None:
    """Against weights written down after each step of the generator's optimizer."""
    gan = make_gan(
        ema=ExponentialMovingAverage(half_life=20),
        alternations_per_step=alternations_per_step,
        simultaneous=simultaneous,
        discriminator_steps=2,
    )
    expected = {name: value.clone() for name, value in gan.generator.named_parameters()}
    # Of 20 images 3 alternations have 6, and the last has 2.
    sizes = iter([6, 6, 6, 2] * 2)

    class Average(Steps):
        def _after(self, player: str, gan: GAN, *_: object) -> None:
            if player == "G":
                kept = 2 ** (-next(sizes) / 20)
                for name, value in gan.generator.named_parameters():
                    expected[name] = kept * expected[name] + (1 - kept) * value.detach()

    data = RandomImages()
    data.num_images = 20
    fit(gan, data, epochs=2, callbacks=[Average()])
    assert gan.images_seen == 40
    for name, value in gan.ema.network.named_parameters():  # type: ignore[union-attr]
        torch.testing.assert_close(value, expected[name], rtol=1e-5, atol=1e-7)
    assert gan.ema.choose(gan.generator, None) is gan.ema.choose(gan.generator, "ema") is gan.ema.network
    assert gan.ema.choose(gan.generator, "raw") is gan.generator


def test_without_an_average_there_are_the_raw_weights_alone() -> None:
    gan = make_gan()
    assert gan.ema.choose(gan.generator, None) is gan.generator
    assert not any(name.startswith("ema") for name in gan.state_dict())
    with pytest.raises(ValueError, match="there are none"):
        gan.ema.choose(gan.generator, "ema")
    with pytest.raises(ValueError, match="weights must be raw, ema or null"):
        gan.ema.choose(gan.generator, "best")


@pytest.mark.parametrize("discriminator_batches", ["reuse", "fresh"])
def test_schedules_follow_the_images_seen(discriminator_batches: str) -> None:
    rate, strength = Cosine(0.5, 0.1, 60), Cosine(1.0, 0.0, 60)
    gan = make_gan(
        optimizer=partial(SGD, lr=rate),
        penalty=R1(strength),
        discriminator_steps=2,
        discriminator_batches=discriminator_batches,
    )
    found: list[tuple[str, float, float]] = []

    class Now(Steps):
        def _after(self, player: str, gan: GAN, optimizer: Optimizer, *_: object) -> None:
            found.append((player, optimizer.param_groups[0]["lr"], gan.penalty.gamma.value.item()))

    fit(gan, RandomImages(alternations=3, batches_per_alternation=gan.batches_per_alternation), callbacks=[Now()])
    expected = []
    for alternation in range(3):
        seen = alternation * BATCH_SIZE * gan.batches_per_alternation
        expected += [(player, rate(seen), strength(seen)) for player in "DDG"]
    assert [player for player, *_ in found] == [player for player, *_ in expected]
    assert [pair for _, *pair in found] == [pytest.approx(pair) for _, *pair in expected]


def test_a_penalty_is_added_to_the_discriminators_loss_of_every_step() -> None:
    """One step of plain PyTorch with WGAN-GP on the same images, latents and interpolation weights."""
    gan = make_gan(objective=Wasserstein(), penalty=GradientPenalty(7.0), discriminator_steps=2)
    recorder = Recorder(gan)
    fit(gan, RandomImages(), callbacks=[recorder])
    shares = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    generator, discriminator = plain_networks()
    shares.set_state(gan_random_after_building())
    latents = torch.cat(recorder.latents)
    (real,) = recorder.batches
    for step in range(2):
        fake = generator(latents[step * BATCH_SIZE : (step + 1) * BATCH_SIZE]).detach()
        share = torch.rand(BATCH_SIZE, 1, 1, 1, generator=shares)
        between = (share * real + (1 - share) * fake).requires_grad_()
        (slope,) = torch.autograd.grad(discriminator(between).sum(), between, create_graph=True)
        norms = slope.flatten(1).norm(dim=1)
        loss = discriminator(fake).mean() - discriminator(real).mean() + 7 * ((norms - 1) ** 2).mean()
        gradients = torch.autograd.grad(loss, list(discriminator.parameters()))
        with torch.no_grad():
            for weight, gradient in zip(discriminator.parameters(), gradients, strict=True):
                weight -= 0.5 * gradient
    for name, weight in discriminator.state_dict().items():
        torch.testing.assert_close(gan.discriminator.state_dict()[name], weight, rtol=1e-4, atol=1e-6)
    assert recorder.statistics[0].keys() == set(statistics_of(gan.objective, gan.penalty))


def gan_random_after_building() -> Tensor:
    """The state of torch's global generator once the networks are made, which is when training begins to draw."""
    torch.manual_seed(0)
    plain_networks()
    return torch.get_rng_state()


def test_wasserstein_without_a_constraint_is_refused_unless_the_network_has_one() -> None:
    with pytest.raises(ValueError, match="choose penalty=gradient_penalty"):
        make_gan(objective=Wasserstein())
    with pytest.raises(ValueError, match="choose penalty=gradient_penalty"):
        make_gan(objective=Switch(Hinge(), Wasserstein()))

    class Bounded(mlp.Discriminator):
        lipschitz = True

    make_gan(lambda: (plain_networks()[0], Bounded(SHAPE)), objective=Wasserstein())
    make_gan(objective=Wasserstein(), penalty=R1())
    with pytest.raises(ValueError, match="choose penalty=gradient_penalty"):
        make_gan(objective=Wasserstein(), penalty=R1(0.0))


def test_two_ways_to_change_a_learning_rate_are_refused() -> None:
    with pytest.raises(ValueError, match="would undo each other"):
        make_gan(optimizer=partial(SGD, lr=Cosine(0.5, 0.1, 60)), scheduler=partial(ExponentialLR, gamma=0.5))


class Renamed(Hinge):
    """Gives other scalars than it names, and with their graph."""

    def discriminator_loss(self, judge: Any, real: Tensor, fake: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        loss, _ = super().discriminator_loss(judge, real, fake)
        return loss, {"margin": 2 * loss}


def test_an_objective_is_tried_out_before_a_run_also_what_it_switches_to() -> None:
    images, labels = torch.zeros(2, *SHAPE), torch.zeros(2, dtype=torch.int64)
    gan = make_gan(penalty=R1())
    before = [value.clone() for value in gan.state_dict().values()]
    check_losses(gan, images, images, labels)
    assert all(torch.equal(*pair) for pair in zip(before, gan.state_dict().values(), strict=True))
    assert all(weight.grad is None for weight in gan.parameters())
    with pytest.raises(ValueError, match="Renamed and the penalty give discriminator_loss, margin, but by their attr"):
        check_losses(make_gan(objective=Switch(Hinge(), Renamed())), images, images, labels)


def test_scalars_that_were_not_detached_keep_no_graph() -> None:
    gan = make_gan(objective=Renamed())
    recorder = Recorder(gan)
    fit(gan, RandomImages(), callbacks=[recorder])
    assert not any(value.requires_grad for value in recorder.statistics[0].values())


def test_a_frozen_part_of_a_network_stays_as_it_is() -> None:
    def networks() -> tuple[nn.Module, nn.Module]:
        generator, discriminator = plain_networks()
        generator.layers[0].requires_grad_(False)
        discriminator.layers[1].requires_grad_(False)
        return generator, discriminator

    gan = make_gan(networks)
    before = {name: value.clone() for name, value in gan.state_dict().items()}
    fit(gan, RandomImages(alternations=2))
    changed = {name for name, value in gan.state_dict().items() if not torch.equal(value, before[name])}
    frozen = {name for name in before if name.startswith(("generator.layers.0.", "discriminator.layers.1."))}
    assert changed == before.keys() - frozen


def test_alternations_differ() -> None:
    gan = make_gan()
    recorder = Recorder(gan)
    fit(gan, RandomImages(alternations=3), callbacks=[recorder])
    assert all(not torch.equal(one, other) for one, other in pairwise(recorder.latents))


@pytest.mark.parametrize(
    ("key", "value", "right"),
    [
        ("discriminator_steps", 0, "a whole number of at least 1"),
        ("alternations_per_step", "five", "a whole number of at least 1"),
        ("seed", -1, "a whole number of at least 0"),
        ("simultaneous", "yes", "true or false"),
        ("cuda_graph", 2, "true or false"),
    ],
)
def test_refuses_what_is_no_setting(key: str, value: Any, right: str) -> None:
    with pytest.raises(ValueError, match=f"{key} must be {right}"):
        make_gan(**{key: value})


def test_refuses_unknown_batches_and_what_an_optimizer_refuses() -> None:
    with pytest.raises(ValueError, match="reuse or fresh"):
        make_gan(discriminator_batches="new")
    with pytest.raises(ValueError, match="Invalid learning rate"):
        make_gan(optimizer=partial(Adam, lr=-1.0))


@pytest.mark.parametrize("simultaneous", [False, True])
def test_each_player_has_a_norm_of_its_own(simultaneous: bool) -> None:
    """A step of plain SGD is as long as the gradients' norm, which is the greatest that is allowed."""
    gan = make_gan(
        optimizer=partial(SGD, lr=1.0),
        simultaneous=simultaneous,
        discriminator_steps=1,
        generator_clip_norm=1e-3,
        discriminator_clip_norm=2e-3,
    )
    before = {name: value.clone() for name, value in gan.state_dict().items()}
    fit(gan, RandomImages())
    for player, norm in (("generator", 1e-3), ("discriminator", 2e-3)):
        moves = [
            (value - before[name]).flatten() for name, value in gan.state_dict().items() if name.startswith(player)
        ]
        assert torch.cat(moves).norm().item() == pytest.approx(norm, rel=1e-3)
