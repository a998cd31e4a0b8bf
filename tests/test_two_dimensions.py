"""The game in two dimensions, through every entry point."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Run, the_one_line, weights
from PIL import Image

from gan_lightning import measure, sample
from gan_lightning.data.ring import Ring
from gan_lightning.drawing.plane import SIDE
from gan_lightning.errors import UserError

SETS = ("ring", "grid", "spiral", "two_moons")
SHORT = (
    "experiment=ring",
    "dataset.num_train_images=400",
    "trainer.max_epochs=2",
    "callbacks.samples.num_samples=50",
    "~callbacks.loss_curves",
    "~callbacks.real_and_fake",
    "logger=none",
    "output_dir=run",
)
MODES = {"modes_found", "high_quality", "mode_divergence"}


@pytest.mark.slow
def test_a_run_leaves_a_film_and_what_is_drawn_changes_no_weight(run: Run) -> None:
    assert run(*SHORT).exit_code == 0
    frames = [Image.open(path) for path in sorted(Path("run/samples").iterdir())]
    assert [frame.size for frame in frames] == [(SIDE, SIDE + 18)] * 2
    assert frames[0].tobytes() != frames[1].tobytes()
    with Image.open("run/training.gif") as film:
        assert film.n_frames == 2
    assert not Path("run/exhibits").exists()  # sheets of single pixels
    assert run(*SHORT[:-1], "~callbacks.samples", "~callbacks.training_gif", "output_dir=undrawn").exit_code == 0
    one, other = (weights(f"{folder}/checkpoints/last.ckpt") for folder in ("run", "undrawn"))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_samples_are_scattered_or_kept_as_floats_and_no_folder_of_pngs(run: Run) -> None:
    assert run(*SHORT, "~callbacks.samples", "~callbacks.training_gif").exit_code == 0
    drawn = [("s.png", ()), ("s.npz", ()), ("w.png", ("walk=3",)), ("w.gif", ("walk=2", "steps=2"))]
    for output, words in (*drawn, ("p.png", ("plane=[0,1,2,3]",))):
        outcome = run("ckpt=run", "num_samples=20" if "plane" not in str(words) else "steps=3", f"output={output}",
                      *words, entry_point=sample)  # fmt: skip
        assert outcome.exit_code == 0, outcome.stderr
    for name in ("s.png", "w.png", "w.gif", "p.png"):
        with Image.open(name) as picture:
            assert picture.size == (SIDE, SIDE)
    images = np.load("s.npz")["images"]
    assert images.shape == (20, 2, 1, 1)
    assert images.dtype == np.float32
    assert len(np.unique(images)) == 40  # no bytes, of which some would be the same
    assert "is a folder of PNGs" in the_one_line(run("ckpt=run", "output=s/", entry_point=sample))
    Image.new("L", (9, 9)).save("photo.png")
    line = the_one_line(run("ckpt=run", "like=photo.png", "output=l.png", entry_point=sample))
    assert "gray images or colours" in line


@pytest.mark.parametrize("dataset", SETS)
def test_every_set_is_measured_beside_its_floor_as_while_it_trains(dataset: str, run: Run, run_evaluate: Run) -> None:
    while_training = (
        "callbacks=evaluation",
        "callbacks.evaluation.measures=null",
        "callbacks.evaluation.num_samples=200",
    )
    conditional = "model.conditional=true"
    undrawn = ("~callbacks.samples", "~callbacks.training_gif")
    outcome = run(*SHORT, *undrawn, f"dataset={dataset}", conditional, "trainer.max_epochs=1", *while_training)
    assert outcome.exit_code == 0, outcome.stderr
    assert Path("run/checkpoints/best.ckpt").exists()
    outcome = run_evaluate("ckpt=run", "num_samples=200", "output_dir=e")
    assert outcome.exit_code == 0, outcome.stderr
    (found,) = json.loads(Path("e/metrics.json").read_text())["evaluations"]
    metrics, floor = found["models"][0]["metrics"], found["floor"]
    results = json.loads(Path("run/metrics.json").read_text())
    assert metrics == pytest.approx({name: results[name] for name in metrics}, rel=1e-4, abs=1e-6)
    assert (metrics.keys() >= MODES) == (dataset in ("ring", "grid"))
    assert {"frechet_distance", "kernel_distance", "coverage", "held_out_score"} <= metrics.keys()
    assert floor["frechet_distance"] < 0.01 < metrics["frechet_distance"]  # one epoch teaches little
    assert floor["coverage"] > 0.8 > metrics["coverage"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("dataset=spiral", "callbacks.evaluation.measures=[modes]"), "there is frechet, kernel"),
        (("callbacks.evaluation.measures=[memorisation]",), "there is frechet, kernel"),
        (("callbacks.evaluation.features=inception",), "features=mixture"),
        (("callbacks.evaluation.features=plane",), "features=mixture"),
        (("dataset=mnist5k", "callbacks.evaluation.features=plane"), "has images"),
        (("model=dcgan",), "multiples of 4"),
    ],
)
def test_what_is_not_for_points_or_not_for_images_says_so_in_one_line(
    words: tuple[str, ...], expected: str, run: Run
) -> None:
    assert expected in the_one_line(run(*SHORT, "callbacks=evaluation", *words))


def test_points_from_elsewhere_are_measured() -> None:
    ring = Ring()

    def two_modes(number: int) -> Any:
        points, labels = ring.split(train=False)
        return points[labels < 2][:number]

    found = measure(two_modes, "ring", 1000, ["modes"])
    assert found.metrics["modes_found"] == 2
    assert found.floor["modes_found"] == 8
    with pytest.raises(UserError, match=r"images \(1000, 2, 1, 1\), as those of the ring are"):
        measure(lambda number: torch.zeros(number, 2), ring, 1000, ["modes"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [("model=goodfellow",), ("augmentation=instance_noise", "objective=switch", "penalty=none")]
)
def test_other_networks_and_objectives_play(words: tuple[str, ...], run: Run) -> None:
    outcome = run(*SHORT, *words, "trainer.max_epochs=1")
    assert outcome.exit_code == 0, outcome.stderr
