"""Many runs by one command."""

import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from conftest import SHORT, SWEEP, Run, assert_same_weights, tensorboard, the_one_line, weights
from filelock import FileLock
from hydra.core.plugins import Plugins
from omegaconf import OmegaConf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan_lightning.paths import CONF

pytestmark = pytest.mark.usefixtures("undrawn")
BASIC = "hydra/launcher=basic"


def status(job: str) -> dict:
    return json.loads(Path("run", job, "status.json").read_text())


def results(folder: str) -> dict:
    """What a run ended with, but for how fast it was."""
    found = json.loads(Path(folder, "metrics.json").read_text())
    return {name: value for name, value in found.items() if name not in ("training_seconds", "images_per_second")}


@pytest.mark.slow
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
            number = json.loads(Path("run/jobs.json").read_text())[name]
            assert re.search(rf"^completed +{number:03} batch_size={size} lr={rate}", outcome.stdout, re.M)
    assert "4 jobs, 4 completed" in outcome.stdout
    assert "--logdir run\n" in outcome.stdout
    assert re.search(r"^ +python -m gan_lightning.train .*batch_size=.*trainer.max_epochs=1", outcome.stdout, re.M)
    assert Path("run/report/index.html").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("finished_sweep")
def test_the_same_command_again_skips_what_is_done_and_more_values_add_to_it(run: Run) -> None:
    written = {path: path.stat().st_mtime_ns for path in Path("run").rglob("*.ckpt")}
    outcome = run(*SWEEP, "seed=0,1")
    assert outcome.exit_code == 0, outcome.stderr
    assert "2 jobs, 2 completed" in outcome.stdout
    assert run(*SWEEP, "seed=2,0,1").exit_code == 0
    assert json.loads(Path("run/jobs.json").read_text()) == {"seed-0": 1, "seed-1": 2, "seed-2": 3}  # as they were
    assert written.items() < {path: path.stat().st_mtime_ns for path in Path("run").rglob("*.ckpt")}.items()
    assert status("seed-2")["state"] == "completed"


@pytest.mark.slow
def test_a_sweep_over_options_of_which_some_have_not_what_the_experiment_says(run: Run) -> None:
    words = ["experiment=first_run", "trainer=smoke", "dataset.num_train_images=200", "callbacks.samples=null"]
    outcome = run(*words, "-m", "penalty=none,r1", "output_dir=run")
    assert outcome.exit_code == 0, outcome.stderr
    penalties = {name: OmegaConf.load(f"run/penalty-{name}/config.yaml").penalty for name in ("none", "r1")}
    assert not penalties["none"]
    assert penalties["r1"].gamma == 1.0
    command = next(line for line in outcome.stdout.splitlines() if "-m gan_lightning.train" in line)
    assert "gamma" not in command  # it will be set again


@pytest.mark.slow
def test_without_a_folder_the_same_command_finds_the_same_one(run: Run) -> None:
    words = [word for word in SWEEP if not word.startswith("output_dir")]
    run(*words, "seed=0,1")
    run("seed=0,1", *words)
    (sweep,) = Path("outputs/sweeps").iterdir()
    assert len(list(sweep.glob("seed-*/metrics.json"))) == 2
    run(*words, "seed=0,2")
    assert len(list(Path("outputs/sweeps").iterdir())) == 2


@pytest.mark.slow
def test_a_sweep_that_goes_on_from_a_checkpoint(run: Run, finished: Path) -> None:
    words = (*SHORT, BASIC, "-m", f"ckpt_path={finished}/checkpoints/last.ckpt", "trainer.max_epochs=2,3")
    outcome = run(*words, "output_dir=on")
    assert outcome.exit_code == 0, outcome.stderr
    assert OmegaConf.load("on/trainer.max_epochs-2/config.yaml").ckpt_path == f"{finished}/checkpoints/last.ckpt"


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


@pytest.mark.slow
def test_a_crash_leaves_a_checkpoint_from_which_the_job_goes_on(run: Run, whole: Path) -> None:
    words = (*SHORT, BASIC, "-m", "seed=0,1", "trainer.max_epochs=3")
    outcome = run(*words, "+callbacks.plug={_target_: plugs.Crash, after: 12}")
    assert outcome.exit_code == 1
    assert status("seed-0")["error"] == "the plug was pulled"
    assert 'raise RuntimeError("the plug was pulled")' in Path("run/seed-0/traceback.txt").read_text()
    assert not Path("run/seed-0/metrics.json").exists()
    assert run(*words).exit_code == 0
    assert not Path("run/seed-0/traceback.txt").exists()
    for seed in (0, 1):
        assert "ckpt_path: run/" in Path(f"run/seed-{seed}/config.yaml").read_text()
    assert_same_weights(weights("run/seed-0/checkpoints/last.ckpt"), weights(whole / "checkpoints/last.ckpt"))
    assert results("run/seed-0") == results(str(whole))


@pytest.mark.slow
def test_a_longer_run_goes_on_from_a_shorter_one_with_the_same_outcome(run: Run, whole: Path) -> None:
    assert run(*SHORT, BASIC, "-m", "optimizer.lr=1e-3,1e-4", "trainer.max_epochs=3,1,2").exit_code == 0
    run(*SHORT, "optimizer.lr=1e-3", "trainer.max_epochs=3", "output_dir=alone")
    for rate, alone in ((0.001, Path("alone")), (0.0001, whole)):
        folders = [f"run/optimizer.lr-{rate}+trainer.max_epochs-{epochs}" for epochs in (1, 2, 3)]
        gone_on_from = [OmegaConf.load(f"{folder}/config.yaml").ckpt_path for folder in folders]
        assert gone_on_from == [None, *(f"{folder}/checkpoints/last.ckpt" for folder in folders[:2])]
        assert_same_weights(*(weights(f"{one}/checkpoints/last.ckpt") for one in (folders[2], alone)))
        assert results(folders[2]) == results(str(alone))
        curves = [EventAccumulator(str(one)).Reload() for one in (folders[2], alone)]
        assert sorted(curves[0].Tags()["scalars"]) == sorted(curves[1].Tags()["scalars"])
        points = [[(p.step, p.value) for p in each.Scalars("loss/generator")] for each in curves]
        assert points[0] == points[1]
        names = [{path.name for path in Path(one, "samples").iterdir()} for one in (folders[2], alone)]
        assert names[0] == names[1]


@pytest.mark.slow
def test_what_depends_on_the_length_is_not_shared(run: Run) -> None:
    run(*SHORT, BASIC, "-m", "trainer.max_epochs=1,2", "objective.switch_epoch=${trainer.max_epochs}")
    assert OmegaConf.load("run/trainer.max_epochs-2/config.yaml").ckpt_path is None


@pytest.mark.slow
def test_a_longer_run_knows_the_best_checkpoint_of_the_shorter_one(run: Run, classifiers: Path) -> None:
    words = (
        *(*SHORT, "callbacks=evaluation", f"data_dir={classifiers}", "callbacks.evaluation.every_n_epochs=1"),
        *("callbacks.evaluation.num_samples=300", "callbacks.evaluation.measures=[neighbourhoods]"),
        "callbacks.best_checkpoint.metric=precision",
    )
    run(*words, BASIC, "-m", "trainer.max_epochs=2,3")
    run(*words, "trainer.max_epochs=3", "output_dir=alone")
    folders = ("run/trainer.max_epochs-3", "alone")
    values = [EventAccumulator(folder).Reload().Scalars("evaluation/precision") for folder in folders]
    assert [point.value for point in values[0]] == [point.value for point in values[1]]
    assert max(point.value for point in values[0][:2]) >= values[0][2].value  # so the best is the shorter run's
    assert_same_weights(*(weights(f"{folder}/checkpoints/best.ckpt") for folder in folders))
    assert results(folders[0]) == results(folders[1])


@pytest.mark.slow
@pytest.mark.usefixtures("finished_sweep")
@pytest.mark.parametrize("damage", ["truncated", "ended"])
def test_a_job_whose_last_checkpoint_is_damaged_or_has_all_epochs_is_completed(damage: str, run: Run) -> None:
    before = weights("run/seed-0/checkpoints/last.ckpt")
    Path("run/seed-0/status.json").write_text('{"state": "running"}')  # killed while its pictures were drawn
    Path("run/seed-0/metrics.json").unlink()
    if damage == "truncated":
        checkpoint = Path("run/seed-0/checkpoints/last.ckpt")
        checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    outcome = run(*SWEEP, "seed=0,1")
    assert outcome.exit_code == 0, outcome.stderr
    assert_same_weights(before, weights("run/seed-0/checkpoints/last.ckpt"))


def test_a_launcher_that_breaks_ends_in_a_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(*_: object, **__: object) -> None:
        raise RuntimeError("the cluster lost the job")

    monkeypatch.setattr(Plugins, "instantiate_launcher", lambda *_, **__: SimpleNamespace(launch=lose))
    outcome = run(*SWEEP, "seed=0,1")
    assert outcome.exit_code == 1
    assert "2 of 2 jobs did not succeed, for one 001 seed=0: the cluster lost the job" in outcome.stderr


@pytest.mark.slow
def test_tensorboard_shows_all_jobs_with_their_final_numbers_in_one_table(run: Run) -> None:
    run(*SHORT, BASIC, "-m", "trainer.max_epochs=1,2")
    with tensorboard("run") as get:
        table = get(
            "plugin/hparams/session_groups",
            experimentName="", allowedStatuses=["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"],
            colParams=[], startIndex=0, sliceSize=100,
        )  # fmt: skip
    rows = set()
    for row in table["sessionGroups"]:
        final = {value["name"]["tag"]: value["value"] for value in row["metricValues"]}
        assert row["hparams"].keys() == {"trainer.max_epochs"}  # nothing that is the same for all
        rows.add((row["hparams"]["trainer.max_epochs"], final["final/generator_loss"]))
    losses = [results(f"run/trainer.max_epochs-{epochs}")["generator_loss"] for epochs in (1, 2)]
    assert sorted(rows) == [(1, pytest.approx(losses[0])), (2, pytest.approx(losses[1]))]


@pytest.mark.slow
def test_the_reports_grid_by_its_name(run: Run, classifiers: Path) -> None:
    lists = ("dataset.batch_size=16,36", "trainer.max_epochs=1", "optimizer.lr=1e-4")
    few = ("callbacks.evaluation.num_samples=300", f"data_dir={classifiers}", BASIC)
    outcome = run("hparams_search=report_grid", *SHORT[:2], *SHORT[3:], *lists, *few)
    assert outcome.exit_code == 0, outcome.stderr
    assert len(list(Path("run").glob("*/metrics.json"))) == 2
    assert "frechet_distance" in Path("run/report/table.md").read_text()
    settings = OmegaConf.load(CONF / "hparams_search" / "report_grid.yaml")
    values = [str(value).split(",") for value in settings.hydra.sweeper.params.values()]
    assert math.prod(len(v) for v in values) == 18


# Bad input


@pytest.mark.parametrize(
    ("words", "key", "right"),
    [
        (["seed=0"], "", "nothing to sweep over"),
        (["seed=range(0,0)"], "seed=range(0,0)", "empty"),
        (["seed=interval(0,1)"], "seed=interval(0,1)", "a search"),
        (["sed=0,1"], "'sed'", "did you mean seed"),
        (["dataset=mnits,mnist5k"], "'mnits'", "did you mean mnist"),
        (["seed=0,1", "optimized_metric=frechet_distance"], "optimized_metric", "generator_loss"),
        (["seed=0,1", "output_dir="], "output_dir", "output_dir=."),
    ],
)
def test_a_sweep_that_cannot_be(words: list[str], key: str, right: str, run: Run) -> None:
    line = the_one_line(run(*SWEEP, *words))
    assert key in line
    assert right in line
    assert not list(Path().iterdir())


def test_two_sweeps_into_one_folder_at_once(run: Run) -> None:
    Path("run").mkdir()
    with FileLock("run/.lock"):
        assert "another sweep is at work in run" in the_one_line(run(*SWEEP, "seed=0,1"))
    assert not list(Path("run").glob("seed-*"))


@pytest.mark.slow
@pytest.mark.usefixtures("finished")
def test_a_folder_with_something_else_in_it(run: Run) -> None:
    assert "run holds a single run" in the_one_line(run(*SWEEP, "seed=0,1"))
    run(*SWEEP, "seed=0", "gan.discriminator_steps=1,2", "output_dir=many")
    assert "many holds a sweep" in the_one_line(run(*SHORT, "output_dir=many"))
    foreign = Path("sweep/seed-1/thesis.txt")
    foreign.parent.mkdir(parents=True)
    foreign.write_text("years of work")
    line = the_one_line(run(*SWEEP, "seed=0,1", "output_dir=sweep"))
    assert "sweep/seed-1 holds files that no job of a sweep has left" in line
    assert foreign.read_text() == "years of work"
    assert not Path("sweep/seed-0").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("finished_sweep")
def test_a_folder_with_the_same_sweep_of_other_settings(run: Run) -> None:
    before = {path: path.stat().st_mtime_ns for path in Path("run").rglob("*") if path.name != ".lock"}
    line = the_one_line(run(*SWEEP, "seed=0,1", "model.latent_dim=7"))
    assert "run/seed-0 holds a run with other settings" in line
    assert "model.latent_dim (100, now 7)" in line
    assert "run/seed-0 was completed without images_per_day" in the_one_line(
        run(*SWEEP, "seed=0,1", "optimized_metric=images_per_day")
    )
    assert "trainer.max_epochs (1, now 2)" in the_one_line(run(*SWEEP[:-1], "trainer.max_epochs=2", "seed=0,1"))
    assert before == {path: path.stat().st_mtime_ns for path in before}


@pytest.mark.usefixtures("finished_sweep")
@pytest.mark.parametrize("file", ["status.json", "metrics.json", "config.yaml"])
def test_a_damaged_file_of_a_job(file: str, run: Run) -> None:
    Path("run/seed-1", file).write_bytes(b'{"state": \xff')
    line = the_one_line(run(*SWEEP, "seed=0,1"))
    assert f"run/seed-1/{file} is damaged" in line
    assert Path("run/seed-1", file).read_bytes() == b'{"state": \xff'


# Jobs side by side


@pytest.mark.slow
@pytest.mark.usefixtures("finished_sweep")
def test_a_job_is_the_same_alone_and_beside_others(run: Run) -> None:
    words = (*SHORT, "trainer.max_epochs=1")
    threads = f"hydra.launcher.threads={torch.get_num_threads()}"
    outcome = run(*words, "-m", "seed=0,1,2", "hydra.launcher.n_jobs=2", threads, "output_dir=beside")
    assert outcome.exit_code == 0, outcome.stderr
    assert "3 jobs, 2 at a time, 1 thread each" in outcome.stdout
    ended = re.findall(r"^completed +00[123] seed=[012]  \((\d) of 3(, \d+ s left)?\)$", outcome.stdout, re.M)
    assert [(number, bool(left)) for number, left in ended] == [("1", True), ("2", True), ("3", False)]
    run(*words, "seed=2", "output_dir=alone")
    for seed, other in ((0, "run/seed-0"), (1, "run/seed-1"), (2, "alone")):
        assert_same_weights(*(weights(f"{one}/checkpoints/last.ckpt") for one in (f"beside/seed-{seed}", other)))
        assert "MNIST5k" in Path(f"beside/seed-{seed}/console.txt").read_text()


@pytest.mark.slow
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
    words = [*SHORT, "-m", "trainer.max_epochs=2,30"]
    command = [sys.executable, "-m", "gan_lightning.train", *words]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as sweep:
        until(Path("run/trainer.max_epochs-30/samples/epoch_0005.png").exists)
        os.kill(sweep.pid, signal.SIGKILL)
        sweep.wait()
    lock = FileLock("run/trainer.max_epochs-30/.lock")
    with lock.acquire(timeout=30):  # the jobs follow their parent
        pass
    assert status("trainer.max_epochs-2")["state"] == "completed"
    assert status("trainer.max_epochs-30")["state"] == "running"  # nobody could say otherwise
    outcome = run(*words)
    assert outcome.exit_code == 0, outcome.stderr
    assert "2 jobs, 2 completed" in outcome.stdout
    run(*words, BASIC, "output_dir=whole")
    for job in ("trainer.max_epochs-2", "trainer.max_epochs-30"):
        assert_same_weights(*(weights(f"{one}/{job}/checkpoints/last.ckpt") for one in ("run", "whole")))
        assert results(f"run/{job}") == results(f"whole/{job}")
    tables = [Path(folder, "report/table.md").read_text() for folder in ("run", "whole")]
    assert tables[0] == tables[1]


@pytest.mark.slow
def test_a_sweep_that_is_terminated_writes_what_its_jobs_have_and_goes_on(run: Run, tmp_path: Path) -> None:
    words = [*SHORT, "-m", "seed=0,1,2", "hydra.launcher.n_jobs=2", "trainer.max_epochs=15"]
    command = [sys.executable, "-m", "gan_lightning.train", *words]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as sweep:
        for seed in (0, 1):
            until(Path(f"run/seed-{seed}/samples/epoch_0002.png").exists)
        sweep.send_signal(signal.SIGTERM)
        said, _ = sweep.communicate()
        assert sweep.returncode == 130, said
    assert b"Traceback" not in said
    assert [status(f"seed-{seed}")["state"] for seed in (0, 1)] == ["interrupted"] * 2
    assert not Path("run/seed-2/config.yaml").exists()
    outcome = run(*words)
    assert "3 jobs, 3 completed" in outcome.stdout
    run(*words[:-4], "seed=0", *words[-1:], "output_dir=whole")
    assert_same_weights(*(weights(f"{folder}/checkpoints/last.ckpt") for folder in ("run/seed-0", "whole")))


def until(true: object, seconds: float = 120) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.usefixtures("finished_sweep")
def test_jobs_of_slurm_are_the_same(run: Run) -> None:
    outcome = run(*ONE_EPOCH, "hydra/launcher=submitit_local", "hydra.launcher.timeout_min=10")
    assert outcome.exit_code == 0, outcome.stdout + outcome.stderr
    assert_same_jobs()


@pytest.mark.slow
@pytest.mark.usefixtures("finished_sweep")
def test_jobs_of_ray_are_the_same(tmp_path: Path) -> None:
    one_worker = [f"+hydra.launcher.ray.init.{word}" for word in ("num_cpus=1", "include_dashboard=false")]
    command = [sys.executable, "-m", "gan_lightning.train", *ONE_EPOCH, "hydra/launcher=ray", *one_worker]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_same_jobs()


ONE_EPOCH = (*SHORT, "-m", "seed=0,1", "trainer.max_epochs=1", "output_dir=there")


def assert_same_jobs() -> None:
    """As those of the finished sweep, which ran here."""
    for seed in (0, 1):
        assert json.loads(Path(f"there/seed-{seed}/status.json").read_text())["state"] == "completed"
        assert_same_weights(*(weights(f"{one}/seed-{seed}/checkpoints/last.ckpt") for one in ("there", "run")))
