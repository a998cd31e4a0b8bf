"""Measuring where there are no classes: by which space, with which measures, everywhere."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import SHORT, Run, the_one_line
from one_class import Digits

from gan_lightning.data.mnist5k import MNIST5k
from gan_lightning.features import classifier
from gan_lightning.measures.catalogue import MEASURES, OF_CLASSES, USUAL, measures_named
from gan_lightning.measures.memorisation import memorisation
from gan_lightning.measures.subject import Images, Subject
from gan_lightning.measuring import Measuring

ONE_CLASS = (*(word for word in SHORT if word != "dataset=mnist5k"), "dataset._target_=one_class.Digits")


@pytest.fixture(autouse=True)
def soon_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks of a moment."""
    for name, value in {"BATCH_SIZE": 20, "EPOCHS": 1, "MIN_STEPS": 1, "MAX_STEPS": 60, "LEARNING_RATE": 0.03}.items():
        monkeypatch.setattr(classifier, name, value)
    load = Digits.load
    monkeypatch.setattr(Digits, "load", lambda self, train: tuple(part[:1200] for part in load(self, train)))


@pytest.mark.slow
def test_a_run_and_its_evaluation_have_the_same_figures_and_none_of_classes(run: Run, run_evaluate: Run) -> None:
    evaluation = ("callbacks=evaluation", "callbacks.evaluation.num_samples=200", "data_dir=data")
    outcome = run(*ONE_CLASS, *evaluation, "callbacks.evaluation.measures=null", "trainer.max_epochs=1")
    assert outcome.exit_code == 0, outcome.stderr
    assert "clusters of digits of one class, trained once" in outcome.stderr
    results = json.loads(Path("run/metrics.json").read_text())
    outcome = run_evaluate("ckpt=run", "data_dir=data", "trust=[one_class]", "num_samples=200", "output_dir=evaluation")
    assert outcome.exit_code == 0, outcome.stderr
    (found,) = json.loads(Path("evaluation/metrics.json").read_text())["evaluations"]
    metrics = found["models"][0]["metrics"]
    assert metrics == pytest.approx({name: results[name] for name in metrics}, rel=1e-4)
    expected = {name for measure in MEASURES["clusters"].values() for name in measure.metrics}
    assert metrics.keys() == expected
    assert not expected & {name for name in OF_CLASSES for name in MEASURES["classifier"][name].metrics}
    assert found["features"]["name"] == "clusters"
    assert "of turned test images right" in outcome.stdout
    # After five alternations noise is drawn, which the space tells from digits.
    assert metrics["frechet_distance"] > 3 * found["floor"]["frechet_distance"]
    assert metrics["coverage"] < found["floor"]["coverage"]


@pytest.mark.slow
def test_what_needs_classes_is_refused_by_name(run: Run, run_evaluate: Run) -> None:
    refused = (("measures=[modes]", "there is parzen, frechet"), ("features=classifier", "features=clusters"))
    for setting, right in refused:
        line = the_one_line(run(*ONE_CLASS, "callbacks=evaluation", f"callbacks.evaluation.{setting}"))
        assert line.startswith("error: callbacks.evaluation: ")
        assert right in line
        assert not Path("run").exists()
    assert run(*ONE_CLASS, "trainer.max_epochs=1").exit_code == 0
    for setting, right in refused:
        assert right in the_one_line(run_evaluate("ckpt=run", "trust=[one_class]", "num_samples=200", setting))


def test_measures_suit_the_data(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kinds = ((Digits, None, "clusters"), (MNIST5k, None, "classifier"), (MNIST5k, "clusters", "clusters"))
    for kind, features, space in kinds:
        measuring = Measuring(kind(data_dir=str(tmp_path)), None, features, 200, 100)
        assert measuring.features == space
        assert measuring.measures == MEASURES[space]
    few = r"frechet needs at least 129 generated and test images, and there are 50"
    with pytest.raises(ValueError, match=rf"{few}; measures=\[kernel\] do with so many"):
        Measuring(Digits(), ["frechet", "kernel"], None, 50, 100)
    with caplog.at_level("WARNING"):
        left = Measuring(Digits(), None, None, 50, 100).measures.keys()
    assert left == MEASURES["clusters"].keys() - {"frechet"}
    assert f"{few}: left out" in caplog.text
    with pytest.raises(ValueError, match="score is of classes"):
        Measuring(Digits(), ["frechet", "score"], None, 200, 100)
    assert not list(tmp_path.iterdir())  # no space is made before a measure asks for it


def test_the_usual_measures_are_those_that_there_are() -> None:
    assert tuple(measures_named("usual", "classifier")) == USUAL
    assert tuple(measures_named("usual", "clusters")) == ("frechet", "neighbourhoods")


def test_copies_are_as_near_among_bytes_as_among_numbers_from_0_to_1() -> None:
    measuring = Measuring(Digits(), ["memorisation"], None, 200, 100)
    training, held_out = (images.pixels for images in (measuring.reference.training, measuring.reference.held_out))
    noise = torch.randint(0, 40, (200, 1, 28, 28), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    samples = (training[:200] // 2) + noise
    take: Any = measuring.measures["memorisation"].take
    found = take(Subject(Images(samples, torch.zeros(200))), measuring.reference)["memorisation"]
    floats = (images.flatten(1).float() / 255 for images in (samples, held_out, training))
    assert found == pytest.approx(memorisation(*floats), rel=1e-5)
    assert 0.3 < found < 3
