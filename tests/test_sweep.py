"""Many runs by one command."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from conftest import SHORT, Run, assert_same_weights, weights
from filelock import FileLock
from omegaconf import OmegaConf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from test_cli import the_one_line

BASIC = "hydra/launcher=basic"
"""Jobs one after the other in this process, which costs no start."""
SWEEP = (*SHORT, BASIC, "-m", "trainer.max_epochs=1")


def status(job: str) -> dict:
    return json.loads(Path("run", job, "status.json").read_text())


def results(folder: str) -> dict:
    """What a run ended with, but for how fast it was."""
    found = json.loads(Path(folder, "metrics.json").read_text())
    return {name: value for name, value in found.items() if name not in ("training_seconds", "images_per_second")}


def test_every_combination_has_a_folder_with_its_name_and_a_line(run: Run) -> None:
    outcome = run(*SWEEP, "optimizer.lr=1e-3,1e-4", "dataset.batch_size=8,20")
    assert outcome.exit_code == 0, outcome.stderr
    for rate in (0.001, 0.0001):
        for size in (8, 20):
            name = f"dataset.batch_size-{size}+optimizer.lr-{rate}"
            settings = OmegaConf.load(f"run/{name}/config.yaml")
            assert (settings.optimizer.lr, settings.dataset.batch_size) == (rate, size)
            assert settings.output_dir == f"run/{name}"
            assert status(name)["state"] == "completed"
            assert f"optimizer.lr={rate}" in status(name)["overrides"]
            for file in ("metrics.json", "train.log", "samples/epoch_0001.png", "checkpoints/last.ckpt"):
                assert Path("run", name, file).exists()
            assert [line for line in outcome.stdout.splitlines() if line.startswith("completed") and name in line]
    assert "4 jobs, 4 completed" in outcome.stdout
    assert Path("run/report/index.html").exists()


def test_the_same_command_again_skips_what_is_done_and_more_values_add_to_it(run: Run) -> None:
    run(*SWEEP, "seed=0,1")
    written = {path: path.stat().st_mtime_ns for path in Path("run").rglob("*.ckpt")}
    outcome = run(*SWEEP, "seed=0,1")
    assert outcome.exit_code == 0, outcome.stderr
    assert "2 jobs, 2 completed" in outcome.stdout
    assert run(*SWEEP, "seed=0,1,2").exit_code == 0
    assert written.items() < {path: path.stat().st_mtime_ns for path in Path("run").rglob("*.ckpt")}.items()
    assert status("seed-2")["state"] == "completed"


def test_without_a_folder_the_same_command_finds_the_same_one(run: Run) -> None:
    words = [word for word in SWEEP if not word.startswith("output_dir")]
    run(*words, "seed=0,1")
    run("seed=0,1", *words)
    (sweep,) = Path("outputs/sweeps").iterdir()
    assert len(list(sweep.glob("seed-*/metrics.json"))) == 2
    run(*words, "seed=0,2")
    assert len(list(Path("outputs/sweeps").iterdir())) == 2


def test_a_job_that_fails_stops_no_other_and_is_tried_again(run: Run) -> None:
    words = (*SHORT, BASIC, "-m", "gan.discriminator_steps=0,1", "trainer.max_epochs=1")
    outcome = run(*words)
    assert outcome.exit_code == 1
    last = outcome.stderr.splitlines()[-1]
    assert "1 of 2 jobs did not succeed" in last
    assert "discriminator_steps must be" in last
    assert "Traceback" not in outcome.stderr
    failed = status("gan.discriminator_steps-0")
    assert failed["state"] == "failed"
    assert "discriminator_steps must be" in failed["error"]
    assert "Traceback" in Path("run/gan.discriminator_steps-0/traceback.txt").read_text()
    assert "discriminator_steps must be" in Path("run/gan.discriminator_steps-0/train.log").read_text()
    assert status("gan.discriminator_steps-1")["state"] == "completed"
    before = status("gan.discriminator_steps-1")
    assert run(*words).exit_code == 1
    assert status("gan.discriminator_steps-1") == before


def test_a_crash_leaves_a_checkpoint_from_which_the_job_goes_on(run: Run) -> None:
    words = (*SHORT, BASIC, "-m", "seed=0,1", "trainer.max_epochs=3")
    outcome = run(*words, "+callbacks.plug={_target_: plugs.Crash, after: 12}")
    assert outcome.exit_code == 1
    assert status("seed-0")["error"] == "the plug was pulled"
    assert 'raise RuntimeError("the plug was pulled")' in Path("run/seed-0/traceback.txt").read_text()
    assert not Path("run/seed-0/metrics.json").exists()
    assert run(*words).exit_code == 0
    assert not Path("run/seed-0/traceback.txt").exists()
    run(*words, "output_dir=whole")
    for seed in (0, 1):
        job = f"seed-{seed}"
        assert "ckpt_path: run/" in Path("run", job, "config.yaml").read_text()
        assert_same_weights(weights(f"run/{job}/checkpoints/last.ckpt"), weights(f"whole/{job}/checkpoints/last.ckpt"))
        assert results(f"run/{job}") == results(f"whole/{job}")


def test_a_longer_run_goes_on_from_a_shorter_one_with_the_same_outcome(run: Run) -> None:
    words = [*SHORT, "callbacks.samples.num_samples=4"]
    lengths = "trainer.max_epochs=3,1,2"
    assert run(*words, BASIC, "-m", "optimizer.lr=1e-3,1e-4", lengths).exit_code == 0
    for rate in (0.001, 0.0001):
        for epochs in (1, 2, 3):
            folder = f"run/optimizer.lr-{rate}+trainer.max_epochs-{epochs}"
            alone = f"alone/{rate}-{epochs}"
            run(*words, f"optimizer.lr={rate}", f"trainer.max_epochs={epochs}", f"output_dir={alone}")
            assert_same_weights(*(weights(f"{one}/checkpoints/last.ckpt") for one in (folder, alone)))
            assert results(folder) == results(alone)
            shorter = f"run/optimizer.lr-{rate}+trainer.max_epochs-{epochs - 1}/checkpoints/last.ckpt"
            assert OmegaConf.load(f"{folder}/config.yaml").ckpt_path == (shorter if epochs > 1 else None)
            curves = [EventAccumulator(one).Reload() for one in (folder, alone)]
            assert curves[0].Tags()["scalars"].sort() == curves[1].Tags()["scalars"].sort()
            points = [[(p.step, p.value) for p in each.Scalars("loss/generator")] for each in curves]
            assert points[0] == points[1]
            names = [{path.name for path in Path(one, "samples").iterdir()} for one in (folder, alone)]
            assert names[0] == names[1]


def test_what_depends_on_the_length_is_not_shared(run: Run) -> None:
    run(*SHORT, BASIC, "-m", "trainer.max_epochs=1,2", "objective.switch_epoch=${trainer.max_epochs}")
    assert OmegaConf.load("run/trainer.max_epochs-2/config.yaml").ckpt_path is None


def test_tensorboard_has_a_row_for_each_length_with_its_own_outcome(run: Run) -> None:
    run(*SHORT, BASIC, "-m", "trainer.max_epochs=1,2")
    for epochs in (1, 2):
        found = EventAccumulator(f"run/trainer.max_epochs-{epochs}").Reload()
        (final,) = found.Scalars("final/generator_loss")
        assert final.step == 5 * epochs
        begun = found.SummaryMetadata("_hparams_/session_start_info")
        assert (
            f"{epochs}.0" in str(hparams(begun)["trainer.max_epochs"]) or hparams(begun)["trainer.max_epochs"] == epochs
        )


def hparams(metadata) -> dict:
    from tensorboard.plugins.hparams import plugin_data_pb2

    data = plugin_data_pb2.HParamsPluginData.FromString(metadata.plugin_data.content)
    return {name: value.number_value for name, value in data.session_start_info.hparams.items()}


def test_the_reports_grid_in_one_word(run: Run, classifiers: Path) -> None:
    lists = ("dataset.batch_size=16,36", "trainer.max_epochs=1,2", "optimizer.lr=1e-4")
    few = ("callbacks.evaluation.num_samples=300", f"data_dir={classifiers}", BASIC)
    outcome = run("hparams_search=report_grid", *SHORT[:2], *SHORT[3:], *lists, *few)
    assert outcome.exit_code == 0, outcome.stderr
    assert len(list(Path("run").glob("*/metrics.json"))) == 4
    assert "frechet_distance" in Path("run/report/table.md").read_text()
    settings = OmegaConf.load(Path(__file__).parents[1] / "conf" / "hparams_search" / "report_grid.yaml")
    values = [str(value).split(",") for value in settings.hydra.sweeper.params.values()]
    assert math.prod(len(v) for v in values) == 18


# Bad input


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["seed=0"], "nothing to sweep over"),
        (["seed=range(0,0)"], "the sweep is empty: seed=range(0,0)"),
        (["seed=interval(0,1)"], "seed=interval(0,1) is for a search"),
        (["sed=0,1"], "there is no setting 'sed'; did you mean seed"),
        (["dataset=mnits,mnist5k"], "there is no dataset called 'mnits'"),
        (["seed=0,1", "optimized_metric=frechet_distance"], "a run with these callbacks knows generator_loss"),
        (["seed=0,1", "output_dir="], "output_dir is empty"),
    ],
)
def test_a_sweep_that_cannot_be(words: list[str], expected: str, run: Run) -> None:
    line = the_one_line(run(*SWEEP, *words))
    assert expected in line
    assert not list(Path().rglob("metrics.json"))


def test_two_sweeps_into_one_folder_at_once(run: Run) -> None:
    Path("run").mkdir()
    with FileLock("run/.lock"):
        assert "another sweep is at work in run" in the_one_line(run(*SWEEP, "seed=0,1"))
    assert not list(Path("run").glob("seed-*"))


def test_a_folder_with_something_else_in_it(run: Run) -> None:
    run(*SHORT, "trainer.max_epochs=1")
    assert "run holds a single run" in the_one_line(run(*SWEEP, "seed=0,1"))
    foreign = Path("sweep/seed-1/thesis.txt")
    foreign.parent.mkdir(parents=True)
    foreign.write_text("years of work")
    line = the_one_line(run(*SWEEP, "seed=0,1", "output_dir=sweep"))
    assert "sweep/seed-1 holds files that no job of a sweep has left" in line
    assert foreign.read_text() == "years of work"
    assert not Path("sweep/seed-0").exists()


def test_a_folder_with_the_same_sweep_of_other_settings(run: Run) -> None:
    run(*SWEEP, "seed=0,1")
    before = {path: path.stat().st_mtime_ns for path in Path("run").rglob("*") if path.name != ".lock"}
    line = the_one_line(run(*SWEEP, "seed=0,1", "model.latent_dim=7"))
    assert "run/seed-0 holds a run with other settings" in line
    assert "model.latent_dim (100, now 7)" in line
    assert "trainer.max_epochs (1, now 2)" in the_one_line(run(*SWEEP[:-1], "trainer.max_epochs=2", "seed=0,1"))
    assert before == {path: path.stat().st_mtime_ns for path in before}


@pytest.mark.parametrize("file", ["status.json", "metrics.json", "config.yaml"])
def test_a_damaged_file_of_a_job(file: str, run: Run) -> None:
    run(*SWEEP, "seed=0,1")
    Path("run/seed-1", file).write_bytes(b'{"state": \xff')
    line = the_one_line(run(*SWEEP, "seed=0,1"))
    assert f"run/seed-1/{file} is damaged" in line
    assert Path("run/seed-1", file).read_bytes() == b'{"state": \xff'


# Jobs side by side


def test_a_job_is_the_same_alone_and_beside_others(run: Run) -> None:
    threads = f"hydra.launcher.threads={torch.get_num_threads()}"
    outcome = run(*SHORT, "-m", "seed=0,1,2", "trainer.max_epochs=2", "hydra.launcher.n_jobs=2", threads)
    assert outcome.exit_code == 0, outcome.stderr
    run(*SHORT, BASIC, "-m", "seed=0,1,2", "trainer.max_epochs=2", "output_dir=one_process")
    for seed in (0, 1, 2):
        run(*SHORT, f"seed={seed}", "trainer.max_epochs=2", f"output_dir=alone_{seed}")
        alone = weights(f"alone_{seed}/checkpoints/last.ckpt")
        assert_same_weights(weights(f"run/seed-{seed}/checkpoints/last.ckpt"), alone)
        assert_same_weights(weights(f"one_process/seed-{seed}/checkpoints/last.ckpt"), alone)
        assert "MNIST5k" in Path(f"run/seed-{seed}/console.txt").read_text()


def test_a_job_that_dies_stops_no_other(run: Run) -> None:
    die = "+callbacks.plug={_target_: plugs.Signal, after: 7, name: SIGKILL}"
    outcome = run(*SHORT, "-m", "seed=0,1", "trainer.max_epochs=2", die)
    assert outcome.exit_code == 1
    assert "2 of 2 jobs did not succeed" in outcome.stderr
    assert "it was killed" in outcome.stderr
    assert "2 jobs, 2 interrupted" in outcome.stdout
    assert run(*SHORT, "-m", "seed=0,1", "trainer.max_epochs=2").exit_code == 0
    assert status("seed-1")["state"] == "completed"


@pytest.mark.slow
def test_a_sweep_that_is_killed_goes_on_where_it_was(run: Run, tmp_path: Path) -> None:
    words = [*SHORT, "-m", "seed=0,1", "trainer.max_epochs=2,60"]
    command = [sys.executable, "-m", "gan_lightning.train", *words]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as sweep:
        checkpoint = Path("run/seed-0+trainer.max_epochs-60/samples/epoch_0005.png")
        until(checkpoint.exists)
        os.kill(sweep.pid, signal.SIGKILL)
        sweep.wait()
    lock = FileLock("run/seed-0+trainer.max_epochs-60/.lock")
    with lock.acquire(timeout=30):  # the jobs follow their parent
        pass
    assert status("seed-0+trainer.max_epochs-2")["state"] == "completed"
    assert status("seed-0+trainer.max_epochs-60")["state"] == "running"  # nobody could say otherwise
    outcome = run(*words)
    assert outcome.exit_code == 0, outcome.stderr
    assert "4 jobs, 4 completed" in outcome.stdout
    run(*words, BASIC, "output_dir=whole")
    for path in Path("whole").glob("*/metrics.json"):
        job = path.parent.name
        assert_same_weights(weights(f"run/{job}/checkpoints/last.ckpt"), weights(f"whole/{job}/checkpoints/last.ckpt"))
        assert results(f"run/{job}") == results(f"whole/{job}")
    tables = [Path(folder, "report/table.md").read_text() for folder in ("run", "whole")]
    assert tables[0] == tables[1]


def until(true: object, seconds: float = 120) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("hydra/launcher=submitit_local", "hydra.launcher.timeout_min=10"),
        ("hydra/launcher=ray",),
    ],
    ids=["submitit", "ray"],
)
def test_launchers_for_clusters_run_the_same_jobs(words: tuple[str, ...], tmp_path: Path, run: Run) -> None:
    command = [sys.executable, "-m", "gan_lightning.train", *SHORT, "-m", "seed=0,1", "trainer.max_epochs=1,2", *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    run(*SHORT, BASIC, "-m", "seed=0,1", "trainer.max_epochs=1,2", "output_dir=here")
    for path in Path("here").glob("*/metrics.json"):
        job = path.parent.name
        assert status(job)["state"] == "completed"
        assert_same_weights(weights(f"run/{job}/checkpoints/last.ckpt"), weights(f"here/{job}/checkpoints/last.ckpt"))
