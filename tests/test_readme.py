"""Every command of the README, and of that of conf/, runs, shortened; what they link to and name is there."""

import importlib
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
from conftest import Run

from gan_lightning import evaluate, export, report, sample, train

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / page / "README.md" for page in (".", "conf", "conf/experiment", "benchmarks")]
COMMANDS = [
    line
    for page in PAGES[:2]
    for block in re.findall(r"```bash\n(.*?)```", page.read_text(), re.S)
    for line in block.strip().splitlines()
]
INSTALLED = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
FEW = ("trainer.limit_train_batches=1", "trainer.accelerator=cpu")


def smaller(arguments: list[str]) -> tuple[str, ...]:
    """A few steps of small networks."""
    has_convolutions = "experiment=first_run" in arguments
    return (*FEW, "model.width=2" if has_convolutions else "model.generator.hidden_dims=[8]")


def recipe(target: str) -> list[str]:
    """What make would run for a target, beyond installing."""
    shown = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [line for line in shown.splitlines() if "-m gan_lightning" in line or "pytest" in line]


def typed(command: str) -> tuple[str, list[str]]:
    """The entry point that a command runs, `train`, and its arguments."""
    words = shlex.split(command)
    if words[0] in INSTALLED:
        return words[0].removeprefix("gan-"), words[1:]
    assert Path(words[0]).name == "python", command
    assert words[1] == "-m", command
    return words[2].removeprefix("gan_lightning."), words[3:]


def shortened(arguments: list[str], data_dir: Path) -> list[str]:
    """A training or a sweep of a moment, in this process."""
    if "--help" in arguments:
        return arguments
    epochs = 2 if "ckpt_path=auto" in arguments else 1
    short = [*arguments, *smaller(arguments), f"data_dir={data_dir}", f"trainer.max_epochs={epochs}"]
    if "-m" in arguments or any(argument.startswith("hparams_search=") for argument in arguments):
        short += ["hydra/launcher=basic"]
    if "callbacks=evaluation" in arguments or "hparams_search=optuna" in arguments:
        short += ["callbacks.evaluation.num_samples=300"]
    if "dataset=stacked_mnist" in arguments:
        short += ["dataset.num_images=300"]
    if "hparams_search=report_grid" in arguments:
        # The small set here has fewer images than a batch of 64, and too few test images for the distance.
        short += ["dataset.batch_size=16,36", "optimizer.lr=1e-4", "callbacks.evaluation.num_samples=8"]
        short += ["callbacks.evaluation.measures=[equilibrium]", "optimized_metric=held_out_accuracy"]
        short += ["callbacks.best_checkpoint=null"]
    if "hparams_search=optuna" in arguments:
        short = [argument for argument in short if "n_trials" not in argument]
        short += ["hydra.sweeper.n_trials=2"]
    return short


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_every_command_runs_in_the_order_given(run: Run, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EPOCHS", "MIN_STEPS"):
        monkeypatch.setattr(f"gan_lightning.features.classifier.{name}", 1)
    ran = 0
    for command in COMMANDS:
        if "--config-dir" in command or "trust=" in command:
            continue  # in tests/test_extending.py
        words = shlex.split(command)
        if words[0] == "make":
            assert words[1] in (
                "train",
                "test",
            )  # of which test_make_trains runs one, and the other runs these very tests
            continue
        if words[:2] == ["tensorboard", "--logdir"]:
            assert list(Path(words[2]).rglob("events.out.tfevents*"))
            continue
        name, arguments = typed(command)
        if name == "explore":
            continue  # which serves until Ctrl-C: tests/test_explore.py
        if name == "train":
            outcome = run(*shortened(arguments, data_dir))
            ran += 1
        elif name == "evaluate":
            few = [each for each in arguments if not each.startswith(("num_samples=", "measures="))]
            few += ["num_samples=8", "measures=[parzen,memorisation]", f"data_dir={data_dir}"]
            outcome = run(*few, entry_point=evaluate)
        else:
            outcome = run(*arguments, entry_point={"export": export, "sample": sample, "report": report}[name])
        assert outcome.exit_code == 0, f"{command}\n{outcome.stderr}"
    assert Path("digits.png").exists()
    assert ran >= 8


@pytest.mark.parametrize("name", INSTALLED)
def test_a_command_that_is_installed_tells_its_version(name: str, run: Run) -> None:
    assert f"`{name}`" in (ROOT / "README.md").read_text()
    module, _, function = INSTALLED[name].partition(":")
    assert function == "main"
    assert run("--version", entry_point=importlib.import_module(module)).stdout.startswith("gan-lightning ")


def test_the_tab_key_completes_settings(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    (command,) = re.findall(r'eval "\$\((.*?)\)"', (ROOT / "README.md").read_text())
    name, arguments = typed(command)
    assert name == "train"
    assert "complete -o nospace" in run(*arguments, entry_point=train).stdout
    line = "gan-train objective=rp"
    monkeypatch.setenv("COMP_LINE", line)
    monkeypatch.setenv("COMP_POINT", str(len(line)))
    assert run("--shell-completion", "query=bash", entry_point=train).stdout.split() == ["objective=rpgan"]


@pytest.mark.parametrize("target", ["train", "mnist", "fashion_mnist", "cifar10"])
def test_make_trains(target: str, run: Run, data_dir: Path) -> None:
    (line,) = recipe(target)
    _, arguments = typed(line)
    outcome = run(*arguments, *smaller(arguments), f"data_dir={data_dir}", "trainer.max_epochs=1", "output_dir=run")
    assert outcome.exit_code == 0, outcome.stderr
    assert Path("run/metrics.json").exists()


def test_make_help_lists_every_target() -> None:
    shown = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = re.findall(r"^([a-z0-9_ -]+):.*##", (ROOT / "Makefile").read_text(), re.M)
    for target in " ".join(targets).split():
        assert re.search(rf"make .*\b{target}\b", shown), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_what_a_page_links_to_exists(page: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", page.read_text()) if "://" not in link]
    assert links
    for link in links:
        path, _, section = link.partition("#")
        there = (page.parent / path) if path else page
        assert there.exists(), link
        if section:
            headings = re.findall(r"^#+ (.*)", there.read_text(), re.M)
            assert section in [re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings], link


def test_the_pages_name_every_option() -> None:
    text = "".join(page.read_text() for page in PAGES)
    for path in (ROOT / "conf").glob("*/*.yaml"):
        assert f"`{path.stem}`" in text, path


def test_every_file_and_folder_of_the_package_has_its_place_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text()
    for path in (ROOT / "gan_lightning").iterdir():
        if not path.name.startswith("_"):
            assert f"](gan_lightning/{path.name})" in text, path


def test_the_walks_lead_past_what_they_name() -> None:
    named = re.findall(r"\]\((gan_lightning/[^)]+\.py)\) \(`(\w+)`\)", (ROOT / "README.md").read_text())
    assert len(named) >= 5
    for path, name in named:
        assert name in (ROOT / path).read_text(), path


def test_the_readme_is_read_in_one_go() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 180
