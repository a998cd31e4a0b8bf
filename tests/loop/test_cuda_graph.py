"""What decides whether a step is replayed, without a GPU: the recording itself is played by a stand-in."""

import logging
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from conftest import SHORT, Run, assert_same_weights, weights
from lightning.pytorch import Callback
from test_gan import LATENT_DIM, SHAPE, RandomImages, fit, make_gan, normalised_networks, plain_networks
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.optim import SGD, Adadelta, Adam, RAdam
from torch.optim.lr_scheduler import ExponentialLR

from gan_lightning.adam import Adam as OwnAdam
from gan_lightning.augmentation import DiffAugment
from gan_lightning.averaging import ExponentialMovingAverage
from gan_lightning.loop import cuda_graph, manual_optimization
from gan_lightning.loop.cuda_graph import WARM_UP, Graphed, why_not
from gan_lightning.objectives import Minimax, NonSaturating, Objective, RelativisticPairing, Switch
from gan_lightning.penalties import R1R2, GradientPenalty
from gan_lightning.schedules import Cosine

Step = Callable[[], dict[str, Tensor]]
SWITCH = Switch(NonSaturating(), Minimax(), 1)


class Recordings:
    """In place of CUDA's: a recording computes again what its function computed, on the same memory, when replayed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.warm_ups = 0
        self.captures = 0
        self.replays = 0
        self.generators: list[torch.Generator] = []
        monkeypatch.setattr(cuda_graph, "warm_up", self.warm_up)
        monkeypatch.setattr(cuda_graph, "capture", self.capture)

    def warm_up(self, function: Step) -> dict[str, Tensor]:
        self.warm_ups += 1
        return function()

    def capture(self, function: Step, generators: Sequence[torch.Generator]) -> Step:
        self.captures += 1
        self.generators += generators
        result: dict[str, Tensor] = {}

        def replay() -> dict[str, Tensor]:
            self.replays += 1
            for name, now in function().items():
                result.setdefault(name, now).copy_(now)  # a replay writes where the recording wrote
            return result

        return replay


@pytest.fixture
def recordings(monkeypatch: pytest.MonkeyPatch) -> Recordings:
    return Recordings(monkeypatch)


def total(batch: tuple[Tensor, ...], mode: Hashable) -> dict[str, Tensor]:
    (images,) = batch
    return {"total": images.sum() * (2 if mode else 1)}


def run_once(graphed: Graphed, images: Tensor, mode: Hashable) -> float:
    return graphed((images,), mode)["total"].item()


def test_warms_up_then_replays_what_it_recorded_once(recordings: Recordings) -> None:
    graphed = Graphed(total, [])
    batches = [torch.full((4,), float(value)) for value in range(10)]
    results = [run_once(graphed, batch, None) for batch in batches]
    assert results == [4.0 * value for value in range(10)]
    assert (recordings.warm_ups, recordings.captures, recordings.replays) == (WARM_UP, 1, 10 - WARM_UP)


def test_another_mode_is_recorded_anew(recordings: Recordings) -> None:
    graphed = Graphed(total, [])
    results = [run_once(graphed, torch.ones(4), mode) for mode in [False] * 5 + [True] * 5]
    assert results == [4.0] * 5 + [8.0] * 5
    assert (recordings.warm_ups, recordings.captures, recordings.replays) == (2 * WARM_UP, 2, 10 - 2 * WARM_UP)


def test_a_smaller_batch_that_comes_first_does_not_decide_the_shape(recordings: Recordings) -> None:
    """As where a resumed run begins with the last batch of an epoch."""
    graphed = Graphed(total, [])
    assert [run_once(graphed, torch.ones(size), None) for size in (3, 4, 4, 4, 4, 4, 3)] == [3, 4, 4, 4, 4, 4, 3]
    assert (recordings.captures, recordings.replays) == (1, 5 - WARM_UP)


def test_another_shape_is_run_eagerly_and_said_once(recordings: Recordings, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    graphed = Graphed(total, [])
    for _ in range(3):
        for size in (4, 4, 4, 3):
            assert run_once(graphed, torch.ones(size), None) == size
    assert (recordings.captures, recordings.replays) == (1, 9 - WARM_UP)
    assert caplog.messages == ["a batch of another shape, (3,), not (4,), is run eagerly, not as a CUDA graph"]


def test_what_cannot_be_recorded_is_run_eagerly_and_said_once(
    recordings: Recordings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: Any) -> Any:
        try:
            raise RuntimeError("operation not permitted when stream is capturing\nmore of it")
        finally:
            raise RuntimeError("operation failed due to a previous error during capture")

    monkeypatch.setattr(cuda_graph, "capture", refuse)
    graphed = Graphed(total, [])
    assert [run_once(graphed, torch.ones(4), None) for _ in range(6)] == [4.0] * 6
    assert caplog.messages == [
        "the step cannot be a CUDA graph, and is run eagerly: operation not permitted when stream is capturing"
    ]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({}, None),
        ({"optimizer": partial(Adam, lr=1e-3, fused=True)}, None),
        ({"optimizer": partial(RAdam, lr=1e-3)}, None),
        ({"penalty": R1R2()}, None),
        ({"optimizer": partial(Adam, lr=Cosine(1e-3, 1e-4, 100), fused=True)}, None),
        (
            {"optimizer": partial(SGD, lr=Cosine(0.1, 0.01, 100))},
            "SGD's settings that follow a schedule cannot be captured",
        ),
        ({"scheduler": partial(ExponentialLR, gamma=0.5)}, "a schedule changes the learning rates after each update"),
        ({"optimizer": torch.optim.Rprop}, None),
        ({"optimizer": torch.optim.Adafactor}, "Adafactor's steps cannot be captured"),
        ({"optimizer": Adadelta}, None),
    ],
)
def test_says_why_a_gan_is_trained_without_a_graph(settings: dict[str, Any], reason: str | None) -> None:
    gan = make_gan(**settings)
    fit(gan, RandomImages())
    both = (gan.of_generator, gan.of_discriminator)
    assert why_not(torch.device("cpu"), 1, both) == "the device is cpu"
    assert why_not(torch.device("cuda"), 1, both) == reason
    assert why_not(torch.device("cuda"), 2, both) == "2 devices share their gradients"


def on_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a GAN find no reason against a graph, on the CPU."""
    monkeypatch.setattr(manual_optimization, "why_not", lambda *_: None)


@pytest.mark.parametrize("optimizer", [partial(SGD, lr=0.1), partial(Adam, lr=1e-3, fused=True)], ids=["sgd", "adam"])
@pytest.mark.parametrize("simultaneous", [False, True])
@pytest.mark.parametrize(("k", "discriminator_batches"), [(1, "reuse"), (3, "reuse"), (3, "fresh")])
def test_replayed_training_gives_the_weights_of_eager_training(
    k: int,
    simultaneous: bool,
    discriminator_batches: str,
    optimizer: Any,
    recordings: Recordings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trained = []
    for graphed in (False, True):
        if graphed:
            on_gpu(monkeypatch)
        gan = make_gan(
            optimizer=optimizer,
            objective=SWITCH,
            discriminator_steps=k,
            discriminator_batches=discriminator_batches,
            simultaneous=simultaneous,
            cuda_graph=graphed,
        )
        fit(gan, RandomImages(alternations=5, batches_per_alternation=gan.batches_per_alternation), epochs=2)
        trained.append(gan.state_dict())
    assert_same_weights(*trained)
    assert (recordings.captures, recordings.replays) == (2, 10 - 2 * WARM_UP)  # anew after the switch
    assert recordings.generators == [gan.randomness.latent()] * 2


def test_schedules_change_tensors_and_nothing_is_recorded_anew(
    recordings: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained, places = [], set()
    for graphed in (False, True):
        if graphed:
            on_gpu(monkeypatch)
        gan = make_gan(
            optimizer=partial(OwnAdam, lr=Cosine(1e-2, 1e-3, 60), betas=[0.0, Cosine(0.9, 0.99, 60)], eps=1e-3),
            objective=RelativisticPairing(),
            penalty=R1R2(Cosine(1.0, 0.1, 60)),
            augmentation=DiffAugment(),
            ema=ExponentialMovingAverage(Cosine(0, 30, 60)),
            cuda_graph=graphed,
        )

        class Places(Callback):
            def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: object) -> None:
                (group,) = trainer.optimizers[0].param_groups
                if isinstance(group["lr"], Tensor):
                    tensors = (group["lr"], group["betas"][1], gan.penalty.gamma.value, gan.ema._share)  # noqa: B023
                    places.add(tuple(tensor.data_ptr() for tensor in tensors))

        fit(gan, RandomImages(alternations=6), epochs=2, callbacks=[Places()])
        trained.append(gan.state_dict())
    assert (recordings.captures, recordings.replays) == (1, 12 - WARM_UP)
    assert len(places) == 1
    for name, weight in trained[0].items():
        torch.testing.assert_close(trained[1][name], weight, rtol=1e-5, atol=1e-6)


def decaying() -> R1R2:
    return R1R2(Cosine(1.0, 0.1, 60))


EVERY_WAY = product([False, True], ["reuse", "fresh"], [plain_networks, normalised_networks])


@pytest.mark.parametrize(
    ("objective", "penalty", "simultaneous", "discriminator_batches", "networks"),
    [
        *((SWITCH, decaying, *way) for way in EVERY_WAY),
        (SWITCH, lambda: None, False, "reuse", plain_networks),
        *((RelativisticPairing(), GradientPenalty, way, "fresh", normalised_networks) for way in (False, True)),
        *((RelativisticPairing(), lambda: None, way, "reuse", plain_networks) for way in (False, True)),
    ],
)
def test_an_alternation_never_waits_for_a_number(
    objective: Objective,
    penalty: Any,
    simultaneous: bool,
    discriminator_batches: str,
    networks: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On tensors without values, whatever asks for a value raises: a GPU would have been waited for."""
    # What has no values cannot be copied, but made anew.
    monkeypatch.setattr(
        ExponentialMovingAverage,
        "begin_at",
        lambda self, _: setattr(self, "network", networks()[0].requires_grad_(False)),
    )
    with FakeTensorMode():
        gan = make_gan(
            networks,
            partial(Adam, lr=1e-3, fused=True) if penalty() is None else partial(OwnAdam, lr=1e-3),
            objective=objective,
            penalty=penalty(),
            augmentation=None if penalty() is None else DiffAugment(),
            ema=ExponentialMovingAverage(100),
            discriminator_steps=2,
            discriminator_batches=discriminator_batches,
            simultaneous=simultaneous,
            generator_clip_norm=1.0,
            discriminator_clip_norm=1.0,
        )
        gan._trainer = SimpleNamespace(world_size=1, global_rank=0, strategy=SimpleNamespace(global_rank=0))
        batch = torch.zeros(12, *SHAPE), torch.zeros(12, dtype=torch.int64)
        for epoch in (0, 1):
            gan.follow_schedules()
            gan.ema.set_at(12 * (epoch + 1), 12)
            statistics = gan.alternate(batch, objective.in_epoch(epoch))
            assert {value.shape for value in statistics.values()} == {()}
        with pytest.raises(DataDependentOutputException):
            gan.discriminator(torch.zeros(2, *SHAPE)).sum().item()


def test_optimizers_are_told_that_they_are_captured(recordings: Recordings, monkeypatch: pytest.MonkeyPatch) -> None:
    captured = []

    class Watched(Adam):
        def step(self, closure: Any = None) -> None:
            captured.append(self.param_groups[0]["capturable"])
            super().step()

    fit(make_gan(optimizer=partial(Watched, lr=1e-3, fused=True)), RandomImages())
    on_gpu(monkeypatch)
    fit(make_gan(optimizer=partial(Watched, lr=1e-3, fused=True)), RandomImages())
    assert captured == 6 * [False] + 6 * [True]


def test_on_a_cpu_nobody_misses_a_graph(run: Run) -> None:
    assert "eager" not in run(*SHORT, "trainer=smoke").stdout


@pytest.mark.slow
@pytest.mark.parametrize("graphed", [False, True])
def test_a_resumed_run_equals_an_uninterrupted_one(
    graphed: bool, run: Run, recordings: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    if graphed:
        on_gpu(monkeypatch)
    common = (*SHORT, "gan.alternations_per_step=2", "model.discriminator.dropout=0.3")
    assert run(*common, "trainer.max_epochs=3", "output_dir=whole").exit_code == 0
    assert run(*common, "trainer.max_epochs=1", "output_dir=parts").exit_code == 0
    again = run(*common, "trainer.max_epochs=3", "output_dir=parts", "ckpt_path=parts/checkpoints/last.ckpt")
    assert again.exit_code == 0, again.stderr
    assert (recordings.replays > 0) == graphed
    assert_same_weights(weights("whole/checkpoints/last.ckpt"), weights("parts/checkpoints/last.ckpt"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("optimizer", [partial(SGD, lr=0.1), partial(Adam, lr=1e-3, fused=True)], ids=["sgd", "adam"])
def test_on_a_gpu_a_graph_gives_the_weights_of_eager_training(optimizer: Any) -> None:
    trained = []
    for graphed in (False, True):
        gan = make_gan(plain_networks, optimizer, objective=SWITCH, cuda_graph=graphed, alternations_per_step=3)
        data = RandomImages(alternations=8)
        data.num_images += 2  # the last batch is smaller
        fit(gan, data, epochs=2, accelerator="gpu")
        trained.append(gan.cpu().state_dict())
    for name, weight in trained[0].items():
        torch.testing.assert_close(trained[1][name], weight, rtol=1e-4, atol=1e-6)
    assert gan.generator(torch.zeros(2, LATENT_DIM)).shape == (2, *SHAPE)
