"""The scripts that the README's figures come from, shortened."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

BASELINES = Path(__file__).parents[1] / "benchmarks" / "baselines.py"


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
