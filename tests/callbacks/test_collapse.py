"""That a collapse is noticed, once, and by looking alone."""

import logging
import math
from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from conftest import PICTURED, SHORT, TWO_PROCESSES, Run, assert_same_weights, forks, weights
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor, nn

from gan_lightning.callbacks import collapse
from gan_lightning.callbacks.collapse import Collapse, Signs, nearest_distance
from gan_lightning.data.mnist5k import MNIST5k
from gan_lightning.data.pixels import from_uint8
from gan_lightning.loop.history import History
from gan_lightning.objectives import Hinge, Minimax, NonSaturating, Objective, RelativisticPairing, Switch
from gan_lightning.penalties import R1R2

HEALTHY, ALIKE, SATURATED = Signs(0.9, 0.7), Signs(0.1, 0.7), Signs(0.9, 0.999)


def test_the_nearest_of_the_others() -> None:
    points = torch.tensor([[0.0, 0.0], [3.0, 4.0], [3.0, 5.0]])
    assert nearest_distance(points).item() == pytest.approx((5 + 1 + 1) / 3)
    assert nearest_distance(torch.ones(4, 1, 2, 2)).item() == pytest.approx(0, abs=1e-6)
    assert nearest_distance(torch.ones(1, 1, 2, 2)).item() == math.inf


class Draws(nn.Module):
    """A generator that knows some images by heart."""

    latent_dim, conditional = 1, True

    def __init__(self, images: Tensor, of_a_class: bool = False) -> None:
        super().__init__()
        self.images = images
        self.of_a_class = of_a_class
        self.noise = nn.Dropout(0.5)

    def forward(self, latent: Tensor, labels: Tensor) -> Tensor:
        chosen = labels if self.of_a_class else torch.arange(len(latent)) % len(self.images)
        return self.noise(self.images[chosen])


def test_copies_of_a_few_images_or_of_one_a_class_are_no_variety() -> None:
    data = MNIST5k()
    data.setup("fit")
    images, labels = data.train_set.tensors  # type: ignore[union-attr]
    known = from_uint8(images)

    def variety(generator: nn.Module) -> float:
        gan = SimpleNamespace(generator=generator, device=torch.device("cpu"))
        before = torch.get_rng_state()
        found = Collapse()._variety_of(gan, data)
        assert torch.equal(torch.get_rng_state(), before)
        assert generator.training
        assert generator.noise.training  # type: ignore[union-attr]
        return found

    assert variety(Draws(known[1::13])) == pytest.approx(1, abs=0.1)  # others of the same kind
    assert variety(Draws(known[:1])) == pytest.approx(0, abs=1e-6)
    assert variety(Draws(known[:20])) == pytest.approx(0, abs=1e-6)
    first_of_each = torch.stack([known[labels == label][0] for label in range(10)])
    assert variety(Draws(first_of_each, of_a_class=True)) == pytest.approx(0, abs=1e-6)


def watched(
    monkeypatch: pytest.MonkeyPatch, signs: Iterator[Signs], objective: Objective | None = None, **settings: Any
) -> Any:
    """A callback that sees these signs, one an epoch, and a function that lets epochs pass."""
    callback = Collapse(**settings)
    monkeypatch.setattr(callback, "_look", lambda *_: next(signs))
    history = History()
    gan = SimpleNamespace(
        objective=objective or NonSaturating(), penalty=None, discriminator_steps=1, alternations=0, history=history
    )
    trainer = SimpleNamespace(
        current_epoch=0,
        loggers=[],
        is_global_zero=True,
        should_stop=False,
        strategy=SimpleNamespace(broadcast=lambda value: value),
    )
    callback.setup(trainer, gan, "fit")  # type: ignore[arg-type]

    def pass_epochs(number: int) -> None:
        for _ in range(number):
            gan.alternations += 1000
            callback.on_train_epoch_end(trainer, gan)  # type: ignore[arg-type]
            trainer.current_epoch += 1

    return SimpleNamespace(callback=callback, gan=gan, trainer=trainer, pass_epochs=pass_epochs, history=history)


@pytest.mark.parametrize(
    ("sign", "said"),
    [
        (ALIKE, "samples differ 0.1 times as much as training images, for 3 epochs; what usually helps: "),
        (SATURATED, "the discriminator tells 99.9% of all images apart, for 3 epochs; what usually helps: "),
    ],
)
def test_it_is_said_once_and_nothing_of_it_in_a_healthy_run(
    sign: Signs, said: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    game = watched(monkeypatch, chain([sign, sign, HEALTHY] * 3, repeat(sign)), epochs=3)
    game.pass_epochs(9)
    assert not caplog.records
    game.pass_epochs(6)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith(f"epoch 12: {said}")
    assert not game.trainer.should_stop


def test_a_generator_is_young_at_first(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(collapse, "YOUNG", 8000)
    game = watched(monkeypatch, repeat(ALIKE))
    game.pass_epochs(7)
    assert not caplog.records
    game.pass_epochs(1)
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("objective", "penalty", "sign", "cures"),
    [
        (
            Switch(NonSaturating(), Minimax(), 1), None, ALIKE,
            "objective.switch_epoch=null, objective=rpgan penalty=r1_r2",
        ),
        (Switch(NonSaturating(), Minimax(), 9), None, ALIKE, "objective=rpgan penalty=r1_r2"),
        (Minimax(), None, ALIKE, "objective=non_saturating, objective=rpgan penalty=r1_r2"),
        (Hinge(), None, ALIKE, "objective=rpgan penalty=r1_r2"),
        (RelativisticPairing(), R1R2(), ALIKE, "a stronger penalty"),
        (
            NonSaturating(), R1R2(), SATURATED,
            "objective=rpgan penalty=r1_r2, a lower optimizer.discriminator.lr, gan.discriminator_steps=1",
        ),
    ],
)  # fmt: skip
def test_what_helps_depends_on_what_is_the_case(
    objective: Objective,
    penalty: Any,
    sign: Signs,
    cures: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    game = watched(monkeypatch, repeat(sign), objective)
    game.gan.penalty, game.gan.discriminator_steps = penalty, 5
    game.pass_epochs(5)
    assert caplog.records[0].getMessage().endswith(f"helps: {cures}")


def test_its_state_goes_into_a_checkpoint_and_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    before = watched(monkeypatch, repeat(ALIKE))
    before.pass_epochs(4)
    for said in (1, 0):
        after = watched(monkeypatch, repeat(ALIKE))
        after.callback.load_state_dict(before.callback.state_dict())
        after.trainer.current_epoch = 4 + (1 - said)
        after.pass_epochs(1)
        assert len(caplog.records) == said
        caplog.clear()
        before = after


@pytest.mark.parametrize("key", ["epochs", "num_samples", "seed", "stop"])
def test_refuses_what_is_no_setting(key: str) -> None:
    with pytest.raises(ValueError, match=f"{key} must be"):
        Collapse(**{key: "x"})  # type: ignore[arg-type]


@pytest.fixture
def touchy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is drawn is not enough."""
    monkeypatch.setattr(collapse, "YOUNG", 0)
    monkeypatch.setattr(collapse, "LEAST_VARIETY", 1e9)


@pytest.mark.slow
@pytest.mark.usefixtures("touchy")
def test_the_trained_weights_are_the_same_with_it_and_without(run: Run, whole: Path) -> None:
    assert run(*SHORT, "trainer.max_epochs=3", "callbacks.collapse=null").exit_code == 0
    assert_same_weights(weights("run/checkpoints/last.ckpt"), weights(whole / "checkpoints/last.ckpt"))


@pytest.mark.slow
@pytest.mark.usefixtures("touchy")
def test_a_run_that_is_stopped_ends_cleanly_and_can_go_on(run: Run, whole: Path) -> None:
    words = (*PICTURED, "callbacks.collapse.stop=true", "callbacks.collapse.epochs=2", "trainer.max_epochs=3")
    outcome = run(*words, "trainer.max_time=00:08:00:00")
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.stdout.count("what usually helps") == 1
    assert "training ends here, as callbacks.collapse.stop says" in Path("run/train.log").read_text()
    assert "max_time" not in outcome.stdout
    assert Path("run/real_and_fake.png").exists()
    assert not Path("run/metrics.json").exists()
    scalars = EventAccumulator("run").Reload().Scalars("collapse/variety")
    assert [event.step for event in scalars] == [5, 10]
    assert all(0 < event.value < 10 for event in scalars)
    again = run(*words, "ckpt_path=auto")
    assert again.exit_code == 0, again.stderr
    assert "what usually helps" not in again.stdout
    assert_same_weights(weights("run/checkpoints/last.ckpt"), weights(whole / "checkpoints/last.ckpt"))


@pytest.mark.slow
@forks
@pytest.mark.usefixtures("touchy")
def test_two_processes_stop_together(run: Run) -> None:
    stop = ("callbacks.collapse.stop=true", "callbacks.collapse.epochs=1", "trainer.max_epochs=3")
    outcome = run(*SHORT, *stop, *TWO_PROCESSES)
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.stdout.count("what usually helps") == 1
    assert torch.load("run/checkpoints/last.ckpt", weights_only=True)["alternations"] == 3
