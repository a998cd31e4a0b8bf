"""What of a checkpoint is made, and what is refused before anything is made or even imported."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from gan_lightning import building
from gan_lightning.building import build_dataset, build_player, locate
from gan_lightning.checkpoints import check_trust, has_average, read_checkpoint, trained_player
from gan_lightning.data.base import ImageDataModule
from gan_lightning.errors import UserError
from gan_lightning.networks import mlp
from gan_lightning.schedules import ScheduledOptimizer

MLP = {"_target_": "gan_lightning.networks.mlp.Generator", "latent_dim": 3, "hidden_dims": [4]}


class Own(nn.Module):
    """A network of the tests' own."""

    def __init__(self, num_classes: int, image_shape: list[int], activation: Any = None) -> None:
        super().__init__()
        self.facts = (num_classes, image_shape)
        self.activation = activation


class Digits(ImageDataModule):
    title, image_shape, mirrors = "some digits", (1, 2, 2), False

    def __init__(self, digits: list[int], **others: Any) -> None:
        super().__init__(**others)
        self.digits = digits

    def load(self, train: bool) -> tuple[Tensor, Tensor]:
        return torch.zeros(10, 1, 2, 2, dtype=torch.uint8), torch.tensor(self.digits).repeat(10)[:10]


def make_own(num_classes: int) -> Own:
    """A function of the tests' own."""
    return Own(num_classes, [1])


def settings(generator: Any = MLP, dataset: Any = None) -> dict[str, Any]:
    dataset = dataset or {"_target_": "gan_lightning.data.mnist.MNIST"}
    return {"model": {"generator": generator, "latent_dim": 5}, "dataset": dataset}


def check(generator: Any, trust: tuple[str, ...] = ()) -> None:
    check_trust(settings(generator), ["generator"], trust)


HERE = __name__


@pytest.mark.parametrize(
    "generator",
    [
        {"_target_": "os.mkdir", "path": "owned"},
        {"_target_": f"{HERE}.Own"},
        {**MLP, "latent_dim": {"_target_": "os.mkdir", "path": "owned"}},
        {**MLP, "negative_slope": {"_target_": "torch.load", "f": "owned"}},
        {**MLP, "hidden_dims": [{"deep": [{"_target_": "os.system", "command": "touch owned"}]}]},
        {**MLP, "_args_": [{"_target_": "builtins.exec", "_args_": ["open('owned', 'w')"]}]},
        {"_target_": "gan_lightning.networks_of_mine.Generator"},
        {"_target_": "gan_lightning.train.main"},
        {"_target_": "torchvision.models.resnet18"},
    ],
)
def test_what_is_not_the_projects_own_is_refused_with_the_way_to_allow_it(
    generator: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        UserError, match=r"(not this project's own.* if you trust that, say trust=\[.+\]|nothing is made here)$"
    ):
        check(generator)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "target",
    [
        "gan_lightning.networks.mlp.players.torch.hub.load",
        "gan_lightning.networks.mlp.nn",
        "gan_lightning.networks.mlp.pairwise",
        "gan_lightning.networks.mlp.math",
        "gan_lightning.networks.goodfellow._uniform_weights",
        "gan_lightning.networks.nothing.Generator",
        "gan_lightning.networks.mlp.Nobody",
        "gan_lightning.networks.",
    ],
)
def test_names_that_only_look_like_the_projects_own_are_refused(target: str) -> None:
    with pytest.raises(UserError, match=r"the checkpoint's generator (is|has a _target_ that names no class)"):
        check({"_target_": target})


@pytest.mark.parametrize("target", [5, None, "", ".", "a b.c", "x\x1b[2J.y", "x\ny.z", ["a.b"], "os"])
def test_what_is_no_name_is_refused_without_being_repeated(target: Any) -> None:
    with pytest.raises(UserError, match=r"^the checkpoint's generator has a _target_ that names no class$"):
        check({"_target_": target})
    with pytest.raises(UserError, match="names no class"):
        check({"latent_dim": 3})


def test_torchs_layers_are_trusted_but_not_its_functions() -> None:
    check({**MLP, "hidden_dims": [{"_target_": "torch.nn.ReLU"}, {"_target_": "torch.nn.modules.linear.Linear"}]})
    for target in ("torch.nn.functional.relu", "torch.nn.init.zeros_"):
        with pytest.raises(UserError, match="which is no class"):
            check({**MLP, "latent_dim": {"_target_": target}})


@pytest.mark.parametrize("target", ["torch.load", "torch.hub.load", "os.system", "subprocess.Popen", "numpy.load"])
def test_what_can_run_anything_is_never_made_and_no_way_to_allow_it_is_told(target: str) -> None:
    root = target.partition(".")[0]
    for trust in ((), (root,), (target.rpartition(".")[0],)):
        with pytest.raises(UserError, match=r"nothing is made here$"):
            check({**MLP, "latent_dim": {"_target_": target}}, trust)


def test_a_setting_that_would_have_to_be_computed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="a setting that would have to be computed"):
        check({**MLP, "latent_dim": "${oc.env:HOME}"})


def test_a_module_is_imported_only_once_it_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "strangers.py").write_text("from torch import nn\nclass G(nn.Module):\n    pass\n")
    with pytest.raises(UserError, match="trust=\\[strangers\\]"):
        check({"_target_": "strangers.G"})
    assert "strangers" not in sys.modules
    check({"_target_": "strangers.G"}, trust=("strangers",))
    assert "strangers" in sys.modules
    with pytest.raises(UserError, match=r"trust=\[strangers,other\]"):
        check({"_target_": "other.G"}, trust=("strangers",))


def test_trust_is_in_classes_that_a_module_defines_not_in_what_it_imports() -> None:
    check({"_target_": f"{HERE}.Own", "activation": {"_target_": f"{HERE}.Own"}}, trust=(HERE,))
    check({"_target_": f"{HERE}.make_own"}, trust=(HERE,))
    for name in ("nn", "sys", "settings.nothing"):
        with pytest.raises(UserError, match="the checkpoint's generator is "):
            check({"_target_": f"{HERE}.{name}"}, trust=(HERE,))
    for name, home in (("Path", "pathlib"), ("check_trust", "gan_lightning.checkpoints")):
        with pytest.raises(UserError, match=rf"defined in {home}; .* trust=\[{HERE},{home}\]"):
            check({"_target_": f"{HERE}.{name}"}, trust=(HERE,))
    with pytest.raises(UserError, match="not this project's own"):
        check({"_target_": f"{HERE}_too.Own"}, trust=(HERE,))


def test_facts_are_given_as_they_are_and_never_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    evil = {"_target_": "pathlib.Path.touch", "_args_": [{"_target_": "pathlib.Path", "_args_": ["owned"]}]}
    own = {"_target_": f"{HERE}.Own"}
    network = build_player(settings(own), "generator", [1, evil], "${oc.env:HOME}")  # type: ignore[list-item,arg-type]
    assert network.facts == ("${oc.env:HOME}", [1, evil])
    assert not Path("owned").exists()


TAMPERED: dict[str, Any] = {
    "image_shape": [[1, 28], [1, 28, {"_target_": "os.mkdir"}], [1, 28, "${oc.env:HOME}"], [1, 28, 0], None, "abc"],
    "num_classes": [0, -1, 1.5, "x", None, True, {"_target_": "os.mkdir"}],
    "class_names": [None, "x" * 10, ["x"], ["x"] * 9, [*"abcdefghi", 1], [*"abcdefghi", "x" * 301], {"a": 1}],
    "title": [None, 1, "x" * 301, ["x"]],
    "log_odds": [None, "x", 1],
    "seed": [None, -1, []],
    "model": [None, [], "x"],
    "dataset": [None, [1]],
    "penalty": [torch.zeros(2), b"x", {1, 2}],
}


@pytest.mark.parametrize("key", TAMPERED)
def test_settings_that_cannot_be_a_runs_are_no_checkpoint(key: str, tmp_path: Path) -> None:
    whole = {**settings(), "image_shape": [1, 2, 2], "gan": {}, "objective": {}, "trainer": {}, "seed": 0}
    of_epoch = {"epoch_progress": {"current": {"processed": 3}}, "epoch_loop.batch_progress": {"is_last_batch": True}}
    progress = {"fit_loop": of_epoch}
    torch.save({"hyper_parameters": whole, "state_dict": {}, "loops": progress}, tmp_path / "whole.ckpt")
    read = read_checkpoint(str(tmp_path / "whole.ckpt"))
    assert (read["hyper_parameters"]["num_classes"], read["hyper_parameters"]["log_odds"]) == (10, True)
    for value in TAMPERED[key]:
        torch.save({**read, "hyper_parameters": {**whole, key: value}}, tmp_path / "bad.ckpt")
        with pytest.raises(UserError, match="is not a checkpoint"):
            read_checkpoint(str(tmp_path / "bad.ckpt"))
    for part in ("state_dict", "loops", "hyper_parameters"):
        torch.save({name: value for name, value in read.items() if name != part}, tmp_path / "bad.ckpt")
        with pytest.raises(UserError, match="is not a checkpoint of this project"):
            read_checkpoint(str(tmp_path / "bad.ckpt"))


def test_files_that_are_no_checkpoints(tmp_path: Path) -> None:
    (tmp_path / "text.ckpt").write_text("not a checkpoint")
    torch.save({"weights": torch.zeros(1000)}, tmp_path / "whole.ckpt")
    (tmp_path / "half.ckpt").write_bytes((tmp_path / "whole.ckpt").read_bytes()[:2000])
    for name in ("text", "half"):
        with pytest.raises(UserError, match=rf"{name}\.ckpt is not a checkpoint, or it is damaged"):
            read_checkpoint(str(tmp_path / f"{name}.ckpt"))
    for content in ([1, 2], {"hyper_parameters": [1]}):
        torch.save(content, tmp_path / "other.ckpt")
        with pytest.raises(UserError, match=r"other\.ckpt is not a checkpoint of this project"):
            read_checkpoint(str(tmp_path / "other.ckpt"))
    for path in (tmp_path, tmp_path / "nowhere.ckpt"):
        with pytest.raises(UserError, match="there is no checkpoint at"):
            read_checkpoint(str(path))


def test_settings_that_hold_themselves_are_no_checkpoint(tmp_path: Path) -> None:
    loop: dict[str, Any] = {}
    loop["gan"] = loop
    torch.save({"hyper_parameters": loop, "state_dict": {}}, tmp_path / "bad.ckpt")
    with pytest.raises(UserError, match="is not a checkpoint of this project"):
        read_checkpoint(str(tmp_path / "bad.ckpt"))


def test_a_constructor_gets_the_facts_that_it_names() -> None:
    own = {"_target_": f"{HERE}.Own"}
    network = build_player(settings(own), "generator", (1, 2, 2), 7)
    assert network.facts == (7, [1, 2, 2])
    assert network.latent_dim == 5  # it does not say, so the model's settings do
    assert build_player(settings(), "generator", (1, 2, 2), 7).latent_dim == 3
    made = build_player(settings({"_target_": f"{HERE}.make_own"}), "generator", (1, 2, 2), 7)
    assert made.facts == (7, [1])
    nested = build_player(settings({**own, "activation": {"_target_": "torch.nn.ReLU"}}), "generator", (1,), 7)
    assert isinstance(nested.activation, nn.ReLU)


def test_a_data_sets_arguments_are_used() -> None:
    data = build_dataset(settings(dataset={"_target_": f"{HERE}.Digits", "digits": [3, 5], "batch_size": 2}))
    assert isinstance(data, Digits)
    assert (data.digits, data.batch_size) == ([3, 5], 2)


def checkpoint(**others: Tensor) -> dict[str, Any]:
    torch.manual_seed(0)
    state = mlp.Generator((1, 2, 2), latent_dim=3, hidden_dims=[4]).state_dict()
    return {
        "hyper_parameters": {**settings(), "image_shape": [1, 2, 2], "num_classes": 10},
        "state_dict": {**{f"generator.{name}": value for name, value in state.items()}, **others},
        "path": "a.ckpt",
    }


def test_the_weights_that_are_asked_for() -> None:
    plain = checkpoint()
    raw_weights = plain["state_dict"]
    average = {name.replace("generator.", "ema.network."): value + 1 for name, value in raw_weights.items()}
    averaged = checkpoint(**average)
    assert (has_average(plain), has_average(averaged)) == (False, True)
    raw, mean = (trained_player(averaged, "generator", weights).state_dict() for weights in ("raw", "ema"))
    assert all(torch.equal(mean[name], raw[name] + 1) for name in raw)


def test_weights_that_do_not_fit_are_one_line() -> None:
    changed = checkpoint()
    changed["hyper_parameters"]["model"]["generator"]["hidden_dims"] = [9]
    with pytest.raises(UserError, match=r"a.ckpt: generator.layers.0.weight is \(4, 3\), but this model's is \(9, 3\)"):
        trained_player(changed, "generator")


def test_an_error_inside_a_module_is_loud_but_a_missing_module_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "needs_more.py").write_text("import something_that_is_not_there")
    with pytest.raises(ModuleNotFoundError, match="something_that_is_not_there"):
        locate("needs_more.G", "model.generator")
    for name, content in {"value": "int('x')", "type": "1 + 'x'", "file": "open('/nope')"}.items():
        (tmp_path / f"broken_{name}.py").write_text(content)
        with pytest.raises(ImportError, match=f"broken_{name} cannot be imported"):
            locate(f"broken_{name}.G", "model.generator")
    (tmp_path / "broken_attribute.py").write_text("import math\nmath.nothing")
    with pytest.raises(AttributeError, match="math"):
        locate("broken_attribute.G", "model.generator")
    with pytest.raises(UserError, match="there is no module 'not_here'"):
        locate("not_here.G", "model.generator")
    with pytest.raises(UserError, match="'Generator', which names no class"):
        locate("Generator", "model.generator")
    with pytest.raises(UserError, match=r"mlp has no Genrator; did you mean Generator\?"):
        locate("gan_lightning.networks.mlp.Genrator", "model.generator")


@pytest.mark.parametrize("kind", ["torch.optim.Adam", "torch.optim.AdamW", "gan_lightning.adam.Adam"])
def test_betas_may_be_typed_as_whole_numbers(kind: str) -> None:
    schedule = {"_target_": "gan_lightning.schedules.Cosine", "first": 0.9, "last": 0.99, "images": 10}
    for typed, first in (([0, 0.99], [0.0, 0.99]), ([0, schedule], [0.0, 0.9])):
        node = {"_target_": kind, "_partial_": True, "lr": 1e-3, "betas": typed}
        factory = building._factory(OmegaConf.create({"generator": node}), "generator")
        optimizer = ScheduledOptimizer(factory, [torch.nn.Parameter(torch.zeros(1))]).optimizer
        betas = list(optimizer.param_groups[0]["betas"])
        assert (betas, [type(beta) for beta in betas]) == (first, [float, float])
