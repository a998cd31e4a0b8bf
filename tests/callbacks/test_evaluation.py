"""Evaluation during training: it changes nothing, and what it finds is kept."""

import json
import math
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from conftest import SHORT, Run, assert_same_weights, weights
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan_lightning.callbacks.evaluation import Evaluation, _shared
from gan_lightning.evaluation import METRICS
from gan_lightning.objectives import NonSaturating

EVALUATION = (
    "callbacks=evaluation",
    "callbacks.evaluation.every_n_epochs=2",
    "callbacks.evaluation.num_samples=200",
    "callbacks.evaluation.metrics=null",
)


@pytest.fixture
def short(classifiers: Path) -> tuple[str, ...]:
    return (*SHORT, f"data_dir={classifiers}")


def test_it_leaves_the_trained_weights_bit_for_bit_as_they_are(run: Run, short: tuple[str, ...]) -> None:
    assert run(*short, "trainer.max_epochs=3").exit_code == 0
    outcome = run(*short, *EVALUATION, "trainer.max_epochs=3", "output_dir=evaluated")
    assert outcome.exit_code == 0, outcome.stderr
    assert_same_weights(weights("run/checkpoints/last.ckpt"), weights("evaluated/checkpoints/last.ckpt"))


def test_training_the_classifier_leaves_them_too(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan_lightning.features.classifier.MIN_STEPS", 20)
    run(*SHORT, "trainer.max_epochs=1")
    outcome = run(*SHORT, *EVALUATION, "trainer.max_epochs=1", f"data_dir={tmp_path}/new", "output_dir=evaluated")
    assert outcome.exit_code == 0, outcome.stderr
    assert "classifier of MNIST5k, trained once" in outcome.stderr
    assert_same_weights(weights("run/checkpoints/last.ckpt"), weights("evaluated/checkpoints/last.ckpt"))


def test_its_numbers_are_in_tensorboard_in_the_results_and_are_those_of_the_door(
    run: Run, run_evaluate: Run, short: tuple[str, ...], classifiers: Path
) -> None:
    run(*short, *EVALUATION, "trainer.max_epochs=5")
    names = [name for metric in METRICS["classifier"].values() for name in metric.quantities]
    written = EventAccumulator("run", size_guidance={"scalars": 0}).Reload()
    results = json.loads(Path("run/metrics.json").read_text())
    for name in names:
        points = written.Scalars(f"evaluation/{name}")
        assert [point.step for point in points] == [10, 20, 25]  # every two epochs, and after the last
        assert points[-1].value == pytest.approx(results[name], rel=1e-5)
        assert written.Scalars(f"final/{name}")[-1].value == pytest.approx(results[name], rel=1e-5)
    assert 0 < results["discriminator_accuracy"] < 1  # a statistic of the training, beside the evaluation's own
    run_evaluate("ckpt=run", "num_samples=200", f"data_dir={classifiers}", "output_dir=evaluation")
    (found,) = json.loads(Path("evaluation/metrics.json").read_text())["evaluations"]
    assert found["models"][0]["metrics"] == pytest.approx({name: results[name] for name in names}, rel=1e-4)


def test_the_best_checkpoint_is_that_of_the_best_epoch(run: Run, short: tuple[str, ...]) -> None:
    words = (*EVALUATION, "callbacks.evaluation.every_n_epochs=1", "callbacks.checkpoints.every_n_epochs=1")
    for quantity, mode, best in (("frechet_distance", "null", min), ("held_out_accuracy", "max", max)):
        folder = f"by_{quantity}"
        outcome = run(
            *short, *words, "trainer.max_epochs=6", "optimizer.lr=3e-3", f"output_dir={folder}",
            f"callbacks.best_checkpoint.quantity={quantity}", f"callbacks.best_checkpoint.mode={mode}",
        )  # fmt: skip
        assert outcome.exit_code == 0, outcome.stderr
        points = EventAccumulator(folder).Reload().Scalars(f"evaluation/{quantity}")
        values = [point.value for point in points]
        epoch = values.index(best(values)) + 1
        assert_same_weights(
            weights(f"{folder}/checkpoints/best.ckpt"), weights(f"{folder}/checkpoints/epoch_{epoch:04d}.ckpt")
        )


def test_a_resumed_run_keeps_the_best_checkpoint_and_the_numbers(run: Run, short: tuple[str, ...]) -> None:
    words = (*short, *EVALUATION, "optimizer.lr=3e-3")
    run(*words, "trainer.max_epochs=6", "output_dir=whole")
    run(*words, "trainer.max_epochs=3")
    outcome = run(*words, "trainer.max_epochs=6", "ckpt_path=run/checkpoints/last.ckpt")
    assert outcome.exit_code == 0, outcome.stderr
    best = [weights(f"{folder}/checkpoints/best.ckpt") for folder in ("whole", "run")]
    values = [point.value for point in EventAccumulator("run").Reload().Scalars("evaluation/frechet_distance")]
    assert len(values) == 4  # after epochs 2 and 3, where the first run ended, 4 and 6
    if values[1] != min(values):
        assert_same_weights(*best)
    assert_same_weights(weights("run/checkpoints/last.ckpt"), weights("whole/checkpoints/last.ckpt"))
    whole, resumed = (json.loads(Path(folder, "metrics.json").read_text()) for folder in ("whole", "run"))
    assert whole["frechet_distance"] == resumed["frechet_distance"]


def test_a_sweep_is_told_the_metric_that_it_optimises(run: Run, short: tuple[str, ...]) -> None:
    listen = "+hydra.callbacks.returned._target_=plugs.Returned"
    outcome = run(
        *short, *EVALUATION, "-m", "trainer.max_epochs=1", "optimizer.lr=1e-3,1e-4", listen,
        "optimized_metric=frechet_distance", "hydra/launcher=basic",
    )  # fmt: skip
    assert outcome.exit_code == 0, outcome.stderr
    returned = [float(line) for line in Path("returned.txt").read_text().splitlines()]
    results = [json.loads(Path(f"run/optimizer.lr-{rate}/metrics.json").read_text()) for rate in (0.001, 0.0001)]
    assert returned == [of_job["frechet_distance"] for of_job in results]


def test_a_generator_that_diverges_is_worth_nan_and_no_best_checkpoint(run: Run, short: tuple[str, ...]) -> None:
    listen = "+hydra.callbacks.returned._target_=plugs.Returned"
    outcome = run(
        *short, *EVALUATION, "trainer.max_epochs=2", "optimizer.lr=1e38", "optimizer=goodfellow_sgd", listen,
        "optimized_metric=frechet_distance", "output_dir=diverged",
    )  # fmt: skip
    assert outcome.exit_code == 0, outcome.stderr
    assert json.loads(Path("diverged/metrics.json").read_text())["frechet_distance"] is None
    assert math.isnan(float(Path("returned.txt").read_text()))
    assert not Path("diverged/checkpoints/best.ckpt").exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["callbacks.evaluation.metrics=[fid]"], "callbacks.evaluation: there is no metric 'fid'"),
        (["callbacks.evaluation.num_samples=100"], "callbacks.evaluation: frechet: the features: 100 points are too"),
        (["callbacks.evaluation.every_n_epochs=0"], "every_n_epochs must be a whole number of at least 1"),
        (["callbacks.evaluation.features=x"], "features must be classifier or inception"),
        (
            ["callbacks.best_checkpoint.quantity=fid"],
            "best_checkpoint.quantity is fid, but callbacks.evaluation",
        ),
        (["callbacks.best_checkpoint.mode=low"], "mode must be min or max for frechet_distance, not 'low'"),
        (["callbacks.best_checkpoint.quantity=memorisation"], "mode must be min or max for memorisation, not None"),
        (["callbacks.best_checkpoint.quantity=loss"], "there is no quantity 'loss'; there is parzen_official, "),
        (["optimized_metric=fid"], "optimized_metric is fid, but a run with these callbacks knows generator_loss, "),
        (["callbacks=default", "optimized_metric=frechet_distance"], "optimized_metric is frechet_distance, but"),
    ],
)
def test_bad_input(words: list[str], expected: str, run: Run, short: tuple[str, ...]) -> None:
    without = [word for word in EVALUATION if word.partition("=")[0] not in {w.partition("=")[0] for w in words}]
    if words[0] == "callbacks=default":
        without = []
    outcome = run(*short, *without, *words)
    assert outcome.exit_code == 1
    assert expected in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1
    assert not Path("run").exists()


WORKER = """
import sys, torch
from gan_lightning.callbacks.evaluation import _shared
rank = int(sys.argv[1])
torch.distributed.init_process_group("gloo", init_method=f"file://{sys.argv[2]}", rank=rank, world_size=3)
seen = []
def double(part, others):
    seen.append(len(part))
    assert torch.equal(part, others)
    return part * 2, part.float().sum(1, keepdim=True)
rows = torch.arange(20).view(10, 2)
doubled, sums = _shared(double, (rows, rows), torch.device("cpu"))
assert seen == [4 if rank == 0 else 3], seen
assert torch.equal(doubled, rows * 2)
assert torch.equal(sums, rows.float().sum(1, keepdim=True))
"""


def test_several_processes_share_the_work_and_all_get_the_whole(tmp_path: Path) -> None:
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER, str(rank), str(tmp_path / "store")], stderr=subprocess.PIPE)
        for rank in range(3)
    ]
    for worker in workers:
        _, errors = worker.communicate(timeout=120)
        assert worker.returncode == 0, errors.decode()


def test_one_process_does_it_all() -> None:
    rows = torch.arange(6).view(3, 2)
    (found,) = _shared(lambda part: (part + 1,), (rows,), torch.device("cpu"))
    assert torch.equal(found, rows + 1)


@pytest.mark.slow
def test_two_processes_measure_what_one_measures(run: Run, short: tuple[str, ...]) -> None:
    """With learning rates of 0 both train the same weights: none."""
    words = [*short, *EVALUATION, "trainer.max_epochs=1", "optimizer.lr=0"]
    assert run(*words).exit_code == 0
    strategy = "+trainer.strategy=ddp_find_unused_parameters_true"
    command = [sys.executable, "-m", "gan_lightning.train", *words, "trainer.devices=2", strategy, "output_dir=two"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    one, two = (json.loads(Path(folder, "metrics.json").read_text()) for folder in ("run", "two"))
    for name in Evaluation(metrics=None).quantities(log_odds=True):
        assert two[name] == pytest.approx(one[name], rel=1e-4), name
    assert_same_weights(weights("two/checkpoints/best.ckpt"), weights("two/checkpoints/last.ckpt"))


def test_the_number_of_samples_is_that_of_generated_images(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(
        "gan_lightning.callbacks.evaluation.generate", lambda g, latent, *_: drawn.append(latent) or torch.zeros(3, 1)
    )

    class Players:
        device = torch.device("cpu")
        objective = NonSaturating()

        @staticmethod
        def generator_with(weights: str | None) -> Any:
            return SimpleNamespace(sample_latent=lambda n, random: torch.randn(n, 2, generator=random))

    before = torch.get_rng_state()
    for seed in (0, 0, 1):
        evaluation = Evaluation(num_samples=7, seed=seed)
        evaluation._reference = SimpleNamespace(labels=torch.arange(7))  # type: ignore[assignment]
        evaluation._subject(Players())
    assert torch.equal(torch.get_rng_state(), before)
    assert [len(latent) for latent in drawn] == [7, 7, 7]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
