"""Who may import whom."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "gan_lightning"
DOORS = {"train.py", "sample.py", "cli.py", "config.py"}
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
    assert not uses(file, *(f"gan_lightning.{door.removesuffix('.py')}" for door in DOORS))


def test_the_alternation_knows_neither_networks_nor_data() -> None:
    ours = uses("gan.py", "gan_lightning")
    assert all(name.startswith(("gan_lightning.objectives", "gan_lightning.penalties")) for name in ours)


@pytest.mark.parametrize("file", [f for f in FILES if f.startswith(("networks/", "metrics/")) or f == "losses.py"])
def test_networks_losses_and_metrics_know_torch_alone(file: str) -> None:
    assert not uses(file, "lightning", "torchvision", "matplotlib", "PIL", "tensorboard")
    assert all(name.startswith("gan_lightning.networks") for name in uses(file, "gan_lightning"))


@pytest.mark.parametrize("file", [f for f in FILES if f.startswith("data/")])
def test_data_knows_nothing_of_the_players(file: str) -> None:
    ours = ("gan_lightning.data", "gan_lightning.errors", "gan_lightning.pixels")
    assert all(name.startswith(ours) for name in uses(file, "gan_lightning"))


def test_help_needs_no_heavy_import() -> None:
    for file in ("train.py", "sample.py", "cli.py", "config.py", "errors.py"):
        tree = ast.parse((PACKAGE / file).read_text())
        top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        names = {alias.name for node in top if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module for node in top if isinstance(node, ast.ImportFrom)}
        assert not any(name.startswith(("torch", "lightning.", "numpy", "matplotlib")) for name in names), file
