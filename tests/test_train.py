"""The training: what a run leaves behind, how it ends, and how it goes on."""

import csv
import errno
import json
import math
import os
import re
import signal
import subprocess
import sys
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import (
    CONDITIONAL,
    PICTURED,
    SHORT,
    TWO_PROCESSES,
    Run,
    assert_same_weights,
    forks,
    tensorboard,
    the_one_line,
    weights,
    without_model,
)
from matplotlib.axes import Axes
from omegaconf import OmegaConf
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan_lightning import sample
from gan_lightning.callbacks.statistics import TAGS as ALL_TAGS
from gan_lightning.data.mnist5k import MNIST5k
from gan_lightning.loop.checkpoint_files import WholeCheckpoints
from gan_lightning.reports.event_files import read_scalars

TAGS = {
    name: ALL_TAGS[name]
    for name in (
        *("generator_loss", "discriminator_loss", "real_probability", "fake_probability"),
        "discriminator_accuracy",
    )
}
"""Those of an objective whose logits are log-odds."""


def events(folder: str) -> EventAccumulator:
    return EventAccumulator(folder, size_guidance={"images": 0, "scalars": 0}).Reload()


@pytest.mark.slow
def test_what_a_run_leaves_behind(run: Run) -> None:
    outcome = run(*PICTURED, "trainer.max_epochs=3", "callbacks.checkpoints.every_n_epochs=2")
    assert outcome.exit_code == 0, outcome.stderr
    folder = Path("run")
    assert {path.name for path in folder.iterdir() if not path.name.startswith("events.out.tfevents")} == {
        ".lock", "checkpoints", "config.yaml", "exhibits", "hparams.yaml", "loss_curves.png", "metrics.json",
        "real_and_fake.png", "samples", "train.log", "training.gif",
    }  # fmt: skip
    assert {path.name for path in (folder / "samples").iterdir()} == {f"epoch_000{n}.png" for n in (1, 2, 3)}
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {
        "last.ckpt",
        "before_last.ckpt",
        "epoch_0002.ckpt",
    }
    assert OmegaConf.load(folder / "config.yaml").dataset.batch_size == 8
    for picture in folder.rglob("*.png"):
        pixels = np.asarray(Image.open(picture).convert("L"))
        assert pixels.std() > 10, f"{picture} is blank"
    with Image.open(folder / "training.gif") as film:
        assert film.n_frames == 3

    results = json.loads((folder / "metrics.json").read_text())
    assert results["epochs"] == 3
    assert results["alternations"] == 15
    assert results.keys() >= TAGS.keys() | {"training_seconds", "images_per_second"}
    assert all(math.isfinite(value) for value in results.values())

    pictures, page, board, go_on = outcome.stdout.strip().splitlines()[-4:]
    assert "run" in pictures
    assert page.endswith("gan_lightning.report run=run")
    assert board.endswith("--logdir run")
    assert "ckpt_path=auto" in go_on
    assert go_on.strip() in (folder / "train.log").read_text()
    for shown in ("D loss=", "G loss=", "images/s="):
        assert shown in outcome.stdout


@pytest.mark.slow
def test_tensorboard_tags_and_steps(run: Run) -> None:
    run(*SHORT, "trainer.max_epochs=3", "gan.discriminator_steps=3")
    written = events("run")
    for tag in TAGS.values():
        # Five alternations an epoch, a point after every two and at the end of the epoch, whatever k is.
        assert [event.step for event in written.Scalars(tag)] == [2, 4, 5, 7, 9, 10, 12, 14, 15]
        assert all(math.isfinite(event.value) for event in written.Scalars(tag))
    assert [event.value for event in written.Scalars("epoch")] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert all(0 < event.value < 1 for event in written.Scalars("probability/fake"))
    images = written.Images("samples")
    assert [image.step for image in images] == [5, 10, 15]  # the same x-axis
    assert images[-1].encoded_image_string[:4] == b"\x89PNG"
    hparams = written.summary_metadata.keys() & {"_hparams_/experiment", "_hparams_/session_start_info"}
    assert len(hparams) == 2
    start = written.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    for shown in (b"optimizer.generator.lr", b"dataset.batch_size", b"gan.discriminator_steps", b"Switch"):
        assert shown in start
    results = json.loads(Path("run/metrics.json").read_text())
    assert written.Scalars("final/generator_loss")[-1].value == pytest.approx(results["generator_loss"])


def test_the_fixed_latents_stay_the_same_through_a_run(run: Run) -> None:
    """With learning rates of 0 nothing moves, so that every epoch shows the same pictures."""
    run(*SHORT, "trainer.max_epochs=2", "optimizer.lr=0")
    first, second = (Path(f"run/samples/epoch_000{n}.png").read_bytes() for n in (1, 2))
    assert first == second


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(run: Run) -> None:
    for folder, seed in (("one", 1), ("same", 1), ("other", 2)):
        torch.manual_seed(len(folder))
        assert run(*SHORT, "trainer.max_epochs=2", f"seed={seed}", f"output_dir={folder}").exit_code == 0
    one, same, other = (weights(f"{folder}/checkpoints/last.ckpt") for folder in ("one", "same", "other"))
    assert_same_weights(one, same)
    assert not any(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_looking_at_a_run_does_not_change_it(run: Run) -> None:
    run(*PICTURED, "trainer.max_epochs=2")
    unseen = ("~callbacks.samples", "~logger.tensorboard", "trainer.log_every_n_steps=100", "output_dir=unseen")
    outcome = run(*SHORT, "trainer.max_epochs=2", *unseen)
    assert outcome.exit_code == 0, outcome.stderr
    assert not Path("unseen/samples").exists()
    assert_same_weights(weights("run/checkpoints/last.ckpt"), weights("unseen/checkpoints/last.ckpt"))


VARIANTS = {
    "baseline": (),
    "fresh": ("gan.discriminator_batches=fresh", "gan.discriminator_steps=2"),
    "averaged and penalised": (
        *("objective=rpgan", "penalty=r1_r2", "augmentation=diffaugment", "gan.discriminator_steps=1"),
        "penalty.gamma={_target_: gan_lightning.schedules.Cosine, first: 1.0, last: 0.1, images: 100}",
        "optimizer.lr={_target_: gan_lightning.schedules.Cosine, first: 1e-3, last: 1e-4, images: 100}",
        "gan.ema.half_life={_target_: gan_lightning.schedules.Cosine, first: 0, last: 50, images: 100}",
    ),
    "schedule": ("experiment=goodfellow_mnist", "model=mlp", "optimizer.scheduler.updates_per_epoch=2"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_resumed_run_equals_an_uninterrupted_one(variant: str, run: Run) -> None:
    short = (*VARIANTS[variant], *SHORT)
    assert run(*short, "trainer.max_epochs=3", "output_dir=whole").exit_code == 0
    run(*short, "trainer.max_epochs=2")
    outcome = run(*short, "trainer.max_epochs=3", "ckpt_path=run/checkpoints/last.ckpt")
    assert outcome.exit_code == 0, outcome.stderr
    assert_same_weights(weights("whole/checkpoints/last.ckpt"), weights("run/checkpoints/last.ckpt"))
    assert Path("whole/samples/epoch_0003.png").read_bytes() == Path("run/samples/epoch_0003.png").read_bytes()
    whole, resumed = (json.loads(Path(f"{folder}/metrics.json").read_text()) for folder in ("whole", "run"))
    timed = ("training_seconds", "images_per_second")
    assert {k: v for k, v in whole.items() if k not in timed} == {k: v for k, v in resumed.items() if k not in timed}


@pytest.mark.parametrize(("after", "name"), [(3, "SIGINT"), (5, "SIGINT"), (7, "SIGTERM"), (14, "SIGINT")])
def test_an_interrupted_run_ends_cleanly_and_goes_on_bit_for_bit(after: int, name: str, run: Run, whole: Path) -> None:
    plug = (f"+callbacks.plug={{_target_: plugs.Signal, after: {after}, name: {name}}}",)
    outcome = run(*SHORT, "trainer.max_epochs=3", *plug)
    assert outcome.exit_code == 130
    assert "Traceback" not in outcome.stdout + outcome.stderr
    assert f"interrupted in epoch {(after - 1) // 5 + 1}" in outcome.stdout
    assert "ckpt_path=auto" in outcome.stdout.splitlines()[-1]
    assert ("samples/ has one of each epoch" in outcome.stdout) == (after >= 5)
    assert torch.load("run/checkpoints/last.ckpt", weights_only=True)["alternations"] == after
    assert not Path("run/metrics.json").exists()  # what marks a finished run
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    outcome = run(*SHORT, "trainer.max_epochs=3", "ckpt_path=run/checkpoints/last.ckpt")
    assert outcome.exit_code == 0, outcome.stderr
    place = "after epoch 1" if after == 5 else f"within epoch {(after - 1) // 5 + 1}"
    assert f"goes on {place}, from run/checkpoints/last.ckpt\n" in outcome.stdout
    assert "until there" not in outcome.stdout  # as many images as before
    assert_same_weights(weights(whole / "checkpoints/last.ckpt"), weights("run/checkpoints/last.ckpt"))
    expected, resumed = events(str(whole)), events("run")
    for tag in TAGS.values():
        assert [(e.step, e.value) for e in resumed.Scalars(tag)] == [(e.step, e.value) for e in expected.Scalars(tag)]


@pytest.mark.parametrize(("seconds", "alternations"), [(0, 7), (1.1, None)])
def test_a_second_signal_stops_at_once_unless_it_is_the_same_one(
    seconds: float, alternations: int | None, run: Run
) -> None:
    plug = f"+callbacks.plug={{_target_: plugs.SignalTwice, after: 7, seconds: {seconds}}}"
    outcome = run(*SHORT, "trainer.max_epochs=2", plug)
    assert outcome.exit_code == 130
    last = torch.load("run/checkpoints/last.ckpt", weights_only=True)["alternations"]
    assert last == (alternations or 5)  # of the epoch before


def test_a_slurm_job_that_has_to_make_room_is_queued_again_and_goes_on(
    run: Run, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scontrol = tmp_path / "bin" / "scontrol"
    scontrol.parent.mkdir()
    scontrol.write_text(f"#!/bin/sh\necho $@ > {tmp_path}/asked\n")
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", str(scontrol.parent), prepend=os.pathsep)
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    words = (*SHORT, "trainer.max_epochs=3", "ckpt_path=auto")
    outcome = run(*words, "+callbacks.plug={_target_: plugs.Signal, after: 7, name: SIGUSR1}")
    assert outcome.exit_code == 130
    assert (tmp_path / "asked").read_text() == "requeue 17\n"
    assert run(*words).exit_code == 0
    assert_same_weights(weights(whole / "checkpoints/last.ckpt"), weights("run/checkpoints/last.ckpt"))


def test_who_waits_for_a_job_that_makes_room_is_told_once_its_checkpoint_is_there(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    there = []
    before = signal.signal(signal.SIGUSR2, lambda *_: there.append(Path("run/checkpoints/last.ckpt").exists()))
    try:
        run(*SHORT, "trainer.max_epochs=1", "+callbacks.plug={_target_: plugs.Signal, after: 2, name: SIGUSR2}")
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert there == [True]


def test_a_full_disk_is_told_with_the_right_path_and_leaves_what_was_whole(
    run: Run, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = 0
    sync = os.fsync

    def full(file: int) -> None:
        nonlocal written
        written += 1
        if written > 3:  # the settings, and the checkpoints of two epochs
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(file)

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        outcome = run(*SHORT, "trainer.max_epochs=3", "callbacks.samples=null")
    assert outcome.exit_code == 1
    assert outcome.stderr == (
        "error: cannot use run/checkpoints/last.ckpt: No space left on device; make room on that disk\n"
    )
    assert "ckpt_path=auto" in outcome.stdout.splitlines()[-1]
    assert not list(Path("run").rglob(".*.unfinished"))
    assert run(*SHORT, "trainer.max_epochs=3", "callbacks.samples=null", "ckpt_path=auto").exit_code == 0
    assert_same_weights(weights(whole / "checkpoints/last.ckpt"), weights("run/checkpoints/last.ckpt"))


def test_a_folder_that_is_gone(run: Run) -> None:
    outcome = run(*SHORT, "trainer.max_epochs=2", "+callbacks.plug={_target_: plugs.Remove, after: 2, folder: run}")
    assert outcome.exit_code == 1
    (line,) = outcome.stderr.splitlines()
    assert re.match(r"error: cannot use run/\S+: No such file or directory; was its folder moved or removed\?", line)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full disk here")
def test_tensorboards_writer_that_fails_ends_in_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with FileIO("/dev/full", "w") as full:
        monkeypatch.setattr("tensorboard.summary.writer.record_writer.RecordWriter.write", full.write)
        outcome = run(*SHORT, "trainer.max_epochs=2")
    assert outcome.exit_code == 1
    assert outcome.stderr == "error: cannot use run: No space left on device; make room on that disk\n"


def test_a_checkpoint_every_so_many_minutes(run: Run, whole: Path) -> None:
    always = "callbacks.last_checkpoint.every_n_minutes=0"
    with pytest.raises(RuntimeError, match="plug"):
        run(*SHORT, "trainer.max_epochs=3", always, "+callbacks.plug={_target_: plugs.Crash, after: 8}")
    assert torch.load("run/checkpoints/last.ckpt", weights_only=True)["alternations"] == 8
    outcome = run(*SHORT, "trainer.max_epochs=3", "ckpt_path=auto")
    assert outcome.exit_code == 0, outcome.stderr
    assert_same_weights(weights(whole / "checkpoints/last.ckpt"), weights("run/checkpoints/last.ckpt"))


def test_what_the_last_checkpoint_does_not_bring_back_is_on_the_disk_before_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is killed writes nothing more, and what goes on from the checkpoint does not log it again."""
    saved = []
    save = WholeCheckpoints.save_checkpoint

    def look(self: WholeCheckpoints, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        save(self, checkpoint, path, storage_options)
        if path == Path("run/checkpoints/last.ckpt"):
            history = checkpoint["callbacks"]["Statistics"]["history"]
            known = [(point["alternation"], pytest.approx(point["generator_loss"])) for point in history]
            assert read_scalars(Path("run")).get("loss/generator", []) == known
            saved.append((checkpoint["alternations"], sorted(each.name for each in path.parent.glob("epoch_*"))))

    monkeypatch.setattr(WholeCheckpoints, "save_checkpoint", look)
    often = ("callbacks.last_checkpoint.every_n_minutes=0", "callbacks.checkpoints.every_n_epochs=1")
    assert run(*SHORT, *often, "callbacks.samples=null", "trainer.max_epochs=2").exit_code == 0
    epochs = ["epoch_0001.ckpt", "epoch_0002.ckpt"]
    assert saved == [(n, epochs[: n // 5]) for n in range(1, 11)]


def test_a_run_that_was_killed_while_its_pictures_were_drawn_draws_them(run: Run) -> None:
    words = (*PICTURED, "trainer.max_epochs=2", "ckpt_path=auto")
    assert run(*words).exit_code == 0
    checkpoint = Path("run/checkpoints/last.ckpt").read_bytes()
    results = json.loads(Path("run/metrics.json").read_text())
    drawn = {Path("run", name): Path("run", name).read_bytes() for name in ("loss_curves.png", "training.gif")}
    for path in ("metrics.json", "real_and_fake.png", "exhibits/exhibits.json", *(path.name for path in drawn)):
        Path("run", path).unlink()
    outcome = run(*words)
    assert outcome.exit_code == 0, outcome.stderr
    assert all(path.read_bytes() == content for path, content in drawn.items())
    assert Path("run/real_and_fake.png").exists()
    assert Path("run/exhibits/exhibits.json").exists()
    again = json.loads(Path("run/metrics.json").read_text())
    assert again["training_seconds"] == pytest.approx(results["training_seconds"], abs=20)
    assert again | {"training_seconds": 0} == results | {"training_seconds": 0}
    assert read_scalars(Path("run"))["final/generator_loss"][-1][1] == pytest.approx(results["generator_loss"])
    assert Path("run/checkpoints/last.ckpt").read_bytes() == checkpoint  # nothing was trained
    assert "already has 2 epochs" in the_one_line(run(*words))


@pytest.mark.parametrize("damage", [b"", b"PK", None])
def test_for_a_last_checkpoint_that_is_damaged_there_is_the_one_before(
    damage: bytes | None, run: Run, whole: Path
) -> None:
    run(*SHORT, "trainer.max_epochs=2")
    last = Path("run/checkpoints/last.ckpt")
    last.write_bytes(last.read_bytes()[:-100] if damage is None else damage)
    outcome = run(*SHORT, "trainer.max_epochs=3", "ckpt_path=auto")
    assert outcome.exit_code == 0, outcome.stderr
    said = "run/checkpoints/last.ckpt is not a checkpoint, or it is damaged; the one before it is used"
    assert said in outcome.stdout + outcome.stderr
    assert_same_weights(weights(whole / "checkpoints/last.ckpt"), weights("run/checkpoints/last.ckpt"))
    last.write_bytes(b"")
    assert "64 samples" in run("ckpt=run", entry_point=sample).stdout
    Path("run/checkpoints/before_last.ckpt").unlink()
    assert "damaged" in the_one_line(run("ckpt=run", entry_point=sample))


def test_a_run_interrupted_in_its_last_alternation_is_simply_done(run: Run) -> None:
    outcome = run(*SHORT, "trainer.max_epochs=1", "+callbacks.plug={_target_: plugs.Signal, after: 5}")
    assert outcome.exit_code == 0
    assert Path("run/metrics.json").exists()


@pytest.mark.slow
def test_a_finished_run_that_goes_on_is_not_finished_until_it_is(run: Run) -> None:
    run(*PICTURED, "trainer.max_epochs=1")
    Path("run/loss_curves.png").unlink()
    plug = "+callbacks.plug={_target_: plugs.Signal, after: 7}"
    run(*PICTURED, "trainer.max_epochs=3", "ckpt_path=run/checkpoints/last.ckpt", plug)
    assert not Path("run/metrics.json").exists()
    assert Path("run/loss_curves.png").exists()  # what there is to see is drawn nevertheless


def test_bf16_keeps_float32_weights_and_optimizers(run: Run) -> None:
    outcome = run(*SHORT, "trainer.max_epochs=2", "trainer.precision=bf16-mixed")
    assert outcome.exit_code == 0, outcome.stderr
    run(*SHORT, "trainer.max_epochs=2", "output_dir=fp32")
    half, full = weights("run/checkpoints/last.ckpt"), weights("fp32/checkpoints/last.ckpt")
    for name in full:
        assert half[name].dtype == torch.float32
        assert not torch.equal(half[name], full[name])
        torch.testing.assert_close(half[name], full[name], atol=5e-3, rtol=0)
    optimizers = torch.load("run/checkpoints/last.ckpt", weights_only=True)["optimizer_states"]
    states = [value for optimizer in optimizers for state in optimizer["state"].values() for value in state.values()]
    assert {value.dtype for value in states} == {torch.float32}


@pytest.mark.slow
def test_tensorboard_serves_scalars_images_and_hparams(run: Run) -> None:
    run(*SHORT, "trainer.max_epochs=2", "output_dir=outputs/run")
    with tensorboard("outputs") as get:
        assert get("plugin/scalars/tags")["run"].keys() >= set(TAGS.values())
        assert get("plugin/images/images?tag=samples&run=run&sample=0")[-1]["step"] == 10
        names = {info["name"] for info in get("plugin/hparams/experiment", experimentName="")["hparamInfos"]}
    assert names >= {"optimizer.generator.lr", "dataset.batch_size", "gan.discriminator_steps", "objective"}
    assert not any(name.startswith("callbacks") or name.endswith("_dir") for name in names)


def test_a_crash_is_loud_and_the_epochs_before_it_are_kept(run: Run, whole: Path) -> None:
    with pytest.raises(RuntimeError, match="the plug was pulled"):
        run(*SHORT, "trainer.max_epochs=3", "+callbacks.plug={_target_: plugs.Crash, after: 7}")
    assert not Path("run/metrics.json").exists()
    assert run(*SHORT, "trainer.max_epochs=3", "ckpt_path=run/checkpoints/last.ckpt").exit_code == 0
    assert_same_weights(weights(whole / "checkpoints/last.ckpt"), weights("run/checkpoints/last.ckpt"))


def test_the_generator_switches_after_the_right_epoch_also_after_a_resume(run: Run) -> None:
    """The non-saturating loss is positive, the minimax loss negative."""
    short = (*SHORT, "objective.switch_epoch=3")
    run(*short, "trainer.max_epochs=2")
    run(*short, "trainer.max_epochs=5", "ckpt_path=run/checkpoints/last.ckpt")
    written = events("run")
    epochs = [event.value for event in written.Scalars("epoch")]
    losses = [event.value for event in written.Scalars("loss/generator")]
    assert {epoch: {loss > 0 for e, loss in zip(epochs, losses, strict=True) if e == epoch} for epoch in epochs} == {
        1: {True}, 2: {True}, 3: {True}, 4: {False}, 5: {False},
    }  # fmt: skip


def test_goodfellows_model_begins_at_the_mean_image(run: Run) -> None:
    outcome = run(
        "experiment=goodfellow_mnist", "dataset=mnist5k", "dataset.num_train_images=200", "trainer.max_epochs=2",
        "output_dir=run", "trainer.accelerator=cpu",
    )  # fmt: skip
    assert outcome.exit_code == 0, outcome.stderr
    checkpoint = torch.load("run/checkpoints/last.ckpt", weights_only=True)
    generator_group, discriminator_group = (state["param_groups"][0] for state in checkpoint["optimizer_states"])
    assert generator_group["momentum"] == discriminator_group["momentum"] == 0.5
    assert generator_group["lr"] == discriminator_group["lr"] == pytest.approx(0.1 / 1.000004**4)
    # Four updates move little: the samples still resemble the mean of the images beside them.
    samples = np.asarray(Image.open("run/samples/epoch_0001.png").convert("L"), dtype=float)
    cells = np.stack([samples[2 + 30 * r : 30 + 30 * r, 2 + 30 * c : 30 + 30 * c] for r in range(8) for c in range(8)])
    module = MNIST5k(num_train_images=200)
    module.setup("fit")
    mean_image = module.train_images.double().mean(0)[0].numpy()
    assert np.corrcoef(cells.mean(0).ravel(), mean_image.ravel())[0, 1] > 0.95


@pytest.mark.slow
def test_going_on_from_an_older_checkpoint_draws_the_curves_anew(run: Run) -> None:
    every = (*PICTURED, "callbacks.checkpoints.every_n_epochs=1")
    run(*every, "trainer.max_epochs=3")
    run(*every, "trainer.max_epochs=4", "ckpt_path=run/checkpoints/epoch_0001.ckpt")
    steps = [event.step for event in events("run").Scalars("loss/generator")]
    assert steps == [2, 4, 5, 7, 9, 10, 12, 14, 15, 17, 19, 20]
    assert [event.step for event in events("run").Images("samples")] == [5, 10, 15, 20]
    with Image.open("run/training.gif") as film:
        assert film.n_frames == 4


def test_a_checkpoint_is_gone_on_from_where_there_is_one(run: Run, finished: Path) -> None:
    resume = (*SHORT, "ckpt_path=auto")
    assert run(*resume, "trainer.max_epochs=1", "output_dir=new").exit_code == 0
    assert_same_weights(weights("new/checkpoints/last.ckpt"), weights(finished / "checkpoints/last.ckpt"))
    for folder in ("new", "run"):
        assert run(*resume, "trainer.max_epochs=2", f"output_dir={folder}").exit_code == 0
    assert_same_weights(weights("new/checkpoints/last.ckpt"), weights("run/checkpoints/last.ckpt"))
    assert {path.name for path in Path("new/samples").iterdir()} >= {"epoch_0002.png"}


def test_a_run_that_died_before_its_first_checkpoint_is_started_anew(run: Run) -> None:
    with pytest.raises(RuntimeError, match="plug"):
        run(*SHORT, "trainer.max_epochs=1", "+callbacks.plug={_target_: plugs.Crash, after: 1}")
    outcome = run(*SHORT, "trainer.max_epochs=1", "ckpt_path=auto")
    assert outcome.exit_code == 0, outcome.stderr
    assert Path("run/metrics.json").exists()


def test_a_limit_of_time_is_that_of_each_try(run: Run) -> None:
    words = (*SHORT, "trainer.max_time=00:00:10:00", "ckpt_path=auto")
    assert run(*words, "trainer.max_epochs=1").exit_code == 0
    checkpoint = torch.load("run/checkpoints/last.ckpt", weights_only=True)
    checkpoint["callbacks"]["Timer"]["time_elapsed"]["train"] = 3600.0
    torch.save(checkpoint, "run/checkpoints/last.ckpt")
    assert run(*words, "trainer.max_epochs=2").exit_code == 0
    assert json.loads(Path("run/metrics.json").read_text())["epochs"] == 2


@pytest.mark.parametrize("after", [4, 10])
def test_what_several_alternations_a_step_have_trained_goes_on_one_by_one(after: int, run: Run, whole: Path) -> None:
    """As of a checkpoint that `trainer=gpu` made, on a CPU: in the middle of an epoch, and between two."""
    stop = f"+callbacks.plug={{_target_: plugs.Signal, after: {after}}}"
    assert run(*SHORT, "trainer.max_epochs=3", "gan.alternations_per_step=2", stop).exit_code == 130
    outcome = run(*SHORT, "trainer.max_epochs=3", "ckpt_path=auto")
    assert outcome.exit_code == 0, outcome.stderr
    assert ("gan.alternations_per_step=2" in outcome.stdout) == (after == 4)
    assert_same_weights(weights("run/checkpoints/last.ckpt"), weights(whole / "checkpoints/last.ckpt"))


@pytest.mark.parametrize(
    ("logger", "leaves"), [("none", set()), ("csv", {"csv"}), ("[tensorboard,csv]", {"csv", "ev"})]
)
def test_loggers(logger: str, leaves: set[str], run: Run) -> None:
    for epochs in (1, 2):
        words = (f"logger={logger}", f"trainer.max_epochs={epochs}", "ckpt_path=auto")
        outcome = run(*SHORT, *words)
        assert outcome.exit_code == 0, outcome.stderr
    there = {path.name for path in Path("run").iterdir()}
    assert ("csv" in there) == ("csv" in leaves)
    assert any(name.startswith("events.out") for name in there) == ("ev" in leaves)
    if "csv" in leaves:  # the rows of before are in a file of their own
        rows = [csv.DictReader(path.read_text().splitlines()) for path in sorted(Path("run/csv").rglob("metrics.csv"))]
        statistics = [row for reader in rows for row in reader if row["epoch"]]
        assert sorted(int(row["step"]) for row in statistics) == [2, 4, 5, 7, 9, 10]


def test_a_run_that_time_cuts_short_is_not_finished(run: Run) -> None:
    outcome = run(*SHORT, "trainer.max_epochs=9", "trainer.max_steps=18")
    assert outcome.exit_code == 0, outcome.stderr
    assert "trainer.max_steps=18 is over, after 3 alternations" in outcome.stdout
    assert "max_steps" not in outcome.stdout.splitlines()[-1]  # or it would not go on
    assert Path("run/checkpoints/last.ckpt").exists()
    assert not Path("run/metrics.json").exists()


@pytest.mark.slow
@forks
@pytest.mark.parametrize(
    "settings",
    [
        ("gan.simultaneous=false",),
        ("gan.simultaneous=true",),
        ("objective=rpgan", "penalty=r1_r2", "augmentation=diffaugment", "gan.ema.half_life=50"),
    ],
    ids=["in turn", "simultaneous", "averaged and penalised"],
)
def test_two_processes_train_together_and_go_on_bit_for_bit(settings: tuple[str, ...], run: Run) -> None:
    """On the CPU."""
    words = (*SHORT, *settings, *TWO_PROCESSES)
    for more in (
        ("trainer.max_epochs=3", "output_dir=whole"),
        ("trainer.max_epochs=2",),
        ("trainer.max_epochs=3", "ckpt_path=run/checkpoints/last.ckpt"),
    ):
        outcome = run(*words, *more)
        assert outcome.exit_code == 0, outcome.stderr
    assert_same_weights(weights("whole/checkpoints/last.ckpt"), weights("run/checkpoints/last.ckpt"))
    checkpoint = torch.load("run/checkpoints/last.ckpt", weights_only=True)
    for of_all in checkpoint["random"]["states"].values():
        assert torch.equal(of_all[0], of_all[1])  # they are in step
    assert checkpoint["alternations"] == 9  # 20 images each, 8 a batch


@pytest.mark.slow
@forks
@pytest.mark.parametrize(
    "settings",
    [
        ("gan.simultaneous=true", "objective=non_saturating"),
        ("gan.discriminator_batches=fresh", "gan.discriminator_steps=2", "gan.alternations_per_step=2"),
        ("objective=rpgan", "penalty=r1_r2", "augmentation=diffaugment", "gan.ema.half_life=50", "optimizer=r3gan"),
        ("objective=wasserstein", "penalty=gradient_penalty", "augmentation=instance_noise"),
        ("objective=lsgan", *CONDITIONAL, "gan.generator_clip_norm=0.1"),
    ],
    ids=["simultaneous", "fresh", "averaged", "critic", "conditional"],
)
def test_two_processes_equal_one(settings: tuple[str, ...], run: Run) -> None:
    """Also with dropout; 2 × 4 images an alternation, then 1 × 8, and each goes on as the other."""
    words = [*(without_model(SHORT) if "model=dcgan" in settings else SHORT), *settings]
    one, two = ("dataset.batch_size=8",), ("dataset.batch_size=4", *TWO_PROCESSES)
    for folder, first, then in (("one", one, one), ("two", two, two), ("onward", one, two), ("back", two, one)):
        assert run(*words, *first, f"output_dir={folder}", "trainer.max_epochs=1").exit_code == 0
        outcome = run(*words, *then, f"output_dir={folder}", "trainer.max_epochs=3", "ckpt_path=auto")
        assert outcome.exit_code == 0, outcome.stderr
        assert ("in place of" in outcome.stdout) == (first != then)
    whole = weights("one/checkpoints/last.ckpt")
    for folder in ("two", "onward", "back"):
        other = weights(f"{folder}/checkpoints/last.ckpt")
        for name, weight in whole.items():
            torch.testing.assert_close(other[name], weight, rtol=1e-3, atol=2e-4)  # Adam divides by what is small


@forks
@pytest.mark.slow
def test_another_number_of_processes_needs_other_batches(run: Run) -> None:
    assert run(*SHORT, *TWO_PROCESSES, "trainer.max_epochs=1").exit_code == 0
    outcome = run(*SHORT, "trainer.max_epochs=2", "ckpt_path=auto")
    assert outcome.exit_code == 1
    assert (
        "is of 2 processes, an alternation of which sees 16 images; on 1, say dataset.batch_size=16" in outcome.stderr
    )


@forks
@pytest.mark.slow
def test_processes_that_are_started_with_the_same_command_train_the_same(run: Run) -> None:
    words = (*SHORT, "trainer.max_epochs=1")
    assert run(*words, *TWO_PROCESSES).exit_code == 0
    devices = ("trainer.devices=2", "trainer.strategy=ddp", "output_dir=started")
    command = [sys.executable, "-m", "gan_lightning.train", *words, *devices]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("MNIST5k: 40 images") == 1
    assert_same_weights(weights("run/checkpoints/last.ckpt"), weights("started/checkpoints/last.ckpt"))


@pytest.mark.slow
@pytest.mark.parametrize(("limit", "alternations_per_step"), [("1.0", 1), ("2", 2)])
def test_the_loss_curves_are_over_epochs(
    limit: str, alternations_per_step: int, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[list[float]] = []
    plot = Axes.plot

    def watched(self: Axes, x: list[float], *others: Any, **settings: Any) -> Any:
        drawn.append(x)
        return plot(self, x, *others, **settings)

    monkeypatch.setattr(Axes, "plot", watched)
    words = ("trainer.max_epochs=2", f"trainer.limit_train_batches={limit}")
    outcome = run(*PICTURED, *words, f"gan.alternations_per_step={alternations_per_step}")
    assert outcome.exit_code == 0, outcome.stderr
    assert [x[-1] for x in drawn] == 4 * [2]  # two losses, and D's answers to real and to generated images
    assert 0 < drawn[0][0] < 1.01


def test_a_critic_has_scores_and_no_probabilities(run: Run, classifiers: Path) -> None:
    words = ("objective=hinge", "callbacks=evaluation", "callbacks.evaluation.measures=[equilibrium]")
    few = ("callbacks.evaluation.num_samples=50", f"data_dir={classifiers}", "trainer.max_epochs=2")
    best = ("callbacks.best_checkpoint.metric=held_out_gap", "callbacks.best_checkpoint.mode=min")
    outcome = run(*SHORT, *words, *few, *best, "optimized_metric=held_out_gap")
    assert outcome.exit_code == 0, outcome.stderr
    for shown in ("score of x=", "score of G(z)="):
        assert shown in outcome.stdout
    results = json.loads(Path("run/metrics.json").read_text())
    given = {"real_score", "fake_score", "score_gap", "training_score", "held_out_score", "generated_score"}
    assert results.keys() >= given | {"held_out_gap"}
    assert not [name for name in results if "probability" in name or name == "held_out_accuracy"]
    assert 0 <= results["discriminator_accuracy"] <= 1
    assert results["score_gap"] == pytest.approx(results["real_score"] - results["fake_score"], abs=1e-5)
    assert results["held_out_gap"] == pytest.approx(results["held_out_score"] - results["generated_score"], abs=1e-5)
    tags = events("run").Tags()["scalars"]
    assert {"score/real", "score/fake", "score/gap", "evaluation/held_out_gap"} <= set(tags)
    assert not [tag for tag in tags if tag.startswith("probability") or tag.endswith("held_out_accuracy")]
    line = the_one_line(run(*SHORT, *words, *few, *best, "optimized_metric=held_out_accuracy", "output_dir=other"))
    assert "optimized_metric is held_out_accuracy" in line
    assert "held_out_gap" in line


@pytest.mark.parametrize(("objective", "marks"), [("non_saturating", [2 * math.log(2), 0.5]), ("hinge", [])])
def test_the_curves_are_marked_where_theory_ends_if_it_says_where(
    objective: str, marks: list[float], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[float] = []
    monkeypatch.setattr(Axes, "axhline", lambda self, y, **_: drawn.append(y))
    assert run(*PICTURED, f"objective={objective}", "trainer.max_epochs=1").exit_code == 0
    assert drawn == pytest.approx(marks)


@pytest.mark.slow
def test_samples_are_drawn_with_the_average_and_both_are_kept(run: Run, run_sample: Run, tmp_path: Path) -> None:
    words = (*SHORT, "gan.ema.half_life=200", "optimizer.lr=1e-2", "trainer.max_epochs=2")
    assert run(*words).exit_code == 0
    state = weights("run/checkpoints/last.ckpt")
    name = "layers.0.weight"
    assert not torch.equal(state[f"generator.{name}"], state[f"ema.network.{name}"])
    for asked in ("raw", "ema", "null"):
        outcome = run_sample("ckpt=run", "num_samples=4", f"weights={asked}", f"output={asked}.png")
        assert outcome.exit_code == 0, outcome.stderr
    assert Path("ema.png").read_bytes() == Path("null.png").read_bytes() != Path("raw.png").read_bytes()
    averaged = np.asarray(Image.open("ema.png"))
    assert np.array_equal(averaged[2:30, 2:30], np.asarray(Image.open("run/samples/epoch_0002.png"))[2:30, 2:30])
    run(*words, "callbacks.samples.weights=raw", "output_dir=unaveraged")
    raw = np.asarray(Image.open("raw.png"))
    assert np.array_equal(raw[2:30, 2:30], np.asarray(Image.open("unaveraged/samples/epoch_0002.png"))[2:30, 2:30])
    assert_same_weights(state, weights("unaveraged/checkpoints/last.ckpt"))
    for asked, right in (
        ("callbacks.samples.weights=ema", "half_life"),
        ("callbacks.samples.weights=best", "raw, ema"),
    ):
        assert right in the_one_line(run(*SHORT, asked, "output_dir=refused"))
        assert not Path("refused").exists()


@pytest.mark.slow
def test_a_checkpoint_of_an_earlier_version_goes_on(run: Run, run_sample: Run) -> None:
    """One that says nothing of what came later: as it was without it."""
    assert run(*SHORT, "trainer.max_epochs=3", "output_dir=whole").exit_code == 0
    run(*SHORT, "trainer.max_epochs=2")
    checkpoint = torch.load("run/checkpoints/last.ckpt", weights_only=True)
    settings = checkpoint["hyper_parameters"]
    for key in ("penalty", "augmentation", "num_classes", "log_odds"):
        del settings[key]
    del settings["gan"]["ema"], settings["objective"]["before"], settings["objective"]["after"]
    del settings["gan"]["generator_clip_norm"], settings["gan"]["discriminator_clip_norm"]
    del settings["model"]["generator"]["latent_distribution"], checkpoint["callbacks"]["Collapse"]
    del checkpoint["images_seen"], checkpoint["callbacks"]["Statistics"]["names"]
    torch.save(checkpoint, "run/checkpoints/last.ckpt")
    assert run_sample("ckpt=run").exit_code == 0
    outcome = run(*SHORT, "trainer.max_epochs=3", "ckpt_path=run/checkpoints/last.ckpt")
    assert outcome.exit_code == 0, outcome.stderr
    assert_same_weights(weights("whole/checkpoints/last.ckpt"), weights("run/checkpoints/last.ckpt"))
