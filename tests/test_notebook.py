"""The notebooks run from the first cell to the last and show their pictures."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

PICTURES = {"first_steps": ["image/png", "image/png", "image/gif"], "ring_of_gaussians": ["image/gif", "image/gif"]}
NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:jupyter_client")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:zmq")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "notebooks are committed without outputs"
    for cell in notebook.cells:
        cell.source = cell.source.replace("trainer.max_epochs=5", "trainer.max_epochs=1")
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]
    kinds = [kind for output in shown for kind in output.data if kind.startswith("image/")]
    assert kinds == PICTURES[path.stem]
