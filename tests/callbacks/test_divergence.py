"""That a training whose numbers are none any more ends, says where, and keeps what was good."""

import json
import logging
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from conftest import SHORT, TWO_PROCESSES, Run, assert_same_weights, forks, weights
from torch import nn
from torch.multiprocessing import ProcessRaisedException

from gan_lightning import sample
from gan_lightning.callbacks.divergence import Divergence
from gan_lightning.errors import TrainingDivergedError
from gan_lightning.loop.history import History
from gan_lightning.sweeps.status import read_status

BLOWS_UP = ("optimizer=goodfellow_sgd", "optimizer.lr=1e38", "trainer.max_epochs=2")


class Constant(nn.Module):
    """Draws one image, of its only weight."""

    latent_dim = 2

    def __init__(self, value: float = 0.5) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        return self.value.expand(len(latent), 1, 2, 2)


class Squared(Constant):
    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        return super().forward(latent) ** 2 / 1e30


@pytest.fixture
def game() -> Any:
    """A callback, and what it looks at."""
    gan = SimpleNamespace(
        generator=Constant(), discriminator=Constant(), history=History(), alternations=1234,
        device=torch.device("cpu"), penalty=None,
    )  # fmt: skip
    for player in ("generator", "discriminator"):
        optimizer = torch.optim.SGD(getattr(gan, player).parameters(), lr=0.1, momentum=0.9)
        setattr(gan, f"of_{player}", SimpleNamespace(optimizer=optimizer))
    trainer = SimpleNamespace(
        current_epoch=2, is_global_zero=True, strategy=SimpleNamespace(broadcast=lambda value: value)
    )

    def point(generator_loss: float = 1.0, discriminator_loss: float = 1.0) -> None:
        gan.history.points.append({"generator_loss": generator_loss, "discriminator_loss": discriminator_loss})
        callback.on_train_batch_end(trainer, gan, None, None, 0)  # type: ignore[arg-type]

    def end_epoch() -> None:
        callback.on_train_epoch_end(trainer, gan)  # type: ignore[arg-type]

    callback = Divergence("last.ckpt")
    return SimpleNamespace(callback=callback, gan=gan, point=point, end_epoch=end_epoch)


def test_nothing_is_said_of_a_healthy_game(game: Any, caplog: pytest.LogCaptureFixture) -> None:
    game.point(-900.0, 3000.0)
    game.end_epoch()
    assert not caplog.records
    assert not game.callback.diverged


@pytest.mark.parametrize("loss", ["generator_loss", "discriminator_loss"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_ends_the_training(game: Any, loss: str, value: float) -> None:
    game.point()
    said = f"epoch 3, alternation 1,234: the {loss.split('_')[0]}'s loss is {value}, the training has diverged; what"
    with pytest.raises(TrainingDivergedError, match=said) as ending:
        game.point(**{loss: value})
    assert "there is no checkpoint from before" in str(ending.value)
    assert "penalty=r1_r2" in str(ending.value)
    assert ending.value.exit_code == 3


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_so_do_weights(game: Any, player: str) -> None:
    getattr(game.gan, player).value.data.fill_(math.nan)
    with pytest.raises(TrainingDivergedError, match=f"weights of the {player} are no finite numbers"):
        game.end_epoch()


def test_so_do_moments_and_a_buffer_may_be_infinite(game: Any) -> None:
    game.gan.generator.register_buffer("mask", torch.tensor(-math.inf))  # as that of attention to what came before
    game.end_epoch()
    game.gan.generator.value.grad = torch.tensor(math.inf)
    game.gan.of_generator.optimizer.step()
    game.gan.generator.value.data.fill_(0)
    with pytest.raises(TrainingDivergedError, match="moments of the optimizer of the generator are no finite numbers"):
        game.end_epoch()


def test_and_images_of_finite_weights(game: Any) -> None:
    game.gan.generator = Squared(1e38)
    with pytest.raises(TrainingDivergedError, match="the generator's images are no finite numbers"):
        game.end_epoch()


def test_if_it_is_to_go_on_a_line_is_all(game: Any, caplog: pytest.LogCaptureFixture) -> None:
    game.callback.stop = False
    for _ in range(2):
        game.point(math.nan)
        game.end_epoch()
    (record,) = caplog.records
    assert "the generator's loss is nan, the training has diverged" in record.getMessage()
    assert game.callback.diverged
    again = Divergence("last.ckpt", stop=False)
    again.load_state_dict(game.callback.state_dict())
    assert again.diverged


def test_an_absurd_loss_gets_a_line_once(game: Any, caplog: pytest.LogCaptureFixture) -> None:
    game.point(discriminator_loss=4e11)
    game.point(discriminator_loss=-5e11)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "epoch 3, alternation 1,234: the discriminator's loss is 4e+11" in record.getMessage()


def test_refuses_what_is_no_setting() -> None:
    with pytest.raises(ValueError, match="stop must be"):
        Divergence("last.ckpt", stop="x")  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_run_that_diverges_names_its_last_good_checkpoint(run: Run) -> None:
    assert run(*SHORT, "optimizer=goodfellow_sgd", "trainer.max_epochs=1").exit_code == 0
    checkpoint = torch.load("run/checkpoints/last.ckpt", weights_only=True)
    before = {name: value.clone() for name, value in checkpoint["state_dict"].items()}
    for state in checkpoint["optimizer_states"]:
        for moments in state["state"].values():
            moments["momentum_buffer"].fill_(3e38)
    torch.save(checkpoint, "run/checkpoints/last.ckpt")
    outcome = run(*SHORT, "optimizer=goodfellow_sgd", "trainer.max_epochs=4", "ckpt_path=auto")
    assert outcome.exit_code == 3, outcome.stderr
    (line,) = outcome.stderr.splitlines()[-1:]
    assert line.startswith("error: epoch 2, alternation ")
    assert "the training has diverged" in line
    assert line.endswith("the last good checkpoint is run/checkpoints/last.ckpt")
    assert "Traceback" not in outcome.stderr
    after = torch.load("run/checkpoints/last.ckpt", weights_only=True)["state_dict"]
    assert_same_weights(after, before)
    assert run("ckpt=run", "output=a.png", entry_point=sample).exit_code == 0


@pytest.mark.slow
def test_one_that_goes_on_all_the_same_writes_no_checkpoint_of_it(run: Run) -> None:
    outcome = run(*SHORT, *BLOWS_UP, "callbacks.divergence.stop=false")
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.stdout.count("the training has diverged") == 1
    assert outcome.stdout.count("last.ckpt is not written: ") == 2
    assert not list(Path("run").rglob("*.ckpt"))
    assert json.loads(Path("run/metrics.json").read_text())["generator_loss"] is None


@pytest.mark.slow
@forks
def test_two_processes_diverge_together(run: Run) -> None:
    with pytest.raises(
        ProcessRaisedException, match=r"errors\.TrainingDivergedError: epoch 1, .* the training has diverged"
    ):
        run(*SHORT, *BLOWS_UP, *TWO_PROCESSES)


@pytest.mark.slow
def test_a_job_that_diverges_is_not_tried_again(run: Run) -> None:
    words = ("-m", *SHORT[:-1], *BLOWS_UP[:1], "optimizer.lr=0.1,1e38", "trainer.max_epochs=2", "output_dir=sweep")
    for _ in range(2):
        outcome = run(*words, "hydra/launcher=basic")
        assert outcome.exit_code == 0, outcome.stderr
        assert "2 jobs, 1 completed, 1 diverged" in outcome.stdout
        (folder,) = Path("sweep").glob("optimizer.lr-1e_38*")
        status = read_status(folder)
        assert status["state"] == "diverged"
        assert "the training has diverged" in status["error"]
    assert "began" not in outcome.stdout
    assert "diverged" in Path("sweep/report/index.html").read_text()


def test_weights_of_a_diverged_training_draw_nothing(run: Run, whole: Path) -> None:
    checkpoint = torch.load(whole / "checkpoints/last.ckpt", weights_only=True)
    next(iter(checkpoint["state_dict"].values())).fill_(math.nan)
    torch.save(checkpoint, "nan.ckpt")
    outcome = run("ckpt=nan.ckpt", entry_point=sample)
    assert outcome.exit_code == 1
    assert "nan.ckpt: generator.layers.0.weight holds NaN or infinity: that training has diverged" in outcome.stderr
    assert weights("nan.ckpt")
    assert not Path("samples.png").exists()
