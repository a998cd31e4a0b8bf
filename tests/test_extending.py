"""The README's own network, objective and data set, typed in an empty folder; and what of a checkpoint is trusted."""

import importlib
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
from conftest import DRAWS, Outcome, Run, the_one_line, weights
from PIL import Image

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text() + (ROOT / "conf" / "README.md").read_text()
FEW = (
    *("trainer.max_epochs=1", "trainer.limit_train_batches=3", "trainer.accelerator=cpu"),
    *(f"callbacks.{name}=null" for name in DRAWS),
)


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


def succeeds(folder: Path, *words: str) -> str:
    """What a command says, typed in a folder."""
    done = subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One that holds nothing but the examples."""
    write_examples(tmp_path)
    return tmp_path


def forget_examples() -> None:
    """As a process of its own would not know them."""
    for name in [name for name in sys.modules if name.startswith("my_")]:
        del sys.modules[name]


@pytest.fixture
def typed(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs `-m gan_lightning.…` in this process, in the folder of the examples."""
    monkeypatch.syspath_prepend(folder)

    def typed(_: str, module: str, *words: str) -> Outcome:
        forget_examples()
        return run(*words, entry_point=importlib.import_module(module))

    yield typed
    forget_examples()


@pytest.fixture
def here(typed: Run) -> Run:
    """Trains, with the options of the examples."""
    train = ("-m", "gan_lightning.train", "--config-dir", "mine/conf", "output_dir=run/it")
    return lambda *words: typed(*train, *words)


@pytest.mark.slow
def test_a_network_of_ones_own(folder: Path, classifiers: Path, typed: Run) -> None:
    train, sample = commands("labelled")
    # It leaves a mark where it is imported.
    source = (folder / "my_networks.py").read_text()
    (folder / "my_networks.py").write_text(f'{source}\nopen("imported", "w").close()\n')
    go_on = succeeds(folder, *train, *FEW).splitlines()[-1].partition("python ")[2]
    assert "--config-dir mine/conf" in go_on
    before = weights("outputs/labelled/checkpoints/last.ckpt")
    assert typed(*shlex.split(go_on)).exit_code == 0
    name = "generator.classes.weight"
    assert not torch.equal(before[name], weights("outputs/labelled/checkpoints/last.ckpt")[name])

    Path("imported").unlink()
    untrusted = [word for word in sample if not word.startswith("trust=")]
    line = the_one_line(typed(*untrusted))
    assert "generator is my_networks.Generator" in line
    assert line.endswith("say trust=[my_networks]")
    evaluate = ["-m", "gan_lightning.evaluate", "ckpt=outputs/labelled", "num_samples=300", f"data_dir={classifiers}"]
    evaluate += ["measures=[frechet,equilibrium]"]
    assert "say trust=[my_networks]" in the_one_line(typed(*evaluate))
    assert not Path("imported").exists()  # nothing of it has been run

    assert typed(*sample).exit_code == 0
    with Image.open("labelled.png") as picture:
        assert picture.size == (7 * 30 + 2, 10 * 30 + 2)  # 64 samples, a class a row
    assert typed(*evaluate, "trust=my_networks", "output_dir=measured").exit_code == 0
    (found,) = json.loads(Path("measured/metrics.json").read_text())["evaluations"]
    assert found["models"][0]["metrics"].keys() >= {"frechet_distance", "held_out_score", "held_out_gap"}


@pytest.mark.slow
def test_an_objective_of_ones_own_in_a_sweep_with_its_report(folder: Path, typed: Run) -> None:
    (sweep,) = commands("cubed")
    said = succeeds(folder, *sweep, *FEW)
    assert "2 jobs, 2 completed" in said
    assert "Cubed" in Path("outputs/cubed/report/index.html").read_text()
    results = json.loads(Path("outputs/cubed/objective-cubed/metrics.json").read_text())
    assert results.keys() >= {"real_score", "fake_score", "score_gap"}
    assert "real_probability" not in results
    sample = typed("-m", "gan_lightning.sample", "ckpt=outputs/cubed/objective-cubed")
    assert sample.exit_code == 0, sample.stderr  # its networks are the project's


@pytest.mark.slow
def test_a_data_set_of_ones_own(typed: Run) -> None:
    train, evaluate = commands("stripes")
    train = [word for word in train if word != "objective=hinge"]
    few = ["num_samples=200", "measures=[parzen,memorisation]", "data_dir=elsewhere"]
    outcome = typed(*train, *FEW, "dataset.num_train_images=100")
    assert outcome.exit_code == 0, outcome.stderr
    assert "say trust=[my_data]" in the_one_line(typed(*[word for word in evaluate if "trust" not in word], *few))
    assert typed(*evaluate, *few).exit_code == 0
    (found,) = json.loads(Path("outputs/stripes_measured/metrics.json").read_text())["evaluations"]
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
    "model.generator.widht=3": ("'model.generator.widht'", "did you mean model.generator.width"),
    "model.generator._target_=my_networks.Nobody": ("my_networks.Nobody", "has no Nobody"),
    "+model.generator.depth=3": ("model.generator: ", "unexpected keyword argument 'depth'"),
    "model.generator._target_=json.JSONDecoder ~model.generator.width": ("json.JSONDecoder", "nn.Module"),
    "+penalty={_target_: my_objectives.Cubed}": ("penalty is my_objectives.Cubed", "Penalty"),
    "+penalty={gamma: 1}": ("penalty", "_target_"),
}


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
    line = the_one_line(here("model=labelled", *([words] if "{" in words else words.split())))
    assert all(part in line for part in MISTAKES[words])
    assert not Path("run").exists()
