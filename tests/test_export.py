"""A generator taken elsewhere draws there what it drew here; what was exported is read wherever a checkpoint is."""

import json
import math
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from conftest import SHORT, Outcome, Run, the_one_line, write_checkpoint
from huggingface_hub import ModelCard, PyTorchModelHubMixin
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from gan_lightning import __version__, export, load
from gan_lightning.errors import UserError
from gan_lightning.exporting.card import LATENTS
from gan_lightning.exporting.onnx_file import write_onnx
from gan_lightning.exporting.program import write_program
from gan_lightning.loading import TrainedGenerator
from gan_lightning.measures.metrics import METRICS
from gan_lightning.networks import dcgan, goodfellow, mlp, r3gan, sngan
from gan_lightning.whole_files import write_json

SHAPE, NUM_CLASSES = (2, 12, 8), 3
FAMILIES: dict[Any, dict[str, Any]] = {
    mlp: {"latent_dim": 5, "hidden_dims": [6], "normalization": "layer", "activation": "gelu"},
    goodfellow: {"latent_dim": 5, "hidden_dim": 6},
    dcgan: {"latent_dim": 5, "width": 2, "normalization": "batch", "latent_distribution": "spherical"},
    sngan: {"latent_dim": 5, "width": 4},
    r3gan: {"latent_dim": 5, "width": 8, "max_width": 16, "blocks": 1},
}
MODELS = [
    pytest.param(family, conditional, id=f"{family.__name__.rpartition('.')[2]}-{conditional}")
    for family in FAMILIES
    for conditional in ((False,) if family is goodfellow else (False, True))
]


@pytest.fixture
def run_export(run: Run) -> Run:
    """Runs the entry point that exports."""
    return lambda *words: run(*words, entry_point=export)


def generator_of(family: Any, conditional: bool) -> TrainedGenerator:
    """A generator of small size, with weights of all kinds, whose checkpoint is `some.ckpt`."""
    arguments = FAMILIES[family] | ({} if family is goodfellow else {"conditional": conditional})
    node = {"_target_": f"{family.__name__}.Generator", **arguments}
    return TrainedGenerator(write_checkpoint(Path("some.ckpt"), node, SHAPE, NUM_CLASSES), SHAPE, NUM_CLASSES)


def inputs(generator: TrainedGenerator, number: int) -> list[Tensor]:
    labels = torch.randint(NUM_CLASSES, (number,))
    return [generator.sample_latent(number, torch.Generator()), *([labels] if generator.conditional else [])]


def succeeded(outcome: Outcome) -> str:
    assert outcome.exit_code == 0, outcome.stderr
    assert not outcome.stderr
    return outcome.stdout


def same(generator: TrainedGenerator, other: Callable[..., Tensor]) -> None:
    """That both draw the same, any number of images at a time."""
    for number in (1, 2, 7, 20):
        given = inputs(generator, number)
        with torch.no_grad():
            torch.testing.assert_close(other(*given), generator(*given), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("family", "conditional"), MODELS)
def test_safetensors(family: Any, conditional: bool, run_export: Run) -> None:
    """The weights are the same, bit for bit, for this project and for Hugging Face's way to read a model."""
    generator = generator_of(family, conditional)
    assert "differ by 0 at most" in succeeded(run_export("ckpt=some.ckpt", "output_dir=out"))
    files = {"README.md", "config.json", "model.safetensors", "samples.png"}
    assert {path.name for path in Path("out").iterdir()} == files
    read = load("out")
    assert (read.image_shape, read.num_classes, read.latent_dim) == (SHAPE, NUM_CLASSES, 5)
    assert read.conditional == conditional

    class Hub(family.Generator, PyTorchModelHubMixin):  # type: ignore[misc,name-defined]
        """What a stranger would write."""

    given = inputs(generator, 7)
    images = generator(*given)
    assert torch.equal(read(*given), images)
    assert torch.equal(Hub.from_pretrained("out")(*given), images)
    assert torch.equal(read.draw(20, seed=3), generator.draw(20, seed=3))


@pytest.mark.slow
@pytest.mark.parametrize(("family", "conditional"), [(mlp, True), (sngan, True), (r3gan, True)])
def test_torch_export_and_onnx(family: Any, conditional: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    generator = generator_of(family, conditional)
    same(generator, write_program(generator, tmp_path))
    same(generator, write_onnx(generator, tmp_path, opset=None))
    for path in ("model.pt2", "model.onnx"):
        assert str(Path(family.__file__).parent).encode() not in Path(path).read_bytes()
    same(generator, torch.export.load("model.pt2").module())
    session = onnxruntime.InferenceSession("model.onnx")
    names = ["latent", "labels"][: 1 + conditional]
    assert [given.name for given in session.get_inputs()] == names
    assert [given.shape for given in session.get_inputs()] == [["batch", 5], ["batch"]][: 1 + conditional]
    assert [(given.name, given.shape) for given in session.get_outputs()] == [("images", ["batch", *SHAPE])]

    def run(*given: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, dict(zip(names, map(Tensor.numpy, given), strict=True)))[0])

    same(generator, run)


def code_of_card(folder: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", Path(folder, "README.md").read_text(), re.S)


def test_what_the_card_says_to_do_can_be_done(run_export: Run) -> None:
    generator = generator_of(dcgan, conditional=True)
    for form in export.FORMATS:
        said = succeeded(run_export("ckpt=some.ckpt", f"format={form}", f"output_dir={form}"))
        assert f"the raw weights in {form}; {form} draws what PyTorch draws, 1, 2, 7 images at a time" in said
        names: dict[str, Any] = {}
        for code in code_of_card(form):
            exec(re.sub(r'"(model\.\w+)"', rf'"{form}/\1"', code).replace("this/folder", "safetensors"), names)
        assert names["images"].shape == (16, *SHAPE)
        if form == "safetensors":
            given = inputs(generator, 3)
            assert torch.equal(names["network"](*given), generator(*given))
        if form == "torch_export":
            same(generator, names["generator"])


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("distribution", LATENTS)
def test_latents_of_the_card_are_those_of_training(distribution: str, library: str) -> None:
    generator = mlp.Generator((1, 2, 2), latent_dim=200, latent_distribution=distribution)
    names: dict[str, Any] = {"numpy": np, "torch": torch}
    exec("latent = " + LATENTS[distribution][library].format(size=200).replace("16", "500"), names)
    drawn, expected = torch.as_tensor(names["latent"]), generator.sample_latent(500, torch.Generator())
    assert drawn.shape == expected.shape
    for moment in (torch.std, lambda z: z.norm(dim=1).std(), lambda z: z.abs().max()):
        assert float(moment(drawn)) == pytest.approx(float(moment(expected)), rel=0.2, abs=1e-3)


def test_the_card_tells_what_is_known(finished: Path, run_export: Run) -> None:
    config = torch.load("run/checkpoints/last.ckpt", weights_only=True)
    config["hyper_parameters"]["callbacks"]["evaluation"] = {"num_samples": 77, "features": "classifier", "seed": 5}
    torch.save(config, "run/checkpoints/last.ckpt")
    results = json.loads(Path("run/metrics.json").read_text())
    Path("run/metrics.json").write_text(json.dumps({**results, "frechet_distance": 2.5, "parzen_fine": None}))
    said = succeeded(run_export("ckpt=run", "output_dir=digits", "license=cc-by-4.0"))
    assert said.startswith("the raw weights in digits; safetensors draws what PyTorch draws")
    card = ModelCard.load("digits/README.md")
    assert (card.data.license, card.data.library_name, card.data.model_name) == ("cc-by-4.0", "gan-lightning", "digits")
    (result,) = card.data.eval_results
    assert (result.dataset_name, result.metric_type, result.metric_value) == ("MNIST5k", "frechet_distance", 2.5)
    for known in ("77 generated images (seed 5)", "| Fréchet distance ↓ | 2.5 | – |", "1 epoch, 5 alternations"):
        assert known in card.text
    for known in ("`dataset.num_train_images` | 40", "![samples](samples.png)", f"gan-lightning {__version__}"):
        assert known in card.text
    text = Path("digits/config.json").read_text() + card.text
    assert "output_dir" not in text
    assert "run/" not in text
    # The numbers are those of the last epoch: not of another one, and not of other weights.
    Path("run/metrics.json").write_text(json.dumps({**results, "frechet_distance": 2.5, "epochs": 3}))
    succeeded(run_export("ckpt=run", "output_dir=other"))
    assert "Nothing has been measured" in Path("other/README.md").read_text()
    # What is exported again keeps what was measured of it.
    succeeded(run_export("ckpt=digits", "output_dir=again"))
    assert "| Fréchet distance ↓ | 2.5 | – |" in Path("again/README.md").read_text()


def test_the_numbers_of_an_evaluation(finished: Path, run_export: Run) -> None:
    model = {"checkpoint": "run/checkpoints/last.ckpt", "epochs": 1, "weights": "raw", "seed": 0}
    evaluation = {"images": {"generated": 300, "held_out": 200}, "floor": {"recall": 0.9}, "features": None}
    found = {"seed": 4, "evaluations": [{**evaluation, "models": [{**model, "metrics": {"recall": 0.5}}]}]}
    Path("evaluation").mkdir()
    Path("evaluation/metrics.json").write_text(json.dumps(found))
    succeeded(run_export("ckpt=run", "evaluation=evaluation", "output_dir=out"))
    card = Path("out/README.md").read_text()
    assert "300 generated images (seed 4) against 200 test images" in card
    assert "| recall ↑ | 0.5 | 0.9 |" in card
    for change in ({"epochs": 2}, {"weights": "ema"}, {"checkpoint": "other.ckpt"}):
        found["evaluations"][0]["models"][0] = {**model, **change, "metrics": {"recall": 0.5}}
        Path("evaluation/metrics.json").write_text(json.dumps(found))
        line = the_one_line(run_export("ckpt=run", "evaluation=evaluation", "output_dir=more"))
        assert "evaluation/metrics.json has no numbers of the raw weights" in line
    assert "not what an evaluation writes" in the_one_line(run_export("ckpt=run", "evaluation=run", "output_dir=more"))
    assert not Path("more").exists()


def test_every_metric_has_a_row_of_its_own(finished: Path, run_export: Run) -> None:
    metrics = {name: 1000.0 + number for number, name in enumerate(METRICS)}
    model = {"checkpoint": "run/checkpoints/last.ckpt", "epochs": 1, "weights": "raw", "seed": 0, "metrics": metrics}
    floor = {name: value + 0.5 for name, value in metrics.items()}
    evaluation = {"images": {"generated": 300, "held_out": 200}, "floor": floor, "features": None, "models": [model]}
    write_json(Path("evaluation/metrics.json"), {"seed": 4, "evaluations": [evaluation]})
    succeeded(run_export("ckpt=run", "evaluation=evaluation", "output_dir=out"))
    card = ModelCard.load("out/README.md")
    rows = [row.strip("| ").split(" | ") for row in card.text.partition("|---|---|---|\n")[2].splitlines()]
    assert [row[1:] for row in rows] == [[f"{metrics[name]:.4g}", f"{floor[name]:.4g}"] for name in METRICS]
    assert len({row[0] for row in rows}) == len(METRICS)
    assert [row[0] for row in rows[3:6]] == [
        "Parzen log-likelihood (nats), finer widths ↑",
        "Parzen log-likelihood (nats), finer widths: its standard error",
        "Parzen log-likelihood (nats), finer widths: its width σ",
    ]
    found = {result.metric_type: (result.metric_name, result.metric_value) for result in card.data.eval_results}
    assert {name: value for name, (_, value) in found.items()} == metrics
    assert found["parzen_fine_sigma"][0] == rows[5][0]


def test_averaged_weights(run_export: Run) -> None:
    generator_of(mlp, conditional=False)
    checkpoint = torch.load("some.ckpt", weights_only=True)
    raw = checkpoint["state_dict"]
    average = {name.replace("generator.", "ema.network."): 2 * weight for name, weight in raw.items()}
    torch.save({**checkpoint, "state_dict": raw | average}, "both.ckpt")
    succeeded(run_export("ckpt=both.ckpt", "output_dir=out"))
    name = "network.layers.0.weight"
    assert torch.equal(load("out").state_dict()[name], load("both.ckpt", "ema").state_dict()[name])
    assert torch.equal(2 * load("both.ckpt", "raw").state_dict()[name], load("out", "ema").state_dict()[name])
    assert "has their average alone" in the_one_line(run_export("ckpt=out", "weights=raw", "output_dir=more"))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "which checkpoint?"),
        (["ckpt=nowhere"], "there is no checkpoint at nowhere"),
        (["ckpt=some.ckpt", "format=tflite"], "format must be one of safetensors, onnx, torch_export, not 'tflite'"),
        (["ckpt=some.ckpt", "opset=17"], "opset=17 is of format=onnx, and format is safetensors"),
        (["ckpt=some.ckpt", "format=onnx", "opset=7"], "opset=7 cannot express this generator; opset=18 can"),
        (["ckpt=some.ckpt", "format=onnx", "opset=new"], "opset must be a whole number"),
        (["ckpt=some.ckpt", "output_dir=taken"], "taken exists already; choose another output_dir"),
        (["ckpt=some.ckpt", "output_dir="], "output_dir is empty"),
        (["ckpt=some.ckpt", "output_dir=taken/file/out"], "taken/file"),
        (["ckpt=some.ckpt", "weights=ema"], "weights=ema asks for averaged weights"),
        (["some.ckpt"], "ckpt=some.ckpt"),
    ],
)
def test_bad_input(words: list[str], expected: str, run_export: Run) -> None:
    generator_of(mlp, conditional=False)
    Path("taken").mkdir()
    Path("taken/file").touch()
    before = sorted(Path().rglob("*"))
    out = [] if any(word.startswith("output_dir") for word in words) else ["output_dir=out"]
    assert expected in the_one_line(run_export(*words, *out))
    assert sorted(Path().rglob("*")) == before


def test_a_package_that_is_missing(run_export: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    generator_of(mlp, conditional=False)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    line = the_one_line(run_export("ckpt=some.ckpt", "format=onnx", "output_dir=out"))
    assert "pip install 'gan-lightning[export]'" in line
    assert not Path("out").exists()


OWN = """
from torch import nn

class Generator(nn.Module):
    def __init__(self, image_shape, latent_dim=4, forks=False, drifts=False):
        super().__init__()
        self.latent_dim, self.forks = latent_dim, forks
        self.layers = nn.Sequential(nn.Linear(latent_dim, 192), nn.Unflatten(1, tuple(image_shape)))
        self.drift = 0.1 if drifts else 0.0

    def forward(self, z):
        images = self.layers(z) + self.drift
        self.drift += 0.1 if self.drift else 0.0
        return -images if self.forks and z.sum() > 0 else images
"""


@pytest.fixture
def own(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., nn.Module]:
    """Makes a generator of a class from outside the project, whose checkpoint is `some.ckpt`."""
    (tmp_path / "my_module.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_module", raising=False)

    def make(**arguments: Any) -> nn.Module:
        node = {"_target_": "my_module.Generator", **arguments}
        return write_checkpoint(Path("some.ckpt"), node, SHAPE, NUM_CLASSES)

    return make


def test_a_class_from_outside_the_project(own: Callable[..., nn.Module], run_export: Run) -> None:
    network = own()
    assert "trust=[my_module]" in the_one_line(run_export("ckpt=some.ckpt", "output_dir=out"))
    assert not Path("out").exists()
    succeeded(run_export("ckpt=some.ckpt", "trust=[my_module]", "output_dir=out"))
    assert 'load("this/folder", trust="my_module")' in Path("out/README.md").read_text()
    assert torch.equal(load("out", trust="my_module").network.layers[0].weight, network.layers[0].weight)  # type: ignore
    with pytest.raises(Exception, match=r"trust=\[my_module\]"):
        load("out")


@pytest.mark.parametrize("form", ["onnx", "torch_export"])
def test_what_cannot_be_traced(form: str, own: Callable[..., nn.Module], run_export: Run) -> None:
    own(forks=True)
    line = the_one_line(run_export("ckpt=some.ckpt", "trust=[my_module]", f"format={form}", "output_dir=out"))
    assert "my_module.Generator cannot be traced for batches of any size, only exported as safetensors" in line
    assert not Path("out").exists()


def test_what_draws_something_else_is_not_kept(own: Callable[..., nn.Module], run_export: Run) -> None:
    own(drifts=True)
    line = the_one_line(run_export("ckpt=some.ckpt", "trust=[my_module]", "format=torch_export", "output_dir=out"))
    assert "it is not kept" in line
    assert [path.name for path in Path().iterdir() if "out" in path.name] == []


@pytest.mark.usefixtures("run")
def test_a_generator_is_told_what_it_cannot_draw() -> None:
    with_labels, without = generator_of(dcgan, conditional=True), generator_of(mlp, conditional=False)
    assert torch.equal(with_labels.draw(4, labels=[2, 0]), with_labels.draw(4, torch.tensor([2, 2, 0, 0])))
    assert not torch.equal(with_labels.draw(4, labels=1), with_labels.draw(4, labels=2))
    for labels in (3, -1, True, "2", [], [0, 1.5], torch.tensor([0, 3])):
        with pytest.raises(UserError, match="labels must be a label from 0 to 2, or a list of such, not "):
            with_labels.draw(4, labels)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="takes no labels"):
        without.draw(4, labels=1)
    with pytest.raises(UserError, match="num_samples must be"):
        without.draw(0)
    with pytest.raises(UserError, match="seed must be"):
        without.draw(1, seed=-1)


@pytest.fixture
def exported(finished: Path, run_export: Run) -> Path:
    """The generator of the run in the folder `run`, exported."""
    succeeded(run_export(f"ckpt={finished}", "output_dir=out"))
    return Path("out")


def test_what_was_exported_is_sampled_as_its_checkpoint(exported: Path, run_sample: Run) -> None:
    for ckpt in ("run", "out", "out/model.safetensors"):
        assert run_sample(f"ckpt={ckpt}", "num_samples=4", f"output={ckpt.replace('/', '_')}.png").exit_code == 0
    assert (
        Path("run.png").read_bytes() == Path("out.png").read_bytes() == Path("out_model.safetensors.png").read_bytes()
    )


def test_what_was_exported_is_evaluated_but_for_its_discriminator(
    exported: Path, run_evaluate: Run, classifiers: Path
) -> None:
    common = "num_samples=20", f"data_dir={classifiers}"
    words = *common, "measures=[memorisation,equilibrium]"
    assert "out is a generator alone" in the_one_line(run_evaluate("ckpt=[run,out]", *words))
    outcome = run_evaluate("ckpt=[run,out]", *common, "measures=[memorisation]", "output_dir=evaluation")
    assert outcome.exit_code == 0, outcome.stderr
    (evaluation,) = json.loads(Path("evaluation/metrics.json").read_text())["evaluations"]
    one, other = evaluation["models"]
    assert one["metrics"] == other["metrics"]
    assert [len(mean["checkpoints"]) for mean in evaluation["means"]] == [1]  # the same model under two names


def test_no_training_goes_on_from_what_was_exported(exported: Path, run: Run) -> None:
    line = the_one_line(run(*SHORT, "trainer.max_epochs=2", "ckpt_path=out", "output_dir=new"))
    assert "ckpt_path=out is an exported generator" in line
    assert not Path("new").exists()


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no weights": (lambda out: (out / "model.safetensors").unlink(), "has no model.safetensors"),
    "half": (lambda out: os.truncate(out / "model.safetensors", 900), r"model\.safetensors is damaged"),
    "no JSON": (lambda out: (out / "config.json").write_text("{"), "is not a checkpoint of this project"),
    "another's": (lambda out: (out / "config.json").write_text('{"hidden": 3}'), "is not a checkpoint of this project"),
    "its size": (lambda out: edit(out, latent_dim=10**12), "this model's is"),
    "its class": (lambda out: edit(out, _target_="os.mkdir"), "os.mkdir"),
    "within": (lambda out: edit(out, latent_dim={"_target_": "os.mkdir", "path": "owned"}), "os.mkdir"),
    "its images": (lambda out: edit(out, image_shape=[0]), "is not a checkpoint of this project"),
    "computed": (lambda out: edit(out, activation="${oc.env:HOME}"), "would have to be computed"),
}


def edit(out: Path, **changes: Any) -> None:
    config = json.loads((out / "config.json").read_text())
    (out / "config.json").write_text(json.dumps({**config, **changes}))


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_strangers_folder_is_data(damage: str, run_export: Run) -> None:
    generator_of(mlp, conditional=False)
    succeeded(run_export("ckpt=some.ckpt", "output_dir=out"))
    change, expected = DAMAGES[damage]
    change(Path("out"))
    with pytest.raises(UserError, match=expected) as caught:
        load("out")
    assert "\n" not in str(caught.value)
    assert not Path("owned").exists()


def test_weights_that_are_no_numbers(run_export: Run) -> None:
    generator_of(mlp, conditional=False)
    succeeded(run_export("ckpt=some.ckpt", "output_dir=out"))
    weights = load_file("out/model.safetensors")
    weights["layers.0.weight"][0, 0] = math.nan
    save_file(weights, "out/model.safetensors")
    with pytest.raises(UserError, match=r"layers\.0\.weight holds NaN or infinity"):
        load("out")
