"""Trainings in threads of one process."""

import contextlib
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor, nn
from torch.optim import SGD

from gan_lightning.callbacks.interrupt import Interrupt
from gan_lightning.data.base import ImageDataModule
from gan_lightning.gan import GAN
from gan_lightning.loop import cuda_graph, manual_optimization
from gan_lightning.loop.cuda_graph import WARM_UP
from gan_lightning.networks import mlp
from gan_lightning.objectives import Hinge, LeastSquares, Minimax, NonSaturating, Objective, Switch
from gan_lightning.packing import pack
from gan_lightning.packing.pack import Pack
from gan_lightning.packing.stack import Stack

SHAPE = (1, 4, 4)


class Noise(ImageDataModule):
    """To train on: five alternations an epoch, the last of which has fewer images."""

    title, image_shape = "noise", SHAPE

    def load(self, train: bool) -> tuple[Tensor, Tensor]:
        images = torch.randint(0, 256, (18, *SHAPE), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
        return images, torch.zeros(len(images), dtype=torch.int64)


def gan(seed: int, objective: Objective, discriminator: type = mlp.Discriminator, **settings: Any) -> GAN:
    torch.manual_seed(seed)
    networks = mlp.Generator(SHAPE, 3, hidden_dims=[8]), discriminator(SHAPE, hidden_dim=8, maxout_dim=4, **settings)
    rates = (partial(SGD, lr=0.01 * (seed + 1)) for _ in range(2))
    return GAN(*networks, objective, *rates, discriminator_steps=2, seed=seed)


def train(
    made: dict[int, GAN],
    seed: int,
    make: Callable[[int], GAN],
    *callbacks: Callback,
    epochs: int = 2,
    accelerator: str = "cpu",
) -> None:
    """Train one, and put it among those that are made."""
    made[seed] = make(seed)
    Trainer(
        max_epochs=epochs,
        accelerator=accelerator,
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=any(isinstance(callback, Interrupt) for callback in callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
    ).fit(made[seed], Noise(batch_size=4))


def in_a_pack(*works: Callable[[], None]) -> None:
    Pack().run([(work, contextlib.nullcontext()) for work in works])


def assert_as_alone(packed: dict[int, GAN], make: Callable[[int], GAN], seeds: list[int], **settings: Any) -> None:
    for seed in seeds:
        other: dict[int, GAN] = {}
        train(other, seed, make, **settings)
        for name, tensor in other[seed].state_dict().items():
            torch.testing.assert_close(packed[seed].state_dict()[name], tensor, rtol=0, atol=1e-6)


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Of the stacks that are made."""
    found = []

    class Counted(Stack):
        def __init__(self, members: Any, streams: Any) -> None:
            found.append(len(members))
            super().__init__(members, streams)

    monkeypatch.setattr(pack, "Stack", Counted)
    return found


def test_trainings_are_what_they_are_alone(sizes: list[int]) -> None:
    def make(seed: int) -> GAN:
        return gan(seed, NonSaturating(), dropout=0.1 * seed)

    made: dict[int, GAN] = {}
    in_a_pack(*(partial(train, made, seed, make) for seed in range(3)))
    assert sizes == [3]
    assert_as_alone(made, make, [0, 1, 2])
    assert {weight.untyped_storage().nbytes() for weight in made[0].parameters()} == {
        weight.nbytes for weight in made[0].parameters()
    }


def test_a_pack_can_be_one_graph(sizes: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a GPU: a recording computes again what its function computed, on the same memory, when replayed."""
    recorded, replayed = [], []

    def capture(function: Callable[[], Any], generators: list[torch.Generator]) -> Callable[[], Any]:
        recorded.append(len(generators))

        def replay() -> Any:
            replayed.append(len(generators))
            return function()

        return replay

    def make(seed: int) -> GAN:
        return gan(seed, NonSaturating(), dropout=0.1 * seed)

    monkeypatch.setattr(cuda_graph, "warm_up", lambda function: function())
    monkeypatch.setattr(cuda_graph, "capture", capture)
    made: dict[int, GAN] = {}
    with monkeypatch.context() as patch:
        patch.setattr(manual_optimization, "why_not", lambda *_: None)  # against a graph
        in_a_pack(*(partial(train, made, seed, make) for seed in range(3)))
    assert sizes == recorded == [3]
    assert len(replayed) == 2 * 4 - WARM_UP
    assert_as_alone(made, make, [0, 1, 2])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_a_pack_is_one_graph(sizes: list[int]) -> None:
    def make(seed: int) -> GAN:
        return gan(seed, NonSaturating(), dropout=0.1 * seed)

    made: dict[int, GAN] = {}
    in_a_pack(*(partial(train, made, seed, make, epochs=4, accelerator="gpu") for seed in range(3)))
    assert sizes == [3]
    assert_as_alone(made, make, [0, 1, 2], epochs=4, accelerator="gpu")


def test_of_other_objectives_and_networks_are_other_stacks(sizes: list[int]) -> None:
    def make(seed: int) -> GAN:
        objective = LeastSquares() if seed > 2 else Switch(NonSaturating(), Minimax(), switch_epoch=[1, 1, 0][seed])
        return gan(seed, objective, negative_slope=0.1 if seed == 5 else 0.2)

    made: dict[int, GAN] = {}
    in_a_pack(*(partial(train, made, seed, make) for seed in range(6)))
    assert sizes == [2, 2, 3]  # before the switch, without the one that has been; beside them; after the switch
    assert_as_alone(made, make, [*range(6)])


def test_one_that_ends_early_or_fails_leaves_the_others_what_they_are() -> None:
    class Fail(Callback):
        def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *_: object) -> None:
            if pl_module.alternations == 3:
                raise ValueError("this one")

    def make(seed: int) -> GAN:
        return gan(seed, Hinge())

    def fails() -> None:
        with pytest.raises(ValueError, match="this one"):
            train(made, 2, make, Fail())

    made: dict[int, GAN] = {}
    in_a_pack(partial(train, made, 0, make, epochs=3), partial(train, made, 1, make, epochs=1), fails)
    assert_as_alone(made, make, [0], epochs=3)
    assert_as_alone(made, make, [1], epochs=1)


def test_a_thread_takes_another_one_in_the_place_of_one_that_has_ended(sizes: list[int]) -> None:
    def make(seed: int) -> GAN:
        return gan(seed, Hinge())

    def two() -> None:
        train(made, 1, make, epochs=1)
        train(made, 2, make, epochs=1)

    made: dict[int, GAN] = {}
    in_a_pack(partial(train, made, 0, make), two)
    assert sizes == [2, 2]
    assert_as_alone(made, make, [0])
    assert_as_alone(made, make, [1, 2], epochs=1)


class Dimmed(mlp.Discriminator):
    """What it is shown may change as training goes on."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.light = 1.0

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        return super().forward(images * self.light)


def dim(training: Any) -> None:
    training.discriminator.light = 0.3


def give_other_memory(training: Any) -> None:
    for weight in training.discriminator.parameters():
        weight.data = weight.data.clamp(-0.1, 0.1)


def freeze(training: Any) -> None:
    training.generator.layers[0].requires_grad_(False)


def exchange(training: Any) -> None:
    training.generator.layers[0].bias = nn.Parameter(torch.ones(8))


def step_more_often(training: Any) -> None:
    training.discriminator_steps = 3


def listen(training: Any) -> None:
    training.discriminator.register_forward_hook(lambda module, images, logits: logits / 2)


@pytest.mark.parametrize("change", [dim, give_other_memory, freeze, exchange, step_more_often, listen])
def test_what_callbacks_change_on_the_way_is_changed(change: Callable[[Any], None], sizes: list[int]) -> None:
    class Change(Callback):
        def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *_: object) -> None:
            if pl_module.alternations == 3:
                change(pl_module)

    def make(seed: int) -> GAN:
        return gan(seed, Hinge(), Dimmed)

    made: dict[int, GAN] = {}
    in_a_pack(partial(train, made, 0, make), *(partial(train, made, seed, make, Change()) for seed in (1, 2)))
    assert sizes[0] == 3
    assert_as_alone(made, make, [0])
    for seed in (1, 2):
        other: dict[int, GAN] = {}
        train(other, seed, make, Change())
        for name, tensor in other[seed].state_dict().items():
            torch.testing.assert_close(made[seed].state_dict()[name], tensor, rtol=0, atol=1e-6)


class Undecided(mlp.Discriminator):
    """Looks at the numbers to decide what to do."""

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        return super().forward(images if images.mean() > 0 else -images)


def test_what_cannot_be_packed_is_trained_one_after_the_other_and_a_line_says_why(
    sizes: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    def make(seed: int) -> GAN:
        return gan(seed, Hinge(), Undecided)

    made: dict[int, GAN] = {}
    with caplog.at_level(logging.INFO):
        in_a_pack(*(partial(train, made, seed, make) for seed in range(2)))
    (line,) = [record.message for record in caplog.records if "not packed" in record.message]
    assert line.startswith("2 jobs are trained one after the other, not packed: vmap: ")
    assert sizes == []
    assert_as_alone(made, make, [0, 1])


def test_what_does_not_fit_into_the_memory_is_halved(sizes: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    def rehearsal(members: Any, *_: object) -> None:
        if len(members) > 2:
            raise torch.OutOfMemoryError

    def make(seed: int) -> GAN:
        return gan(seed, Hinge())

    made: dict[int, GAN] = {}
    monkeypatch.setattr(pack, "rehearse", rehearsal)
    in_a_pack(*(partial(train, made, seed, make, epochs=1) for seed in range(4)))
    assert sizes == [2, 2]
    assert_as_alone(made, make, [0, 1, 2, 3], epochs=1)


def test_an_alternation_that_fails_fails_for_all_of_its_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the device is gone")

    def fails(seed: int) -> None:
        with pytest.raises(RuntimeError, match="the device is gone"):
            train({}, seed, lambda number: gan(number, Hinge()))
        failed.append(seed)

    failed: list[int] = []
    monkeypatch.setattr(Stack, "alternate", broken)
    monkeypatch.setattr(pack, "rehearse", lambda *_: None)
    in_a_pack(*(partial(fails, seed) for seed in range(2)))
    assert sorted(failed) == [0, 1]


def test_asked_to_stop_each_writes_a_checkpoint_and_ends(tmp_path: Path) -> None:
    class Stop(Callback):
        def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *_: object) -> None:
            if pl_module.alternations == 3:
                company.stop()

    def interrupted(seed: int) -> None:
        with pytest.raises(SystemExit):
            train({}, seed, lambda number: gan(number, Hinge()), Stop(), Interrupt(str(tmp_path / f"{seed}.ckpt")))

    company = Pack()
    company.run([(partial(interrupted, seed), contextlib.nullcontext()) for seed in range(2)])
    for seed in range(2):
        assert torch.load(tmp_path / f"{seed}.ckpt", weights_only=True)["alternations"] == 3


def test_a_checkpoint_of_a_member_holds_its_own_weights_alone(tmp_path: Path) -> None:
    def write(seed: int) -> None:
        class Write(Callback):
            def on_train_epoch_end(self, trainer: Trainer, pl_module: nn.Module) -> None:
                if trainer.current_epoch == 0:  # when they are still together
                    trainer.save_checkpoint(tmp_path / f"{seed}.ckpt")

        train({}, seed, lambda number: gan(number, Hinge()), Write())

    in_a_pack(*(partial(write, seed) for seed in range(3)))
    for tensor in torch.load(tmp_path / "0.ckpt", weights_only=True)["state_dict"].values():
        assert tensor.untyped_storage().nbytes() == tensor.nbytes
