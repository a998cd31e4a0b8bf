"""Who may import whom."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "gan_lightning"
FILES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))
ENTRY_POINTS = {"train.py", "sample.py", "evaluate.py", "explore.py", "export.py", "report.py"}
API = "api.py"
"""What Python gets without a command line, which does what an entry point does."""
KNOW_HYDRA = ENTRY_POINTS | {API, "cli.py", "settings.py", "building.py", "mistakes.py"}
MATHEMATICS = {
    *("losses.py", "objectives.py", "penalties.py", "augmentation.py", "averaging.py", "schedules.py", "adam.py"),
    "sharding.py",
    *("players/judge.py", "players/protocol.py"),
}


def imports(file: str) -> set[str]:
    """What a file names in its import statements, but for types alone."""
    found = set()
    tree = ast.parse((PACKAGE / file).read_text())
    for_types = [node for node in tree.body if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    left_out = {child for node in for_types for child in ast.walk(node)}
    for node in ast.walk(tree):
        if node in left_out:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def uses(file: str, *modules: str) -> set[str]:
    """What of these modules, or below them, a file imports."""
    return {name for name in imports(file) for module in modules if f"{name}.".startswith(f"{module}.")}


def libraries(file: str) -> set[str]:
    """The packages that a file imports, beside Python's own and this one."""
    return {name.partition(".")[0] for name in imports(file)} - sys.stdlib_module_names - {"gan_lightning"}


def ours(*files: str) -> list[str]:
    """The modules, or packages, of these files."""
    return [f"gan_lightning.{file.removesuffix('.py').rstrip('/').replace('/', '.')}" for file in files]


def within(folder: str) -> list[str]:
    return [file for file in FILES if file.startswith(folder)]


@pytest.mark.parametrize("file", [file for file in FILES if file not in KNOW_HYDRA and not file.startswith("sweeps/")])
def test_few_know_hydra_and_nobody_imports_an_entry_point(file: str) -> None:
    assert not uses(file, "hydra", "omegaconf")
    assert not uses(file, *ours(*ENTRY_POINTS, "cli.py"))
    assert not uses(file, *ours(API)) or file == "__init__.py"


def test_of_the_entry_points_the_api_knows_the_training_alone() -> None:
    assert uses(API, *ours(*ENTRY_POINTS)) == {"gan_lightning.train.job"}


@pytest.mark.parametrize("file", within("sweeps/"))
def test_sweeps_know_no_entry_point(file: str) -> None:
    assert not uses(file, *ours(*ENTRY_POINTS, "cli.py"))
    assert not any("._" in name for name in uses(file, "hydra", "optuna"))


def test_plugins_are_a_shim() -> None:
    (file,) = (PACKAGE.parent / "hydra_plugins").rglob("*.py")
    assert not uses(str(file), "hydra", "optuna")


@pytest.mark.parametrize("file", within("reports/"))
def test_a_report_needs_neither_torch_nor_the_players(file: str) -> None:
    assert not uses(file, "torch", "lightning", *ours("gan.py", "networks", "players", "callbacks", "loop"))


def test_the_alternation_knows_neither_networks_nor_data() -> None:
    known = ours(*MATHEMATICS, "errors.py", "loop/manual_optimization.py")
    assert uses("gan.py", "gan_lightning") == uses("gan.py", *known)


@pytest.mark.parametrize("file", within("loop/"))
def test_the_loop_knows_neither_players_nor_data(file: str) -> None:
    assert uses(file, "gan_lightning") == uses(
        file, *ours("loop", "errors.py", "schedules.py", "paths.py", "whole_files.py")
    )


@pytest.mark.parametrize("file", within("packing/"))
def test_packs_know_trainings_but_neither_players_nor_mathematics(file: str) -> None:
    known = ours("packing", "loop", "schedules.py", "errors.py", "wording.py")
    assert uses(file, "gan_lightning") == uses(file, *known)


@pytest.mark.parametrize("file", sorted(MATHEMATICS))
def test_the_mathematics_knows_torch_and_itself_alone(file: str) -> None:
    assert libraries(file) <= {"torch"}
    # An objective calls its losses by the module's name.
    assert uses(file, "gan_lightning") - {"gan_lightning.losses"} <= uses(file, *ours(*MATHEMATICS, "errors.py"))


@pytest.mark.parametrize("file", within("networks/"))
def test_networks_know_torch_alone(file: str) -> None:
    assert libraries(file) <= {"torch"}
    assert uses(file, "gan_lightning") == uses(file, *ours("networks", "errors.py", "sharding.py"))


@pytest.mark.parametrize("file", within("measures/"))
def test_measures_know_torch_alone_but_for_what_they_are_given(file: str) -> None:
    assert libraries(file) <= {"torch", "torchmetrics"}  # torchmetrics where a metric is to be the published one
    given = ["features", "data"] if file in ("measures/catalogue.py", "measures/subject.py") else []
    assert uses(file, "gan_lightning") == uses(file, *ours("measures", *given))


@pytest.mark.parametrize("file", within("features/"))
def test_feature_spaces_know_data_but_not_the_players(file: str) -> None:
    assert uses(file, "gan_lightning") == uses(file, *ours("features", "data", "errors.py", "whole_files.py"))


@pytest.mark.parametrize("file", within("drawing/"))
def test_drawing_asks_players_and_knows_neither_training_nor_settings(file: str) -> None:
    known = ours("drawing", "players", "data/pixels.py", "measures/memorisation.py")
    known += ours("errors.py", "wording.py", "whole_files.py")
    assert uses(file, "gan_lightning") == uses(file, *known)
    assert not libraries(file) & {"lightning", "matplotlib", "torchvision"}  # which take seconds to import


@pytest.mark.parametrize("file", within("data/"))
def test_data_knows_nothing_of_the_players(file: str) -> None:
    assert uses(file, "gan_lightning") == uses(file, *ours("data", "errors.py", "whole_files.py", "wording.py"))


@pytest.mark.parametrize("file", within("exporting/"))
def test_what_is_exported_is_a_generator_that_was_loaded(file: str) -> None:
    known = ours("exporting", "loading.py", "checkpoints.py", "averaging.py", "measures/metrics.py", "settings.py")
    others = ours("errors.py", "whole_files.py", "wording.py")
    assert uses(file, "gan_lightning") - {"gan_lightning.__version__"} == uses(file, *known, *others)
    if file == "exporting/folder.py":  # checkpoints are read with it
        assert not uses(file, *ours("loading.py", "checkpoints.py"))


@pytest.mark.parametrize("file", within("exploring/"))
def test_the_page_alone_knows_gradio(file: str) -> None:
    of_the_page = {"exploring/page.py", "exploring/serving.py"}
    assert file in of_the_page or not libraries(file) & {"fastapi", "gradio", "uvicorn"}
    assert not uses(file, *ours("gan.py", "networks", "callbacks", "building.py"))
    if file == "exploring/directions.py":
        assert libraries(file) <= {"torch"}
        assert uses(file, "gan_lightning") == uses(file, *ours("players/protocol.py"))


@pytest.mark.parametrize("file", within("callbacks/"))
def test_callbacks_find_what_others_found_out_in_the_history(file: str) -> None:
    others = [
        each for each in within("callbacks/") if each not in (file, "callbacks/picture.py", "callbacks/__init__.py")
    ]
    assert not uses(file, *ours(*others))


@pytest.mark.parametrize("entry_point", sorted(ENTRY_POINTS))
def test_help_needs_no_heavy_import(entry_point: str) -> None:
    program = (
        f"import sys, gan_lightning.{entry_point.removesuffix('.py')};"
        "heavy = {'torch', 'lightning', 'numpy', 'matplotlib', 'pandas', 'gradio'} & sys.modules.keys();"
        "sys.exit(', '.join(heavy) or 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_alternation_is_short() -> None:
    assert len((PACKAGE / "gan.py").read_text().splitlines()) <= 200
