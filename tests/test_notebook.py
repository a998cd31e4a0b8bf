"""The notebooks run from the first cell to the last, shortened, and show their pictures."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
SHORTER: dict[str, dict[str, Any]] = {
    "01_the_game": {"RING_EPOCHS": 1, "NUM_TRAIN_IMAGES": 160, "EPOCHS": 2, "SWITCH_EPOCH": 1},
    "02_reading_a_run": {"NUM_TRAIN_IMAGES": 400, "EPOCHS": 1, "SMALL_EPOCHS": 1, "NUM_SAMPLES": 200},
    "03_the_latent_space": {"NUM_TRAIN_IMAGES": 500, "EPOCHS": 1, "PROJECTED": [0, 3]},
    "04_a_sweep": {
        "LEARNING_RATES": "3e-4,3e-3",
        "SEEDS": "0,1",
        "NUM_TRAIN_IMAGES": 500,
        "EPOCHS": 1,
        "NUM_SAMPLES": 200,
        "LAUNCHER": "basic",
    },
    "05_your_own_images": {"EPOCHS": 1, "NUM_SAMPLES": 200},
    "06_your_own_objective": {"NUM_TRAIN_IMAGES": 1400, "EPOCHS": 1, "SEEDS": (0,), "NUM_SAMPLES": 200},
}
"""What is said after the cell that is tagged `parameters`, as papermill would."""
PICTURES = {
    "01_the_game": ["gif", "gif", *["png"] * 5],
    "02_reading_a_run": ["png", "gif", "png", "png", "png"],
    "03_the_latent_space": ["png", "png", "gif", "png", "png", "png", "png", "png"],
    "04_a_sweep": ["png"],
    "05_your_own_images": ["png"] * 4,
    "06_your_own_objective": ["png", "png"],
}


QUICK = """
from gan_lightning.features import classifier

classifier.BATCH_SIZE, classifier.EPOCHS, classifier.MIN_STEPS = 20, 1, 1
"""
"""So that the classifier of one's own images is trained for a moment."""


def shorten(notebook: nbformat.NotebookNode, parameters: dict[str, Any]) -> None:
    """Give a notebook other parameters, all of which it must have."""
    (place,) = (n for n, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", []))
    assert all(f"{name} = " in notebook.cells[place].source for name in parameters)
    told = "\n".join(f"{name} = {value!r}" for name, value in parameters.items())
    notebook.cells.insert(place + 1, new_code_cell(told + QUICK))


@pytest.fixture(scope="module")
def client() -> Iterator[NotebookClient]:
    """Runs notebooks in one kernel, because to start one and to import the libraries would be most of the time."""
    client = NotebookClient(new_notebook(), timeout=300, shutdown_kernel="immediate")
    yield client
    client.nb = new_notebook()
    client.execute()  # which also ends the kernel


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:jupyter_client")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:zmq")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path, classifiers: Path, client: NotebookClient) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "notebooks are committed without outputs"
    shorten(notebook, SHORTER[path.stem])
    notebook.cells.insert(0, new_code_cell(f"%reset -f\n%cd -q {tmp_path}"))  # nothing of another notebook is left
    (tmp_path / "data").symlink_to(classifiers)  # so that none trains a classifier of the digits
    client.nb = notebook
    client.execute(cleanup_kc=False)
    shown = [output for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]
    kinds = [
        kind for output in shown for kind in ("png", "gif") if f"image/{kind}" in output.data
    ]  # Pillow adds a JPEG
    assert kinds == PICTURES[path.stem]
