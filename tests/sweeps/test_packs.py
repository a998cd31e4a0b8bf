"""Jobs of a sweep that share a process."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import SHORT, Run, the_one_line, weights

from gan_lightning.cli import composed
from gan_lightning.packing.pack import Pack
from gan_lightning.sweeps import launcher
from gan_lightning.sweeps.kinds import kind_of
from gan_lightning.sweeps.surroundings import Surroundings

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.mark.parametrize(
    ("words", "same"),
    [
        (["seed=1", "optimizer.lr=1e-3", "optimizer.betas=[0.9,0.999]"], True),
        (["optimizer=goodfellow_sgd", "trainer.max_epochs=7", "callbacks.samples=null", "output_dir=elsewhere"], True),
        (["model.discriminator.dropout=0.5", "model.generator.latent_distribution=uniform"], True),
        (["objective.switch_epoch=null", "penalty.gamma=0.3", "gan.discriminator_clip_norm=1"], True),
        (["penalty.gamma={_target_: gan_lightning.schedules.Cosine, first: 1.0, last: 0.1, images: 1e5}"], True),
        (["gan.ema.half_life=1000"], False),
        (["gan.discriminator_steps=1"], False),
        (["dataset.batch_size=16"], False),
        (["model.discriminator.hidden_dim=16"], False),
        (["objective=hinge"], False),
        (["penalty=gradient_penalty"], False),
        (["trainer.precision=bf16-mixed"], False),
        (["trainer.deterministic=warn"], False),
    ],
)
def test_jobs_that_differ_in_numbers_alone_are_of_a_kind(words: list[str], same: bool) -> None:
    kinds = [kind_of(composed("config", ["penalty=r1", *each])) for each in ([], words)]
    assert (kinds[0] == kinds[1]) is same


@pytest.mark.slow
def test_packed_jobs_are_what_they_are_alone_also_where_one_diverges(run: Run) -> None:
    words = (*SHORT, "-m", "seed=0,1", "optimizer.lr=1e-3,1e30", "trainer.max_epochs=2", "trainer.log_every_n_steps=1")
    packed = ("hydra/launcher=packed", "hydra.launcher.pack=2", "hydra.launcher.n_jobs=1")
    outcome = run(*words, *packed)
    assert outcome.exit_code == 0, outcome.stderr
    assert "4 jobs, 2 at a time" in outcome.stdout
    assert "4 jobs, 2 completed, 2 diverged" in outcome.stdout
    run(*words, "hydra/launcher=basic", "output_dir=alone")
    for seed in (0, 1):
        name = f"optimizer.lr-0.001+seed-{seed}"
        own, other = (weights(f"{folder}/{name}/checkpoints/last.ckpt") for folder in ("run", "alone"))
        for key, tensor in own.items():
            torch.testing.assert_close(tensor, other[key], rtol=0, atol=1e-5)
        console = Path("run", name, "console.txt").read_text()
        assert re.findall(r"seed (\d)\b", console) == [str(seed)]
        log = Path("run", name, "train.log").read_text()
        assert "TensorBoard" in log or "pictures" in log
        status = json.loads(Path("run", name, "status.json").read_text())
        assert (status["state"], f"seed={seed}" in status["overrides"]) == ("completed", True)


class Parent:
    """Whom a process tells how its jobs end, and who has no more of them."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def send(self, told: Any) -> None:
        self.told.append(told)

    def poll(self, seconds: float) -> bool:
        return True

    def recv(self) -> None:
        return None


@pytest.mark.parametrize("error", [SystemExit(0), OSError("unwritable"), TypeError("cannot pickle")])
@pytest.mark.parametrize("stopping", [False, True])
def test_a_job_whose_end_cannot_be_told_leaves_its_place_unless_all_end(
    error: BaseException, stopping: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fails(_: object) -> None:
        raise error

    monkeypatch.setattr(launcher, "_result", fails)
    parent, pack = Parent(), Pack()
    pack.asked_to_stop = stopping
    monkeypatch.setattr(Surroundings, "print_to", lambda *_: None)
    launcher._go_on(launcher._Program(7, tmp_path, b""), Surroundings(), parent, pack)
    assert parent.told == ([] if stopping else [(7, b"")])


def test_of_jobs_that_share_a_process_each_has_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    one, other = Surroundings(), Surroundings()
    Path("one").mkdir()
    with one:
        os.chdir("one")
    with other:
        assert Path.cwd() == tmp_path
    with one:
        assert Path.cwd() == tmp_path / "one"


def test_a_pack_of_none(run: Run) -> None:
    line = the_one_line(run(*SHORT, "-m", "seed=0,1", "hydra.launcher.pack=0"))
    assert "hydra.launcher.pack (unless auto) must be a whole number of at least 1, not 0" in line


@pytest.mark.parametrize(("gpus", "at_a_time"), [(["0", "1"], 16), ([], 2)])
def test_packs_by_themselves_are_for_gpus(gpus: list[str], at_a_time: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "_gpus", lambda: gpus)
    monkeypatch.setattr(launcher, "_cores", lambda: 2)
    local = launcher.LocalLauncher(pack="auto")
    local.config = composed("config", ["trainer.accelerator=auto"])
    assert local.at_a_time == at_a_time
