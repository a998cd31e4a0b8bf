"""The evaluation of checkpoints, and what it evaluates with."""

import json
import math
import shutil
import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import CONDITIONAL, SHORT, Run, the_one_line, without_model
from PIL import Image
from torch import Tensor, nn
from torch_fidelity import feature_extractor_inceptionv3

from gan_lightning.checkpoints import find_checkpoints
from gan_lightning.data.mnist5k import MNIST5k
from gan_lightning.errors import UserError
from gan_lightning.features.inception import Inception
from gan_lightning.features.space import Description
from gan_lightning.measures import catalogue
from gan_lightning.measures.catalogue import MEASURES, measures_named
from gan_lightning.measures.metrics import METRICS
from gan_lightning.measures.subject import Images, Reference, Subject


@pytest.fixture
def evaluate(run_evaluate: Run, classifiers: Path) -> Run:
    """Evaluates with few samples and a classifier that is trained already."""
    return lambda *words: run_evaluate("num_samples=300", f"data_dir={classifiers}", "output_dir=evaluation", *words)


def results(folder: str = "evaluation") -> dict[str, Any]:
    return json.loads(Path(folder, "metrics.json").read_text())


@pytest.mark.slow
@pytest.mark.usefixtures("finished")
def test_every_metric_of_a_run(evaluate: Run) -> None:
    outcome = evaluate("ckpt=run")
    assert outcome.exit_code == 0, outcome.stderr
    (found,) = results()["evaluations"]
    assert found["dataset"] == "MNIST5k"
    assert found["images"] == {"generated": 300, "held_out": 300, "floor": 300}
    assert found["features"]["accuracy"] > 0.9
    (model,) = found["models"]
    assert (model["checkpoint"], model["epochs"], model["seed"]) == ("run/checkpoints/last.ckpt", 1, 0)
    measures = MEASURES["classifier"].values()
    expected = [name for measure in measures for name in measure.metrics_of(log_odds=True, conditional=False)]
    assert list(model["metrics"]) == expected
    assert "class_accuracy" not in expected
    floor = found["floor"]
    assert floor.keys() == model["metrics"].keys() - set(MEASURES["classifier"]["equilibrium"].metrics)
    # After five alternations noise is drawn, which these tell from digits.
    for name in ("parzen_official", "parzen_fine", "classifier_score", "recall", "coverage", "modes"):
        assert METRICS[name].better == "higher"
        assert model["metrics"][name] < floor[name], name
    for name in ("frechet_distance", "kernel_distance", "class_divergence"):
        assert METRICS[name].better == "lower"
        assert model["metrics"][name] > floor[name], name
    assert floor["modes"] == 10
    assert floor["memorisation"] == pytest.approx(1, abs=0.15)
    assert floor["coverage"] > 0.8

    lines = outcome.stdout.splitlines()
    for shown in ("300 generated images (seed 0)", found["features"]["fingerprint"], "floor", "run/checkpoints/last"):
        assert shown in outcome.stdout
    for name in found["floor"]:
        (line,) = [line for line in lines if line.strip().startswith(METRICS[name].title.strip())][:1]
        assert f"{model['metrics'][name]:.4g}" in line or METRICS[name].title.startswith("  ")
    with Image.open("evaluation/neighbours.png") as picture:
        assert picture.size == (6 * (2 * 28 + 2) + 2, 8 * 30 + 2)
        pixels = np.asarray(picture)
    digits = MNIST5k().load(train=True)[0]
    shown = torch.from_numpy(pixels[2:30, 2 + 28 : 2 + 56, 0].copy())
    assert (digits[:, 0] == shown).flatten(1).all(1).any()  # a training image stands beside the first sample
    assert "measure" in outcome.stderr  # the progress bar


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_seeds_are_taken_together_and_other_settings_apart(run: Run, evaluate: Run) -> None:
    lists = ("seed=0,1", "optimizer.lr=1e-3,1e-4", "hydra/launcher=basic")
    run(*SHORT, "trainer.max_epochs=1", "-m", *lists, "output_dir=sweep")
    outcome = evaluate("ckpt=sweep", "measures=[frechet,equilibrium]")
    assert outcome.exit_code == 0, outcome.stderr
    (found,) = results()["evaluations"]
    by_name = {Path(model["checkpoint"]).parts[1]: model["metrics"] for model in found["models"]}
    assert by_name.keys() == {f"optimizer.lr-{rate}+seed-{seed}" for rate in (0.0001, 0.001) for seed in (0, 1)}
    assert [mean["seeds"] for mean in found["means"]] == [[0, 1], [0, 1]]
    first = [Path(path).parts[1] for path in found["means"][0]["checkpoints"]]
    assert first == [f"optimizer.lr-0.0001+seed-{seed}" for seed in (0, 1)]
    of_first = [by_name[name]["frechet_distance"] for name in first]
    assert found["means"][0]["mean"]["frechet_distance"] == pytest.approx(statistics.fmean(of_first))
    assert found["means"][0]["std"]["frechet_distance"] == pytest.approx(statistics.stdev(of_first))
    assert f"{statistics.fmean(of_first):.4g} ± {statistics.stdev(of_first):.2g}" in outcome.stdout
    assert "seeds 0, 1; mean ± standard deviation" in outcome.stdout
    assert not list(Path("evaluation").glob("*.png"))  # the neighbours were not asked for


@pytest.mark.slow
def test_checkpoints_by_list_and_by_pattern(run: Run, evaluate: Run) -> None:
    run(*SHORT, "trainer.max_epochs=11", "callbacks.checkpoints.every_n_epochs=2")
    cheap = "measures=[memorisation]"
    assert evaluate("ckpt=[run,run/checkpoints/epoch_0002.ckpt]", cheap, "output_dir=list").exit_code == 0
    assert [model["epochs"] for model in results("list")["evaluations"][0]["models"]] == [11, 2]
    assert {path.name for path in Path("list").iterdir()} == {"metrics.json", "neighbours_1.png", "neighbours_2.png"}
    outcome = evaluate("ckpt='run/checkpoints/*'", cheap, "output_dir=pattern")
    (found,) = results("pattern")["evaluations"]
    assert [model["epochs"] for model in found["models"]] == [2, 4, 6, 8, 10, 11]
    assert "[5] run/checkpoints/epoch_0010.ckpt" in outcome.stdout
    assert outcome.stdout.count(METRICS["memorisation"].title) == 2  # five columns a table


@pytest.mark.slow
def test_a_checkpoint_under_two_names_counts_once_in_a_mean(finished: Path, evaluate: Run) -> None:
    shutil.copy(finished / "checkpoints" / "last.ckpt", "other.ckpt")
    evaluate("ckpt=[run,other.ckpt]", "measures=[memorisation]")
    (found,) = results()["evaluations"]
    assert len(found["models"]) == 2
    assert [mean["seeds"] for mean in found["means"]] == [[0]]


@pytest.mark.slow
def test_models_of_several_data_sets(run: Run, data_dir: Path, run_evaluate: Run) -> None:
    for dataset in ("mnist", "cifar10"):
        words = [word for word in SHORT if not word.startswith(("dataset=", "output_dir="))]
        run(*words, f"dataset={dataset}", f"data_dir={data_dir}", "trainer.max_epochs=1", f"output_dir=runs/{dataset}")
    outcome = run_evaluate(
        "ckpt=runs", f"data_dir={data_dir}", "measures=[parzen,memorisation]", "num_samples=8", "output_dir=evaluation"
    )
    assert outcome.exit_code == 0, outcome.stderr
    assert [found["dataset"] for found in results()["evaluations"]] == ["CIFAR-10", "MNIST"]
    assert not (data_dir / "classifiers").exists()  # none of these metrics needs one


@pytest.mark.slow
@pytest.mark.usefixtures("finished")
def test_the_same_seed_gives_the_same_numbers_and_the_batch_size_does_not_matter(evaluate: Run) -> None:
    found = []
    for n, words in enumerate((["seed=1"], ["seed=1"], ["seed=1", "batch_size=7"], ["seed=2"])):
        assert evaluate("ckpt=run", "measures=[kernel]", f"output_dir={n}", *words).exit_code == 0
        found.append(results(str(n))["evaluations"][0]["models"][0]["metrics"]["kernel_distance"])
    assert found[0] == found[1] == pytest.approx(found[2], rel=1e-4)
    assert found[0] != found[3]


@pytest.mark.usefixtures("finished")
def test_a_diverged_generator_is_refused_alone_and_left_out_among_others(evaluate: Run) -> None:
    checkpoint = torch.load("run/checkpoints/last.ckpt", weights_only=True)
    checkpoint["state_dict"]["generator.layers.0.weight"][0, 0] = math.nan
    torch.save(checkpoint, "diverged.ckpt")
    outcome = evaluate("ckpt=diverged.ckpt", "measures=[frechet]")
    assert outcome.exit_code == 1
    assert "the generator draws NaN" in outcome.stderr.splitlines()[-1]
    outcome = evaluate("ckpt=[diverged.ckpt,run]", "measures=[frechet]")
    assert outcome.exit_code == 0
    assert "diverged.ckpt: the generator draws NaN" in outcome.stderr + outcome.stdout
    (found,) = results()["evaluations"]
    assert [bool(model["metrics"]) for model in found["models"]] == [False, True]
    assert [mean["checkpoints"] for mean in found["means"]] == [["run/checkpoints/last.ckpt"]]
    name = next(name for name in checkpoint["state_dict"] if name.startswith("discriminator."))
    checkpoint = torch.load("run/checkpoints/last.ckpt", weights_only=True)
    checkpoint["state_dict"][name].fill_(math.nan)
    torch.save(checkpoint, "diverged.ckpt")
    outcome = evaluate("ckpt=diverged.ckpt", "measures=[equilibrium]", "output_dir=another")
    assert "diverged.ckpt: the discriminator answers NaN or infinity" in outcome.stderr.splitlines()[-1]


@pytest.mark.usefixtures("finished")
@pytest.mark.parametrize(
    ("words", "key", "right"),
    [
        ([], "ckpt", "which checkpoint?"),
        (["ckpt=nowhere"], "nowhere", "no checkpoint"),
        (["ckpt=run", "measures=[fid]"], "'fid'", "parzen, frechet"),
        (["ckpt=run", "num_samples=0"], "num_samples", "at least 1"),
        (["ckpt=run", "batch_size=many"], "batch_size", "a whole number"),
        (["ckpt=run", "num_samples=50", "measures=[frechet]"], "frechet", "at least 129"),
        (["ckpt=run", "num_sample=50"], "'num_sample'", "did you mean num_samples"),
        (["ckpt=run", "output_dir=run"], "run/metrics.json", "choose another output_dir"),
        (["ckpt=run", "output_dir="], "output_dir", "output_dir=."),
    ],
)
def test_bad_input(words: list[str], key: str, right: str, evaluate: Run) -> None:
    outcome = evaluate(*words)
    assert outcome.exit_code == 1
    assert "Traceback" not in outcome.stderr
    line = outcome.stderr.splitlines()[-1]
    assert line.startswith("error: ")
    assert key in line
    assert right in line
    assert not Path("evaluation").exists()


@pytest.mark.parametrize(
    ("ckpt", "expected"),
    [
        ("", "is empty"),
        ([], "is empty"),
        ("nowhere/*", r"nowhere/\*"),
        ("empty", r"no run in empty; .*checkpoints/last\.ckpt"),
    ],
)
def test_paths_that_stand_for_no_checkpoint(
    ckpt: Any, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    with pytest.raises(UserError, match=expected):
        find_checkpoints(ckpt)


@pytest.mark.parametrize(
    ("names", "features", "expected"),
    [
        ("frechet", "classifier", "measures must be usual, or a list of some of parzen"),
        ([], "classifier", "measures must be usual, or a list"),
        (None, "pixels", "features must be classifier, clusters, inception or null"),
        (["modes"], "inception", "'modes' with features=inception"),
    ],
)
def test_names_of_no_measures(names: Any, features: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        measures_named(names, features)


@pytest.mark.usefixtures("finished")
def test_a_checkpoint_cannot_choose_what_code_runs(evaluate: Run) -> None:
    for place, target in (("dataset", "os.mkdir"), ("dataset", "gan_lightning.data.base.DataLoader")):
        checkpoint = torch.load("run/checkpoints/last.ckpt", weights_only=True)
        checkpoint["hyper_parameters"][place]["_target_"] = target
        torch.save(checkpoint, "evil.ckpt")
        assert f"the checkpoint's dataset is {target}" in the_one_line(evaluate("ckpt=evil.ckpt"))


class Pixels(nn.Module):
    """Points and probabilities that need no training: eight pixels, and their softmax."""

    def forward(self, images: Tensor) -> Description:
        points = images.flatten(1)[:, 300:420:15].float()
        return Description(points, points.softmax(1))


def corners(images: Tensor) -> Tensor:
    """Spatial points that need no training images."""
    return images.flatten(1)[:, 200:320:15].float()


class Digits(MNIST5k):
    pass


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference(Digits(), 500, Pixels(), corners)


def test_the_sets_of_a_reference_do_not_overlap_where_they_must_not(reference: Reference) -> None:
    training, _ = MNIST5k().load(train=True)
    assert torch.equal(reference.validation.pixels, training[3333:])
    assert torch.equal(reference.real.pixels, training[:500])
    assert torch.equal(reference.held_out.pixels, MNIST5k().load(train=False)[0][:500])
    assert len(Reference(Digits(), 10_000).real.pixels) == 3333


def test_the_order_of_the_samples_does_not_matter(reference: Reference) -> None:
    pixels, labels = (part[1000:1500] for part in MNIST5k().load(train=True))
    order = torch.randperm(500, generator=torch.Generator().manual_seed(0))
    for name, measure in MEASURES["classifier"].items():
        if name != "equilibrium":
            one, other = (
                measure.take(Subject(Images(p, labels, Pixels(), corners)), reference) for p in (pixels, pixels[order])
            )
            assert one == pytest.approx(other, rel=1e-9, abs=1e-9), name


def test_copies_of_training_images_are_caught(reference: Reference) -> None:
    copies, labels = (part[2000:2200] for part in MNIST5k().load(train=True))
    measure = MEASURES["classifier"]["memorisation"].take
    assert measure(Subject(Images(copies, labels)), reference)["memorisation"] == pytest.approx(0, abs=1e-6)
    assert measure(Subject(reference.real), reference)["memorisation"] == pytest.approx(1, abs=0.15)


def test_measures_give_the_metrics_that_they_name(reference: Reference) -> None:
    pixels, labels = (part[:500] for part in MNIST5k().load(train=True))
    images = Images(pixels, labels, Pixels(), corners)
    for log_odds, conditional in ((True, True), (False, False)):
        answers = Subject(images, lambda pixels, _: torch.zeros(len(pixels)), log_odds, None, conditional)
        for name, measure in MEASURES["classifier"].items():
            assert tuple(measure.take(answers, reference)) == measure.metrics_of(log_odds, conditional), name
    for measures in MEASURES.values():
        assert {name for each in measures.values() for name in (*each.metrics, *each.of_scores)} <= METRICS.keys()
    assert list(measures_named(["kernel", "parzen"], "classifier")) == ["parzen", "kernel"]


@pytest.mark.slow
def test_classes_are_measured_where_a_generator_is_conditional(run: Run, evaluate: Run) -> None:
    run(*without_model(SHORT), *CONDITIONAL, "trainer.max_epochs=1", "output_dir=runs/conditional")
    run(*SHORT[:-1], "trainer.max_epochs=1", "output_dir=runs/plain")
    outcome = evaluate("ckpt=runs", "measures=[classes]")
    assert outcome.exit_code == 0, outcome.stderr
    (found,) = results()["evaluations"]
    conditional, plain = found["models"]
    assert plain["metrics"] == {}
    assert conditional["metrics"]["class_accuracy"] < 0.3 < 0.8 < found["floor"]["class_accuracy"]
    assert conditional["metrics"]["class_kernel_distance"] > 10 * abs(found["floor"]["class_kernel_distance"])
    assert conditional["metrics"]["class_coverage"] < 0.3 < 0.8 < found["floor"]["class_coverage"]


class SmallInception(nn.Module):
    """Stands where torch-fidelity has the network: 16 dimensions instead of 2,048."""

    def __init__(self, name: str, features: list[str]) -> None:
        super().__init__()
        assert (name, features) == ("inception-v3-compat", ["2048", "logits_unbiased"])
        torch.manual_seed(0)
        self.register_buffer("weight", torch.randn(3 * 28 * 28, 16))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        assert images.dtype == torch.uint8
        assert images.shape[1] == 3  # gray ones are repeated
        points = images.flatten(1).float() / 255 @ self.weight
        return points, points[:, :8]


@pytest.mark.slow
@pytest.mark.usefixtures("finished")
def test_with_inception_features_the_numbers_have_their_published_names(
    evaluate: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_extractor_inceptionv3, "FeatureExtractorInceptionV3", SmallInception)
    monkeypatch.setitem(MEASURES["inception"], "frechet", MEASURES["inception"]["frechet"]._replace(at_least=1000))
    metrics = "measures=[frechet,kernel,score,neighbourhoods]"
    outcome = evaluate("ckpt=run", "features=inception", "num_samples=1000", metrics)
    assert outcome.exit_code == 0, outcome.stderr
    (found,) = results()["evaluations"]
    values = found["models"][0]["metrics"]
    assert values.keys() >= {"fid", "kid", "inception_score", "precision"}
    assert not values.keys() & {"frechet_distance", "kernel_distance", "classifier_score", "modes"}
    assert values["fid"] > found["floor"]["fid"]
    assert "FID" in outcome.stdout
    assert found["features"]["name"] == "inception"


def test_without_inception_features_nothing_is_called_fid() -> None:
    assert not {"fid", "kid", "inception_score"} & {
        name for measure in MEASURES["classifier"].values() for name in measure.metrics
    }


@pytest.mark.usefixtures("finished")
@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (OSError("no route to host"), "the weights of the Inception network are neither in "),
        (None, "pip install 'gan-lightning[inception]'"),
    ],
)
def test_inception_weights_that_are_not_to_be_had_end_in_one_line(
    failure: Exception | None, expected: str, evaluate: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        assert failure is not None
        raise failure

    monkeypatch.setattr(feature_extractor_inceptionv3, "load_state_dict_from_url", refuse)
    if failure is None:  # as if it were not installed
        monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    line = the_one_line(evaluate("ckpt=run", "features=inception", "measures=[score]"))
    assert expected in line
    assert "features=classifier" in line


@pytest.mark.slow
def test_the_real_inception_network_describes_gray_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the weights that it is made with, because the trained ones would have to be downloaded."""
    monkeypatch.setattr(feature_extractor_inceptionv3, "load_state_dict_from_url", lambda *_, **__: {})
    extractor = feature_extractor_inceptionv3.FeatureExtractorInceptionV3
    monkeypatch.setattr(extractor, "load_state_dict", lambda *_: None)
    before = torch.get_rng_state()
    network = Inception()
    assert torch.equal(torch.get_rng_state(), before)
    found = network(torch.randint(0, 256, (2, 1, 28, 28), dtype=torch.uint8))
    assert found.points.shape == (2, 2048)
    assert found.probabilities.shape == (2, 1008)
    torch.testing.assert_close(found.probabilities.sum(1), torch.ones(2))


def test_the_parzen_window_is_chosen_by_images_that_no_floor_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    sets: list[tuple[Tensor, ...]] = []
    real = catalogue.parzen_likelihoods
    monkeypatch.setattr(catalogue, "parzen_likelihoods", lambda *a: sets.append(a[:3]) or real(*a))
    reference = Reference(Digits(), 10_000)
    MEASURES["classifier"]["parzen"].take(Subject(reference.real), reference)
    samples, validation, test = sets[0]
    assert (len(samples), len(validation), len(test)) == (3333, 667, 1000)
    assert torch.cdist(validation, samples).min() > 0.1


@pytest.mark.usefixtures("finished")
def test_folders_above_that_of_an_evaluation_are_made(evaluate: Run) -> None:
    outcome = evaluate("ckpt=run", "measures=[equilibrium]", "output_dir=new/folders/here")
    assert outcome.exit_code == 0, outcome.stderr
    assert Path("new/folders/here/metrics.json").exists()
