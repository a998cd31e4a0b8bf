"""The scripts that the README's figures come from, shortened."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
BASELINES = BENCHMARKS / "baselines.py"
SPEED = BENCHMARKS / "speed.py"


@pytest.mark.slow
def test_the_table_of_baselines(tmp_path: Path, classifiers: Path) -> None:
    options = ("dataset=mnist5k", "trainer.limit_train_batches=2", "trainer.accelerator=cpu", f"data_dir={classifiers}")
    words = ["report_mnist=1", "--seeds", "2", "--num-samples", "300", "--folder", str(tmp_path)]
    words += [word for option in options for word in ("--option", option)]
    done = subprocess.run([sys.executable, str(BASELINES), *words], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    head, rule, model, floor = done.stdout.strip().splitlines()[-4:]
    assert head.count("|") == rule.count("|") == model.count("|") == floor.count("|")
    assert model.startswith("| `report_mnist`, 1 epoch, 2 seeds |")
    assert len(re.findall(r"\d ± \d", model)) > 10
    assert floor.startswith("| real images of MNIST5k |")
    assert "±" not in floor
    again = subprocess.run([sys.executable, str(BASELINES), *words], capture_output=True, text=True, timeout=30)
    assert again.stdout.strip().splitlines() == [head, rule, model, floor]  # nothing is computed twice


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["report_mnist"], "as in report_mnist=20"),
        (["mnist=3"], "there is no experiment 'mnist' here; there is"),
    ],
)
def test_bad_input(words: list[str], expected: str) -> None:
    done = subprocess.run([sys.executable, str(BASELINES), *words], capture_output=True, text=True)
    assert done.returncode == 2
    assert expected in done.stderr


@pytest.mark.slow
def test_the_speed_of_all_contenders(tmp_path: Path) -> None:
    options = ["model.generator.hidden_dims=[16]", "callbacks.samples.num_samples=4", "trainer.limit_train_batches=3"]
    words = ["--rounds", "2", "--block", "2", "--epochs", "2", "--precision", "32-true", "--traces", str(tmp_path)]
    words += [word for option in options for word in ("--option", option)]
    done = subprocess.run([sys.executable, str(SPEED), *words], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    rows = {line.split(" | ")[0]: line for line in done.stdout.splitlines() if line.startswith("| (")}
    assert list(rows) == ["| (a) plain loop", "| (b) tight loop, 32-true", "| (c) this project, 32-true"]
    assert all(re.search(r"\| \d+\.\d+ \(.*% \| \d\.\d+ GB \| \d+\.\d s \|$", row) for row in rows.values())
    assert re.search(r"32-true: \(a\)/\(c\) \d+\.\d+ \(.*, \(c\)/\(b\) \d+\.\d+ \(", done.stdout)
    assert re.search(r"\| matrix products \| \d+\.\d+ \| \d+% \|", done.stdout)
    assert re.search(r"32-true: 2 epochs in \d+", done.stdout)
    assert (tmp_path / "profile_32-true.trace.json").stat().st_size > 1000


@pytest.mark.slow
def test_the_speed_of_larger_networks(tmp_path: Path) -> None:
    program = (
        "import argparse, pathlib, speed; folder = pathlib.Path(); speed.write_images(folder);"
        "arguments = argparse.Namespace(device='cpu', block=1, rounds=1, option=['+model.generator.width=2']);"
        "print(speed.dcgan(folder, arguments, '32-true'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(BENCHMARKS)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"ms an alternation, [\d,]+ images/s through the discriminator", done.stdout)


def test_without_a_gpu_the_speed_on_one_is_refused() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    done = subprocess.run([sys.executable, str(SPEED), "--device", "cuda"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "torch finds no GPU here" in done.stderr


@pytest.mark.slow
def test_the_table_of_objectives(tmp_path: Path, classifiers: Path) -> None:
    options = ("trainer.limit_train_batches=1", "trainer.accelerator=cpu", f"data_dir={classifiers}")
    words = ["wasserstein", "--epochs", "1", "--seeds", "1", "--folder", str(tmp_path)]
    words += [word for option in options for word in ("--option", option)]
    program = [sys.executable, str(BENCHMARKS / "objectives.py"), *words]
    done = subprocess.run(program, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    rows = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| wasserstein")]
    assert [row[1] for row in rows] == ["gradient_penalty", "r1", "r1_r2"]
    assert all(row[5] == "0 of 1" and float(row[2]) > 1 for row in rows)
