"""The README's own network, objective and data set, typed in an empty folder; and what of a checkpoint is trusted."""

import json
import re
import shlex
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from conftest import Run, weights
from PIL import Image

README = (Path(__file__).parents[1] / "README.md").read_text()
FEW = ("trainer.max_epochs=1", "trainer.limit_train_batches=3", "trainer.accelerator=cpu")


def write_examples(folder: Path) -> None:
    """The files that the README shows, where it says that they are."""
    for name, content in re.findall(r"```(?:python|yaml)\n# (\S+)\n(.*?)```", README, re.S):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def commands(about: str) -> list[list[str]]:
    """The README's commands that mention something, without the interpreter."""
    lines = [line for block in re.findall(r"```bash\n(.*?)```", README, re.S) for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if about in line]


def python(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True, timeout=300)


def succeeds(folder: Path, *words: str) -> str:
    done = python(folder, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def the_one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    return line


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One that holds nothing but the examples."""
    write_examples(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_a_network_of_ones_own(folder: Path, classifiers: Path) -> None:
    train, sample = commands("labelled")
    # It leaves a mark where it is imported.
    source = (folder / "my_networks.py").read_text()
    (folder / "my_networks.py").write_text(f'{source}\nopen("imported", "w").close()\n')
    go_on = succeeds(folder, *train, *FEW).splitlines()[-1].partition("python ")[2]
    assert "--config-dir mine/conf" in go_on
    before = weights(folder / "outputs/labelled/checkpoints/last.ckpt")
    succeeds(folder, *shlex.split(go_on))
    assert not torch.equal(
        before["generator.classes.weight"],
        weights(folder / "outputs/labelled/checkpoints/last.ckpt")["generator.classes.weight"],
    )

    (folder / "imported").unlink()
    untrusted = [word for word in sample if not word.startswith("trust=")]
    line = the_one_line(python(folder, *untrusted))
    assert "generator is my_networks.Generator" in line
    assert line.endswith("say trust=[my_networks]")
    evaluate = ["-m", "gan_lightning.evaluate", "ckpt=outputs/labelled", "num_samples=300", f"data_dir={classifiers}"]
    evaluate += ["metrics=[frechet,equilibrium]"]
    assert "say trust=[my_networks]" in the_one_line(python(folder, *evaluate))
    assert not (folder / "imported").exists()  # nothing of it has been run

    succeeds(folder, *sample)
    with Image.open(folder / "labelled.png") as picture:
        assert picture.size == (242, 242)
    succeeds(folder, *evaluate, "trust=my_networks", "output_dir=measured")
    (found,) = json.loads((folder / "measured/metrics.json").read_text())["evaluations"]
    assert found["models"][0]["metrics"].keys() >= {"frechet_distance", "held_out_score", "held_out_gap"}


@pytest.mark.slow
def test_an_objective_of_ones_own_in_a_sweep_with_its_report(folder: Path) -> None:
    (sweep,) = commands("cubed")
    said = succeeds(folder, *sweep, *FEW)
    assert "2 jobs, 2 completed" in said
    page = (folder / "outputs/cubed/report/index.html").read_text()
    assert "Cubed" in page
    results = json.loads((folder / "outputs/cubed/objective-cubed/metrics.json").read_text())
    assert results.keys() >= {"real_score", "fake_score", "score_gap"}
    assert "real_probability" not in results
    succeeds(
        folder, "-m", "gan_lightning.sample", "ckpt=outputs/cubed/objective-cubed"
    )  # its networks are the project's


@pytest.mark.slow
def test_a_data_set_of_ones_own(folder: Path) -> None:
    train, evaluate = commands("stripes")
    train = [word for word in train if word != "objective=hinge"]
    few = ["num_samples=200", "metrics=[parzen,memorisation]", "data_dir=elsewhere"]
    succeeds(folder, *train, *FEW, "dataset.num_train_images=100")
    assert "say trust=[my_data]" in the_one_line(python(folder, *[w for w in evaluate if "trust" not in w], *few))
    succeeds(folder, *evaluate, *few)
    (found,) = json.loads((folder / "outputs/stripes_measured/metrics.json").read_text())["evaluations"]
    assert found["dataset"] == "stripes"
    assert found["images"] == {"generated": 200, "held_out": 200, "floor": 200}  # of all, not of those trained on
    assert found["floor"]["memorisation"] < found["models"][0]["metrics"]["memorisation"]


MISFIT = """def __init__(self):
        super().__init__()
        self.latent_dim = 3
        self.layer = nn.Linear(4, 784)
    def forward(self, latent):
        return self.layer(latent).view(-1, 1, 28, 28)"""
BROKEN = {
    "shapes that do not fit": (MISFIT, 8, RuntimeError),
    "a name that is not there": ("def __init__(self):\n        super().__init__()\n        nope()", 5, NameError),
    "no Python": ("def __init__(self:", 3, SyntaxError),
}


MISTAKES = {
    "model.generator.widht=3": "no setting 'model.generator.widht'; did you mean model.generator.width",
    "model.generator._target_=my_networks.Nobody": "is my_networks.Nobody, but my_networks has no Nobody",
    "model.generator._target_=my_nets.Generator": "is my_nets.Generator, but there is no module 'my_nets' here",
    "model.generator._target_=Generator": "'Generator', which names no class; it should be a module and a class",
    "+model.generator.depth=3": "model.generator: Generator.__init__() got an unexpected keyword argument 'depth'",
    "model.generator._target_=json.JSONDecoder ~model.generator.width": "json.JSONDecoder, which is no nn.Module",
    "+penalty={_target_: my_networks.Generator}": "penalty: Generator.__init__() missing",
    "+penalty={_target_: my_objectives.Cubed}": "penalty is my_objectives.Cubed, which is no Penalty",
    "+penalty={gamma: 1}": "penalty names no class; it needs a _target_",
}


@pytest.fixture
def here(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs the training in this process, in the folder of the examples, and forgets them afterwards."""
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)
    yield lambda *words: run("--config-dir", "mine/conf", "output_dir=run/it", *words)
    for name in set(sys.modules) - before:
        if name.startswith("my_"):
            del sys.modules[name]


@pytest.mark.parametrize("error", BROKEN)
def test_a_programming_error_is_loud_with_its_file_and_line(error: str, here: Run) -> None:
    body, line, kind = BROKEN[error]
    Path("my_broken.py").write_text(f"from torch import nn\nclass Generator(nn.Module):\n    {body}\n")
    broken = "generator:\n  _target_: my_broken.Generator\ndiscriminator:\n  _target_: my_networks.Discriminator\n"
    Path("mine/conf/model/broken.yaml").write_text(broken)
    with pytest.raises(kind) as raised:
        here("model=broken")
    shown = "".join(traceback.format_exception(raised.value))
    assert re.search(rf'my_broken\.py", line {line}\b', shown)
    assert not Path("run").exists()  # the next try may have it


@pytest.mark.parametrize("words", MISTAKES)
def test_a_users_mistake_is_one_line(words: str, here: Run) -> None:
    outcome = here("model=labelled", *([words] if "{" in words else words.split()))
    assert outcome.exit_code == 1
    assert MISTAKES[words] in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1
    assert not Path("run").exists()
