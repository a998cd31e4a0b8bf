"""Who may import whom."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "gan_lightning"
DOORS = {
    "train.py",
    "sample.py",
    "evaluate.py",
    "report.py",
    "sweep.py",
    "jobs.py",
    "cli.py",
    "config.py",
    "building.py",
}
FILES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


def imports(file: str) -> set[str]:
    """The modules that a file names in its import statements."""
    found = set()
    for node in ast.walk(ast.parse((PACKAGE / file).read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def uses(file: str, *packages: str) -> list[str]:
    return [name for name in imports(file) for package in packages if f"{name}.".startswith(f"{package}.")]


@pytest.mark.parametrize("file", [file for file in FILES if file not in DOORS])
def test_only_the_doors_know_hydra(file: str) -> None:
    assert not uses(file, "hydra", "omegaconf")
    # A report is of what runs have written down.
    may = {"config.py", "jobs.py"} if file.startswith("reports/") else set()
    assert not uses(file, *(f"gan_lightning.{door.removesuffix('.py')}" for door in DOORS - may))


@pytest.mark.parametrize("file", [file for file in FILES if file.startswith("reports/")])
def test_a_report_needs_neither_torch_nor_the_players(file: str) -> None:
    assert not uses(
        file, "torch", "lightning", "gan_lightning.gan", "gan_lightning.networks", "gan_lightning.callbacks"
    )


def test_the_alternation_knows_neither_networks_nor_data() -> None:
    mathematics = ("objectives", "penalties", "averaging", "schedules", "judge", "protocol")
    ours = tuple(f"gan_lightning.{name}" for name in (*mathematics, "checks", "cuda_graph"))
    assert all(name.startswith(ours) for name in uses("gan.py", "gan_lightning"))


MATHEMATICS = {"losses.py", "judge.py", "protocol.py", "objectives.py", "penalties.py", "augmentation.py"} | {
    *("averaging.py", "schedules.py", "adam.py")
}


@pytest.mark.parametrize("file", [f for f in FILES if f in MATHEMATICS])
def test_the_mathematics_knows_torch_and_itself_alone(file: str) -> None:
    packages = {name.partition(".")[0] for name in imports(file)}
    assert packages - sys.stdlib_module_names <= {"torch", "gan_lightning"}
    ours = tuple(f"gan_lightning.{name.removesuffix('.py')}" for name in (*MATHEMATICS, "checks.py"))
    assert all(name.startswith((*ours, "gan_lightning.losses")) for name in uses(file, "gan_lightning"))


@pytest.mark.parametrize("file", [f for f in FILES if f.startswith(("networks/", "metrics/"))])
def test_networks_and_metrics_know_torch_alone(file: str) -> None:
    packages = {name.partition(".")[0] for name in imports(file)}
    # torchmetrics where a metric is to be the published one
    assert packages - sys.stdlib_module_names <= {"torch", "gan_lightning", "torchmetrics"}
    assert file.startswith("metrics/") or "torchmetrics" not in packages
    ours = (f"gan_lightning.{Path(file).parts[0]}", "gan_lightning.checks")
    assert all(name.startswith(ours) for name in uses(file, "gan_lightning"))


@pytest.mark.parametrize("file", [f for f in FILES if f.startswith("features/")])
def test_feature_spaces_know_data_but_not_the_players(file: str) -> None:
    ours = ("gan_lightning.features", "gan_lightning.data", "gan_lightning.errors")
    assert all(name.startswith(ours) for name in uses(file, "gan_lightning"))


def test_evaluation_knows_neither_networks_nor_the_alternation() -> None:
    ours = tuple(f"gan_lightning.{name}" for name in ("metrics", "features", "data", "checks", "quantities"))
    assert all(name.startswith(ours) for name in uses("evaluation.py", "gan_lightning"))


@pytest.mark.parametrize("file", [f for f in FILES if f.startswith("data/")])
def test_data_knows_nothing_of_the_players(file: str) -> None:
    ours = ("gan_lightning.data", "gan_lightning.errors", "gan_lightning.checks", "gan_lightning.pixels")
    assert all(name.startswith(ours) for name in uses(file, "gan_lightning"))


@pytest.mark.parametrize("door", ["train", "sample", "evaluate", "report"])
def test_help_needs_no_heavy_import(door: str) -> None:
    program = (
        f"import sys, gan_lightning.{door};"
        "sys.exit(', '.join({'torch', 'lightning', 'numpy', 'matplotlib'} & sys.modules.keys()) or 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
