"""Evaluation during training: it changes nothing, and what it finds is kept."""

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from conftest import SHORT, TWO_PROCESSES, Run, assert_same_weights, forks, the_one_line, weights
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor
from torch.multiprocessing import start_processes

from gan_lightning.averaging import ExponentialMovingAverage
from gan_lightning.callbacks.best_checkpoint import BestCheckpoint
from gan_lightning.callbacks.evaluation import Evaluation, _shared
from gan_lightning.measures.metrics import METRICS
from gan_lightning.objectives import NonSaturating

EVALUATION = (
    "callbacks=evaluation",
    "callbacks.evaluation.every_n_epochs=2",
    "callbacks.evaluation.num_samples=200",
    "callbacks.evaluation.measures=null",
)
METRICS_OF_FEW = "callbacks.evaluation.measures=[score]"  # which can be taken of the ten test images that there are
FRECHET = "callbacks.evaluation.measures=[frechet]"


@pytest.fixture
def short(classifiers: Path) -> tuple[str, ...]:
    return (*SHORT, f"data_dir={classifiers}")


@pytest.mark.slow
def test_it_leaves_the_trained_weights_bit_for_bit_as_they_are(run: Run, short: tuple[str, ...]) -> None:
    assert run(*short, "trainer.max_epochs=3").exit_code == 0
    outcome = run(*short, *EVALUATION, "trainer.max_epochs=3", "output_dir=evaluated")
    assert outcome.exit_code == 0, outcome.stderr
    assert_same_weights(weights("run/checkpoints/last.ckpt"), weights("evaluated/checkpoints/last.ckpt"))


@pytest.mark.slow
def test_training_the_classifier_leaves_them_too(run: Run, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan_lightning.features.classifier.MIN_STEPS", 20)
    words = (*SHORT, "dataset=mnist", f"data_dir={data_dir}", "trainer.max_epochs=1")
    run(*words)
    outcome = run(*words, *EVALUATION, "callbacks.best_checkpoint=null", METRICS_OF_FEW, "output_dir=evaluated")
    assert outcome.exit_code == 0, outcome.stderr
    assert "classifier of MNIST, trained once" in outcome.stderr
    assert_same_weights(weights("run/checkpoints/last.ckpt"), weights("evaluated/checkpoints/last.ckpt"))


@pytest.mark.slow
def test_its_numbers_are_in_tensorboard_in_the_results_and_are_those_of_evaluate(
    run: Run, run_evaluate: Run, short: tuple[str, ...], classifiers: Path
) -> None:
    run(*short, *EVALUATION, "trainer.max_epochs=5")
    names = Evaluation(measures=None).metrics(log_odds=True, conditional=False)
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


@pytest.mark.slow
def test_the_best_checkpoint_is_that_of_the_best_epoch(run: Run, short: tuple[str, ...]) -> None:
    measures = "callbacks.evaluation.measures=[frechet,equilibrium]"
    words = (*EVALUATION, measures, "callbacks.evaluation.every_n_epochs=1", "callbacks.checkpoints.every_n_epochs=1")
    for metric, mode, best in (("frechet_distance", "null", min), ("held_out_accuracy", "max", max)):
        folder = f"by_{metric}"
        outcome = run(
            *short, *words, "trainer.max_epochs=6", "optimizer.lr=3e-3", f"output_dir={folder}",
            f"callbacks.best_checkpoint.metric={metric}", f"callbacks.best_checkpoint.mode={mode}",
        )  # fmt: skip
        assert outcome.exit_code == 0, outcome.stderr
        points = EventAccumulator(folder).Reload().Scalars(f"evaluation/{metric}")
        values = [point.value for point in points]
        epoch = values.index(best(values)) + 1
        assert_same_weights(
            weights(f"{folder}/checkpoints/best.ckpt"), weights(f"{folder}/checkpoints/epoch_{epoch:04d}.ckpt")
        )
        assert f"epoch {epoch}: Fréchet distance " in outcome.stdout
        last = f"{values[-1]:.4g}, best {values[epoch - 1]:.4g} in epoch {epoch}: {folder}/checkpoints/best.ckpt"
        assert f"{METRICS[metric].title} {last}\n" in outcome.stdout


@pytest.mark.slow
def test_a_resumed_run_keeps_the_best_checkpoint_and_the_numbers(run: Run, short: tuple[str, ...]) -> None:
    words = (*short, *EVALUATION, FRECHET, "optimizer.lr=3e-3")
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


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_a_sweep_is_told_the_metric_that_it_optimises(run: Run, short: tuple[str, ...]) -> None:
    listen = "+hydra.callbacks.returned._target_=plugs.Returned"
    outcome = run(
        *short, *EVALUATION, FRECHET, "-m", "trainer.max_epochs=1", "optimizer.lr=1e-3,1e-4", listen,
        "optimized_metric=frechet_distance", "hydra/launcher=basic",
    )  # fmt: skip
    assert outcome.exit_code == 0, outcome.stderr
    returned = [float(line) for line in Path("returned.txt").read_text().splitlines()]
    results = [json.loads(Path(f"run/optimizer.lr-{rate}/metrics.json").read_text()) for rate in (0.001, 0.0001)]
    assert returned == [of_job["frechet_distance"] for of_job in results]


def test_a_generator_that_diverges_is_worth_nan_and_no_best_checkpoint(run: Run, short: tuple[str, ...]) -> None:
    listen = "+hydra.callbacks.returned._target_=plugs.Returned"
    outcome = run(
        *short, *EVALUATION, FRECHET, "trainer.max_epochs=2", "optimizer.lr=1e38", "optimizer=goodfellow_sgd", listen,
        "callbacks.divergence.stop=false",
        "optimized_metric=frechet_distance", "output_dir=diverged",
    )  # fmt: skip
    assert outcome.exit_code == 0, outcome.stderr
    assert json.loads(Path("diverged/metrics.json").read_text())["frechet_distance"] is None
    assert math.isnan(float(Path("returned.txt").read_text()))
    assert not Path("diverged/checkpoints/best.ckpt").exists()


@pytest.mark.parametrize(
    ("words", "key", "right"),
    [
        (["callbacks.evaluation.measures=[fid]"], "callbacks.evaluation: ", "frechet"),
        (["callbacks.evaluation.num_samples=100", FRECHET], "callbacks.evaluation: frechet", "129"),
        (["callbacks.best_checkpoint.metric=memorisation", "callbacks.best_checkpoint.mode=min", FRECHET],
         "best_checkpoint.metric is memorisation", "frechet_distance"),
        (["callbacks.best_checkpoint.mode=low"], "callbacks.best_checkpoint.mode", "min or max"),
        (["optimized_metric=fid"], "optimized_metric is fid", "frechet_distance"),
        (["callbacks=default", "optimized_metric=frechet_distance"], "optimized_metric is frechet_distance", "loss"),
    ],
)  # fmt: skip
def test_bad_input(words: list[str], key: str, right: str, run: Run, short: tuple[str, ...]) -> None:
    evaluation = [] if words[0] == "callbacks=default" else EVALUATION
    line = the_one_line(run(*short, *evaluation, *words))
    assert key in line
    assert right in line
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("settings", "right"),
    [
        ({"every_n_epochs": 0}, "at least 1"),
        ({"features": "x"}, "classifier, clusters, inception or null"),
    ],
)
def test_refuses_what_cannot_be_measured(settings: dict[str, Any], right: str) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(settings))} .*{right}"):
        Evaluation(**settings)


@pytest.mark.parametrize(
    ("metric", "right"), [("memorisation", "mode must be min or max"), ("loss", "parzen_official")]
)
def test_refuses_what_is_not_known_to_be_better_or_worse(metric: str, right: str) -> None:
    with pytest.raises(ValueError, match=right):
        BestCheckpoint("folder", metric)


def share(rank: int, store: str) -> None:
    """What each of three processes does."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=3)
    seen = []

    def double(part: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
        seen.append(len(part))
        assert torch.equal(part, others)
        return part * 2, part.float().sum(1, keepdim=True)

    rows = torch.arange(20).view(10, 2)
    doubled, sums = _shared(double, (rows, rows), torch.device("cpu"))
    assert seen == [4 if rank == 0 else 3], seen
    assert torch.equal(doubled, rows * 2)
    assert torch.equal(sums, rows.float().sum(1, keepdim=True))


@pytest.mark.slow
def test_it_may_have_any_name(run: Run, short: tuple[str, ...]) -> None:
    mine = "+callbacks.mine={_target_: gan_lightning.callbacks.evaluation.Evaluation, num_samples: 300}"
    outcome = run(*short, mine, "trainer.max_epochs=1", "optimized_metric=frechet_distance")
    assert outcome.exit_code == 0, outcome.stderr
    assert "frechet_distance" in json.loads(Path("run/metrics.json").read_text())


@forks
def test_several_processes_share_the_work_and_all_get_the_whole(tmp_path: Path) -> None:
    start_processes(share, (str(tmp_path / "store"),), nprocs=3, start_method="fork")  # raises what one of them raises


def test_one_process_does_it_all() -> None:
    rows = torch.arange(6).view(3, 2)
    (found,) = _shared(lambda part: (part + 1,), (rows,), torch.device("cpu"))
    assert torch.equal(found, rows + 1)


@pytest.mark.slow
@forks
def test_two_processes_measure_what_one_measures(run: Run, short: tuple[str, ...]) -> None:
    """With learning rates of 0 both train the same weights: none."""
    words = [*short, *EVALUATION, "trainer.max_epochs=1", "optimizer.lr=0"]
    assert run(*words).exit_code == 0
    outcome = run(*words, *TWO_PROCESSES, "output_dir=two")
    assert outcome.exit_code == 0, outcome.stderr
    one, two = (json.loads(Path(folder, "metrics.json").read_text()) for folder in ("run", "two"))
    for name in Evaluation(measures=None).metrics(log_odds=True, conditional=False):
        assert two[name] == pytest.approx(one[name], rel=1e-4), name
    assert_same_weights(weights("two/checkpoints/best.ckpt"), weights("two/checkpoints/last.ckpt"))


def test_the_number_of_samples_is_that_of_generated_images(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(
        "gan_lightning.callbacks.evaluation.generate", lambda g, latent, *_: drawn.append(latent) or torch.zeros(3, 1)
    )

    class Drawing(torch.nn.Module):
        def sample_latent(self, number: int, random: torch.Generator) -> Tensor:
            return torch.randn(number, 2, generator=random)

    class Players:
        device = torch.device("cpu")
        objective = NonSaturating()
        generator = Drawing()
        ema = ExponentialMovingAverage()

    before = torch.get_rng_state()
    for seed in (0, 0, 1):
        evaluation = Evaluation(num_samples=7, seed=seed)
        reference = SimpleNamespace(labels=torch.arange(7), drawn=lambda pixels: pixels)
        evaluation._reference = reference  # type: ignore[assignment]
        evaluation._subject(Players())
    assert torch.equal(torch.get_rng_state(), before)
    assert [len(latent) for latent in drawn] == [7, 7, 7]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
