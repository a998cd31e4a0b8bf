"""The laboratory from Python: the same as on the command line, and what a page shows of it."""

import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import SHORT, Run, assert_same_weights, trained_once, weights
from torch import Tensor

from gan_lightning import fit, measure
from gan_lightning.data.mnist5k import MNIST5k
from gan_lightning.errors import TrainingDivergedError, UserError
from gan_lightning.features import classifier
from gan_lightning.loading import TrainedGenerator
from gan_lightning.measures.metrics import METRICS
from gan_lightning.networks import mlp

ROOT = Path(__file__).parents[1]
SETTINGS: dict[str, Any] = {
    "dataset": "mnist5k",
    "dataset.num_train_images": 40,
    "dataset.batch_size": 8,
    "model.generator.hidden_dims": [16],
    "model.discriminator.hidden_dim": 16,
    "model.discriminator.maxout_dim": 8,
    "callbacks.samples.num_samples": 4,
    "callbacks.loss_curves": None,
    "callbacks.real_and_fake": None,
    "callbacks.training_gif": None,
    "trainer.log_every_n_steps": 2,
    "trainer.accelerator": "cpu",
    "trainer.max_epochs": 1,
}


def digits(number: int) -> Tensor:
    """A generator that cheats."""
    return MNIST5k().split(train=False)[0][-number:]


def test_a_training_is_that_of_the_command_line(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = list(logging.getLogger().handlers)
    training = fit({**SETTINGS, "output_dir": Path("my own, ünique")})
    assert logging.getLogger().handlers == before
    assert training.folder == tmp_path / "my own, ünique"
    assert training.metrics["epochs"] == 1
    assert training.metrics["alternations"] == 5
    typed = trained_once(shared / "finished", *SHORT, "trainer.max_epochs=1")
    assert_same_weights(
        weights(typed / "checkpoints" / "last.ckpt"), weights(training.folder / "checkpoints" / "last.ckpt")
    )
    assert [step for step, _ in training.curves["loss/generator"]] == [2, 4, 5]
    monkeypatch.chdir("/")
    drawn = training.generator(torch.randn(3, 100))
    assert drawn.shape == (3, 1, 28, 28)
    assert not training.generator.training


def test_options_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    option = tmp_path / "mine" / "objective" / "squares.yaml"
    option.parent.mkdir(parents=True)
    option.write_text("_target_: gan_lightning.objectives.LeastSquares\n")
    training = fit({**SETTINGS, "objective": "squares", "output_dir": "run"}, config_dir="mine")
    assert "score_gap" in training.metrics


@pytest.mark.parametrize(
    ("settings", "right"),
    [
        ({"dataset": "mnist6k"}, "did you mean mnist5k"),
        ({"dataset": None}, "there is cifar10"),
        ({"optimiser.lr": 1}, "did you mean optimizer.lr"),
        ({"optimizer.lr": -1}, "optimizer.lr .* at least 0"),
        ({"hparams_search": "optuna"}, "fit trains one GAN"),
    ],
)
def test_refusals_are_raised_as_one_line(
    settings: dict[str, Any], right: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=right) as refusal:
        fit(settings)
    assert len(str(refusal.value).splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_training_that_diverges_and_one_that_is_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TrainingDivergedError):
        fit({**SETTINGS, "optimizer": "goodfellow_sgd", "optimizer.lr": 1e38})
    with pytest.raises(KeyboardInterrupt):
        fit({**SETTINGS, "+callbacks.plug": {"_target_": "plugs.Signal", "after": 3}, "output_dir": "run"})
    assert torch.load("run/checkpoints/last.ckpt", weights_only=True)["alternations"] == 3


def test_images_in_whatever_form_have_the_same_figures() -> None:
    forms = (
        digits,
        lambda number: digits(number) / 127.5 - 1,
        lambda number: (digits(number) / 127.5 - 1).double().numpy(),
    )
    few = ["memorisation"]
    bytes_, *others = (measure(form, "mnist5k", num_samples=200, measures=few) for form in forms)
    assert bytes_.metrics.keys() == bytes_.floor.keys() <= METRICS.keys()
    assert all(other == bytes_ for other in others)
    assert bytes_.metrics["memorisation"] == pytest.approx(bytes_.floor["memorisation"], abs=0.2)
    assert bytes_.protocol == {"dataset": "MNIST5k", "images": {"generated": 200, "held_out": 200, "floor": 200}}
    noise = measure(lambda number: torch.rand(number, 1, 28, 28), "mnist5k", num_samples=200, measures=few)
    assert noise.floor == bytes_.floor
    assert noise.metrics["memorisation"] > 2


@pytest.mark.parametrize("conditional", [False, True])
def test_a_trained_generator_is_measured_as_the_function_that_draws_the_same(conditional: bool) -> None:
    network = mlp.Generator((1, 28, 28), latent_dim=5, hidden_dims=[6], conditional=conditional, num_classes=10)
    generator = TrainedGenerator(network, (1, 28, 28), 10)

    def drawn(asked: Any) -> Tensor:
        latent = generator.sample_latent(200, torch.Generator().manual_seed(0))
        return generator(latent, asked) if conditional else generator(latent)

    few = ["memorisation"]
    measured = measure(generator, "mnist5k", 200, few)
    assert measured == measure(drawn, "mnist5k", 200, few, conditional=conditional)
    shown = f"| {measured.metrics['memorisation']:.4g} | {measured.floor['memorisation']:.4g} |"
    assert shown in measured._repr_markdown_()


def test_a_conditional_generator_is_told_the_classes(classifiers: Path) -> None:
    data = MNIST5k(data_dir=str(classifiers))
    images, labels = data.split(train=False)

    def of_classes(asked: Tensor) -> Tensor:
        taken = dict.fromkeys(range(10), 0)
        chosen = []
        for label in asked.tolist():
            chosen.append(images[labels == label][taken[label]])
            taken[label] += 1
        return torch.stack(chosen)

    found = measure(of_classes, data, num_samples=200, measures=["classes"], conditional=True)
    assert found.metrics["class_accuracy"] > 0.8
    assert found.protocol["features"]["name"] == "classifier"
    mixed = measure(lambda asked: of_classes(asked).roll(1, 0), data, 200, ["classes"], conditional=True)
    assert mixed.metrics["class_accuracy"] < 0.2


@pytest.mark.parametrize(
    ("generate", "settings", "right"),
    [
        (digits, {"dataset": "mnist6k"}, "did you mean mnist5k"),
        (digits, {"dataset": {"dataset": "mnist5k", "dataset.batch_size": 0}}, "dataset.batch_size must be"),
        (digits, {"measures": ["fid"]}, "there is parzen"),
        (digits, {"measures": ["equilibrium"]}, "of a discriminator"),
        (digits, {"num_samples": 0}, "num_samples must be"),
        (lambda number: np.zeros((number, 28, 28)), {}, r"should give images \(200, 1, 28, 28\)"),
        (lambda number: digits(number).float(), {}, r"in \[-1, 1\], or bytes"),
        (lambda number: digits(number) * float("nan"), {}, "NaN"),
    ],
)
def test_refusals_of_a_measurement(generate: Any, settings: dict[str, Any], right: str) -> None:
    with pytest.raises(UserError, match=right):
        measure(generate, **{"dataset": "mnist5k", "num_samples": 200, "measures": ["memorisation"], **settings})


@pytest.mark.slow
def test_what_the_page_shows_runs(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one namespace, in the order given, shortened; `run` for its empty folder."""
    monkeypatch.setattr(classifier, "MIN_STEPS", 1)
    monkeypatch.setattr(classifier, "MAX_STEPS", 20)
    section = (ROOT / "conf" / "README.md").read_text().partition("## From Python")[2].partition("\n## ")[0]
    blocks = re.findall(r"```python\n(.*?)```", section, re.S)
    assert len(blocks) >= 2
    names: dict[str, Any] = {}
    for block in blocks:
        exec(
            block.replace('"trainer.max_epochs": 1', '"trainer.max_epochs": 1, "trainer.limit_train_batches": 2'), names
        )
    assert Path("outputs/from_python/metrics.json").exists()
