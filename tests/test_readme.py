"""Every command of the README runs, shortened."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from conftest import Run

from gan_lightning import evaluate, report, sample

ROOT = Path(__file__).parents[1]
COMMANDS = [
    line
    for block in re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    for line in block.strip().splitlines()
]
FEW = ("trainer.limit_train_batches=1", "trainer.accelerator=cpu")
SHORTER = (*FEW, "model.generator.hidden_dims=[8]")


def recipe(target: str) -> list[str]:
    """What make would run for a target, beyond installing."""
    shown = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [line for line in shown.splitlines() if "-m gan_lightning" in line or "pytest" in line]


def test_every_command_runs_in_the_order_given(run: Run, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan_lightning.features.classifier.MIN_STEPS", 20)
    ran = 0
    for command in COMMANDS:
        if "--config-dir" in command or "trust=" in command:
            continue  # in tests/test_extending.py
        words = shlex.split(command)
        if words[0] == "make":
            (words,) = [shlex.split(line) for line in recipe(words[1])]
            if any("pytest" in word for word in words):
                continue  # these very tests
        if words[:2] == ["tensorboard", "--logdir"]:
            assert list(Path(words[2]).rglob("events.out.tfevents*"))
            continue
        assert words[1] == "-m", command
        assert Path(words[0]).name == "python", command
        if words[2] == "gan_lightning.evaluate":
            few = [word for word in words[3:] if not word.startswith(("num_samples=", "metrics="))]
            outcome = run(*few, "num_samples=8", "metrics=[parzen,memorisation]", f"data_dir={data_dir}", door=evaluate)
            assert outcome.exit_code == 0, outcome.stderr
            continue
        if words[2] == "gan_lightning.sample":
            assert run(*words[3:], door=sample).exit_code == 0
            assert Path(words[-1].removeprefix("output=")).exists()
            continue
        if words[2] == "gan_lightning.report":
            assert run(*words[3:], door=report).exit_code == 0
            continue
        epochs = 2 if "ckpt_path=" in command else 1
        arguments = words[3:]
        if "--help" not in arguments:
            arguments += [*SHORTER, f"data_dir={data_dir}", f"trainer.max_epochs={epochs}"]
        if "-m" in arguments or "hparams_search" in command:
            arguments += ["hydra/launcher=basic"]  # in this process, where the data sets are small
        if "hparams_search=report_grid" in arguments:
            # The small set here has fewer images than a batch of 64, and too few test images for the distance.
            arguments += ["dataset.batch_size=16,36", "callbacks.evaluation.num_samples=8"]
            arguments += ["callbacks.evaluation.metrics=[equilibrium]", "optimized_metric=held_out_accuracy"]
            arguments += ["callbacks.best_checkpoint=null"]
        if "hparams_search=optuna" in arguments:
            arguments = [word for word in arguments if "n_trials" not in word]
            arguments += ["hydra.sweeper.n_trials=2", "callbacks.evaluation.num_samples=300"]
        outcome = run(*arguments)
        assert outcome.exit_code == 0, f"{command}\n{outcome.stderr}"
        ran += 1
    assert ran >= 8


@pytest.mark.parametrize("target", ["train", "mnist", "fashion_mnist", "cifar10"])
def test_make_trains(target: str, run: Run, data_dir: Path) -> None:
    (line,) = recipe(target)
    words = shlex.split(line)
    outcome = run(*words[3:], *SHORTER, f"data_dir={data_dir}", "trainer.max_epochs=1", "output_dir=run")
    assert outcome.exit_code == 0, outcome.stderr
    assert Path("run/metrics.json").exists()


def test_make_help_lists_every_target() -> None:
    shown = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in [
        "install",
        "train",
        "mnist",
        "fashion_mnist",
        "cifar10",
        "all",
        "tensorboard",
        "test",
        "lint",
        "clean",
    ]:
        assert re.search(rf"make .*\b{target}\b", shown), target


def test_files_that_the_readme_links_to_exist() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", (ROOT / "README.md").read_text()) if "://" not in link]
    assert links
    assert all((ROOT / link).exists() for link in links)


def test_the_readme_names_every_option() -> None:
    text = (ROOT / "README.md").read_text()
    for path in (ROOT / "conf").glob("*/*.yaml"):
        assert f"`{path.stem}`" in text, path
