"""What classes are called, from the data set to the checkpoint, and asking for them by name."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import CONDITIONAL, SHORT, Run, the_one_line, without_model
from PIL import Image

from gan_lightning import load
from gan_lightning.checkpoints import read_checkpoint
from gan_lightning.classes import LONGEST, asked_for, readable_names
from gan_lightning.errors import UserError
from gan_lightning.settings import differences, identity

SHAPES = ["T-shirt/top", "rote Kreise", "grün"]


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        (["ant", "bee"], ["ant", "bee"]),
        (["gru\u0308n", "a\nb  c\u00a0d"], ["grün", "a b c d"]),
        ([os.fsdecode(b"\xff"), "\x1b[2J"], ["\ufffd", "\ufffd[2J"]),
        (["x" * 999, "y"], ["x" * LONGEST, "y"]),
        (["ant"], []),
        (["ant", "ant"], []),
        (["gru\u0308n", "grün"], []),
        (["ant", " "], []),
        ([], []),
    ],
)
def test_names_that_are_kept(names: list[str], kept: list[str]) -> None:
    assert readable_names(names, 2) == kept
    assert readable_names(kept, 2) == kept


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (1, [1]),
        ("rote Kreise", [1]),
        ("gru\u0308n", [2]),
        ([2, "T-shirt/top"], [2, 0]),
        (range(2), [0, 1]),
    ],
)
def test_classes_by_number_and_by_name(labels: Any, classes: list[int]) -> None:
    assert asked_for(labels, 3, SHAPES) == classes


@pytest.mark.parametrize("labels", [3, -1, True, 1.0, "Rote Kreise", "1", "", [], ["grün", "blau"], [[1]], {}])
def test_classes_that_there_are_not(labels: Any) -> None:
    with pytest.raises(UserError, match=r"from 0 to 2 or the name of a class \(T-shirt/top, rote Kreise, grün\)"):
        asked_for(labels, 3, SHAPES)
    with pytest.raises(UserError, match=r"from 0 to 9, or a list of such, not 'grün'$"):
        asked_for("grün", 10, ())
    with pytest.raises(UserError, match=r"name of a class \(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, …\), or"):
        asked_for(labels="x", num_classes=40, class_names=[*map(str, range(40))])


def test_a_training_goes_on_that_did_not_know_names_but_not_with_others() -> None:
    old = {"num_classes": 2, "title": ""}
    for known in ({}, {"class_names": []}):
        now = {"num_classes": 2, "class_names": ["ant", "bee"], "title": "animals"}
        assert differences({**old, **known}, now) == differences(now, {**old, **known}) == []
        assert identity({**old, **known}) == identity(now)
    assert differences(now, {**now, "class_names": ["bee", "wasp"]}) == [
        "class_names (['ant', 'bee'], now ['bee', 'wasp'])"
    ]


@pytest.fixture
def shapes(run: Run) -> Path:
    """A run on images of three classes that have names, in the folder `run`."""
    for name in ("blau", "rote Kreise", "con"):
        for number in range(15):
            path = Path("Formen", name, f"{number}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8)
            Image.fromarray(pixels).save(path)
    words = [word for word in without_model(SHORT) if not word.startswith("dataset=")]
    of_data = ["dataset=folder", "dataset.path=Formen", "dataset.image_size=8", "dataset.held_out=0"]
    outcome = run(*words, *CONDITIONAL, *of_data, "trainer.max_epochs=1")
    assert outcome.exit_code == 0, outcome.stderr
    return Path("run")


def test_names_reach_samples_exports_and_python(
    shapes: Path, run: Run, run_sample: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gan_lightning import export

    names = ["blau", "con", "rote Kreise"]
    outcome = run(f"ckpt={shapes}", "output_dir=out", entry_point=export)
    assert outcome.exit_code == 0, outcome.stderr
    card = Path("out/README.md").read_text()
    assert "It draws images like those of Formen (8 × 8): 8 × 8 pixels" in card
    assert "The classes: 0 = `blau`, 1 = `con`, 2 = `rote Kreise`." in card
    for ckpt in (shapes, Path("out")):
        generator = load(ckpt)
        assert generator.class_names == tuple(names)
        assert torch.equal(generator.draw(4, labels="rote Kreise"), generator.draw(4, labels=2))
        assert torch.equal(generator.draw(4, labels=["con", 0]), generator.draw(4, labels=[1, 0]))
        assert run_sample(f"ckpt={ckpt}", "labels=rote Kreise", "num_samples=2", "output=a.png").exit_code == 0
        assert run_sample(f"ckpt={ckpt}", "labels=2", "num_samples=2", "output=b.png").exit_code == 0
        assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
        output = f"{ckpt}_images"
        assert run_sample(f"ckpt={ckpt}", "num_samples=6", f"output={output}").exit_code == 0
        assert sorted(path.name for path in Path(output).iterdir()) == ["1", "blau", "rote Kreise"]
        line = the_one_line(run_sample(f"ckpt={ckpt}", "labels=rot"))
        assert "from 0 to 2 or the name of a class (blau, con, rote Kreise), or a list of such, not 'rot'" in line
    monkeypatch.setattr("gan_lightning.drawing.projection.TRIED", 9)
    monkeypatch.setattr("gan_lightning.drawing.projection.STEPS", 1)
    said = run_sample(f"ckpt={shapes}", "like='Formen/blau/0.png'", "labels=[con]", "output=like.png").stdout
    assert "away, drawn as class 1, con\n" in said


@pytest.mark.usefixtures("finished")
def test_a_checkpoint_of_before_has_no_names(run_sample: Run) -> None:
    checkpoint = torch.load("run/checkpoints/last.ckpt", weights_only=True)
    assert checkpoint["hyper_parameters"].pop("class_names") == []
    assert checkpoint["hyper_parameters"].pop("title") == "MNIST5k"
    torch.save(checkpoint, "old.ckpt")
    read = read_checkpoint("old.ckpt")["hyper_parameters"]
    assert (read["class_names"], read["title"]) == ([], "")
    assert load("old.ckpt").class_names == ()
    assert run_sample("ckpt=old.ckpt", "num_samples=2").exit_code == 0
