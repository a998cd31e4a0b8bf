"""The scripts that the README's figures come from, shortened."""

import importlib
import json
import re
import runpy
import shutil
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import DRAWS, SHORT, Outcome, trained_once
from PIL import Image
from torch.utils.benchmark import Timer
from torch.utils.tensorboard import SummaryWriter

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
Script = Callable[..., Outcome]


RUN = subprocess.run


def run_here(command: list[str], **others: Any) -> subprocess.CompletedProcess[str]:
    """`python -m gan_lightning.…` in this process, because one of its own costs seconds; anything else as ever."""
    if command[:2] != [sys.executable, "-m"]:
        return RUN(command, **others)
    try:
        importlib.import_module(command[2]).main(command[3:])
    except SystemExit as ending:
        return subprocess.CompletedProcess(command, 1, stderr=str(ending))
    return subprocess.CompletedProcess(command, 0)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Script:
    """Runs a script with the arguments that a person would type."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.setattr(subprocess, "run", run_here)

    def script(name: str, *words: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", [name, *words])
        capfd.readouterr()
        exit_code: Any = 0
        try:
            runpy.run_path(str(BENCHMARKS / name), run_name="__main__")
        except SystemExit as ending:
            exit_code = ending.code
        return Outcome(exit_code, *capfd.readouterr())

    return script


leaves_its_end_to_close = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""What measures other processes is one that ends when it has measured, and closes nothing before."""


UNDRAWN = [f"callbacks.{name}=null" for name in DRAWS]
"""For trainings in processes of their own."""


def options(*words: str) -> list[str]:
    return [f"--option={word}" for word in words]


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_the_table_and_the_pictures_of_recipes(tmp_path: Path, classifiers: Path, script: Script) -> None:
    few = options(
        "dataset=mnist5k", "trainer.limit_train_batches=2", "trainer.accelerator=cpu", f"data_dir={classifiers}",
        "callbacks.evaluation.num_samples=300", "callbacks.samples.num_samples=4",
    )  # fmt: skip
    words = ["report_mnist=1", "--seeds=2", "--num-samples=300", f"--folder={tmp_path}", *few]
    done = script("recipes.py", *words, f"--pictures={tmp_path / 'pictures'}")
    assert done.exit_code == 0, done.stderr
    head, rule, model, floor = done.stdout.strip().splitlines()[-4:]
    assert head.count("|") == rule.count("|") == model.count("|") == floor.count("|")
    assert model.startswith("| `report_mnist=1` | ")
    assert len(re.findall(r"\d ± \d", model)) > 10
    assert floor.startswith("| real images of MNIST5k | – | ")
    assert "±" not in floor
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {
        "report_mnist.png"
    }  # curves are not drawn here
    again = script("recipes.py", *words)
    assert again.stdout.strip().splitlines() == [head, rule, model, floor]  # nothing is computed twice


@pytest.mark.parametrize(
    ("word", "right"), [("report_mnist=few", "whole number, as in report_mnist=20"), ("--seeds=0", "at least one seed")]
)
def test_bad_input(word: str, right: str, script: Script) -> None:
    done = script("recipes.py", word)
    assert done.exit_code == 2
    assert right in done.stderr


@leaves_its_end_to_close
@pytest.mark.slow
def test_the_speed_of_all_contenders(tmp_path: Path, script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Timer, "blocked_autorange", lambda timer, min_run_time: timer.timeit(1))
    few = options(
        "model.generator.hidden_dims=[16]", "callbacks.samples.num_samples=4", "trainer.limit_train_batches=3", *UNDRAWN
    )
    words = ["--rounds=2", "--block=2", "--epochs=2", "--precision=32-true", f"--traces={tmp_path}", *few]
    done = script("speed.py", *words)
    assert done.exit_code == 0, done.stderr
    rows = {line.split(" | ")[0]: line for line in done.stdout.splitlines() if line.startswith("| (")}
    assert list(rows) == ["| (a) plain loop", "| (b) tight loop, 32-true", "| (c) this project, 32-true"]
    assert all(re.search(r"\| \d+\.\d+ \(.*% \| \d\.\d+ GB \| \d+\.\d s \|$", row) for row in rows.values())
    assert re.search(r"32-true: \(a\)/\(c\) \d+\.\d+ \(.*, \(c\)/\(b\) \d+\.\d+ \(", done.stdout)
    assert re.search(r"\| matrix products \| \d+\.\d+ \| \d+% \|", done.stdout)
    assert re.search(r"32-true: 2 epochs in \d+", done.stdout)
    assert (tmp_path / "profile_32-true.trace.json").stat().st_size > 1000


@leaves_its_end_to_close
@pytest.mark.slow
@pytest.mark.usefixtures("script")
def test_the_speed_of_larger_networks(tmp_path: Path) -> None:
    speed = importlib.import_module("speed")
    speed.write_images(tmp_path)
    arguments = Namespace(device="cpu", block=1, rounds=1, option=["model.width=2", *UNDRAWN])
    line = speed.dcgan(tmp_path, arguments, "32-true")
    assert re.search(r"ms an alternation, [\d,]+ images/s through the discriminator", line)


def test_without_a_gpu_the_speed_on_one_is_refused(script: Script) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    done = script("speed.py", "--device", "cuda")
    assert done.exit_code == 2
    assert "no GPU" in done.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_the_table_of_objectives(tmp_path: Path, classifiers: Path, script: Script) -> None:
    few = options(
        "trainer.limit_train_batches=1", "trainer.accelerator=cpu", f"data_dir={classifiers}",
        "callbacks.evaluation.num_samples=300", *UNDRAWN,
    )  # fmt: skip
    done = script("objectives.py", "wasserstein", "--epochs=1", "--seeds=1", f"--folder={tmp_path}", *few)
    assert done.exit_code == 0, done.stderr
    rows = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| wasserstein")]
    assert [row[1] for row in rows] == ["gradient_penalty", "r1", "r1_r2"]
    assert all(row[5] == "0 of 1" and float(row[2]) > 1 for row in rows)


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_the_table_of_ingredients(tmp_path: Path, classifiers: Path, script: Script) -> None:
    few = options(
        "dataset=mnist5k", "trainer.limit_train_batches=1", "trainer.accelerator=cpu", f"data_dir={classifiers}",
        "callbacks.evaluation.num_samples=300", *UNDRAWN,
    )  # fmt: skip
    words = ["no penalty", "no labels", "--epochs=1", "--seeds=2", f"--folder={tmp_path}", *few]
    done = script("ablation.py", *words)
    assert done.exit_code == 0, done.stderr
    head, _, *rows = done.stdout.strip().splitlines()[-4:]
    assert [row.split(" | ")[0] for row in rows] == ["| no labels", "| no penalty"]  # in the table's order
    assert all(row.count("|") == head.count("|") and "±" in row for row in rows)
    assert "no row 'nothing' in that table" in script("ablation.py", "nothing").stderr


def test_what_has_collapsed(script: Script) -> None:
    ablation = importlib.import_module("ablation")
    fine = {"frechet_distance": 1.0, "discriminator_loss": 1.0, "generator_loss": 1.0, "modes": 10, "variety": 0.9}
    for change, has in (({}, False), ({"variety": 0.1}, True), ({"modes": 9}, True)):
        assert ablation.has_collapsed(fine | change) is has
    gone = fine | {"generator_loss": None, "modes": 1}
    assert ablation.has_diverged(gone)
    assert not ablation.has_collapsed(gone)


def test_damages_grow_and_leave_the_images_as_many_and_as_large(script: Script) -> None:
    damages = importlib.import_module("damages")
    images = torch.nn.functional.interpolate(torch.rand(20, 3, 8, 8) * 255, size=32, mode="bilinear").to(torch.uint8)
    for name, (damage, strengths, _) in damages.DAMAGES.items():
        away = []
        for strength in strengths:
            damaged = damage(images, strength, torch.Generator().manual_seed(0))
            assert (damaged.shape, damaged.dtype) == (images.shape, torch.uint8), name
            away.append((damaged.float() - images).abs().mean().item())
        assert away == sorted(away), name
        assert 0 < away[0] < away[-1], name
    swapped = damages.swapped(images, 8, torch.Generator().manual_seed(0))
    assert torch.equal(swapped.flatten(1).sort().values, images.flatten(1).sort().values)  # every patch is somewhere
    labels = torch.arange(40) % 4
    assert [int(damages.without_classes(labels, dropped).sum()) for dropped in (0.5, 1, 3)] == [35, 30, 10]


@pytest.mark.slow
def test_the_tables_of_damages(
    tmp_path: Path, classifiers: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    damages = importlib.import_module("damages")
    for name in [name for name in damages.DAMAGES if name != "noised"]:
        monkeypatch.delitem(damages.DAMAGES, name)
    picture = tmp_path / "measures.png"
    words = ["mnist5k", "--images=130", f"--folder={tmp_path}", f"--data-dir={classifiers}", f"--picture={picture}"]
    done = script("measures.py", *words)
    assert done.exit_code == 0, done.stderr
    rows = {line.split(" | ")[0]: line.split(" | ")[1:] for line in done.stdout.splitlines() if line.startswith("|")}
    assert next(iter(rows)) == "| MNIST5k"
    assert list(rows)[2:] == ["| undamaged", "| noised", "| classes dropped", "| copies"]
    assert rows["| noised"][1].startswith(("1", "2", "3"))  # noise is where the spatial distance is sure to see it
    distance = re.search(r"\((.*)\)", rows["| copies"][9])
    assert distance is not None
    assert float(distance[1]) == pytest.approx(0, abs=1e-3)  # all are copies
    assert picture.stat().st_size > 10_000
    assert script("measures.py", *words).stdout == done.stdout  # nothing is measured twice


@pytest.mark.parametrize(
    ("words", "expected"), [(["digits"], "mnist5k, mnist"), (["mnist5k", "--images=300"], "1000 test images")]
)
def test_damages_of_nothing(words: list[str], expected: str, script: Script) -> None:
    done = script("measures.py", *words)
    assert done.exit_code == 2
    assert expected in done.stderr


def test_the_table_of_networks(script: Script) -> None:
    threads = torch.get_num_threads()
    try:
        done = script(
            "networks.py", "model=dcgan model.width=2", "model=goodfellow model.generator.hidden_dim=8", "--seconds=0"
        )
    finally:
        torch.set_num_threads(threads)
    assert done.exit_code == 0, done.stderr
    head, _, *rows = done.stdout.splitlines()
    assert all(row.count("|") == head.count("|") for row in rows)
    assert [row.split(" | ")[:2] for row in rows[:2]] == [
        ["| `model=dcgan model.width=2`", "1 × 28 × 28"],
        ["| `model=dcgan model.width=2`", "3 × 32 × 32"],
    ]
    layers = 100 * 8 + 8 * 8 + 8 * 784, (784 + 240) * 240 * 5 + 240
    assert rows[2].split(" | ")[3:5] == [f"{layer / 1e6:.1f}" for layer in layers]


@pytest.mark.slow
def test_the_table_of_exports(finished: Path, script: Script) -> None:
    done = script("exports.py", "model=goodfellow model.generator.hidden_dim=8", str(finished))
    assert done.exit_code == 0, done.stderr
    *_, gray, colours, trained = [row.split(" | ") for row in done.stdout.splitlines()]
    assert [row[1] for row in (gray, colours, trained)] == ["1 × 28 × 28", "3 × 32 × 32", "1 × 28 × 28"]
    for _, _, weights, *others in (gray, colours, trained):
        assert weights.startswith("0.0e+00 (")
        assert all(float(each.split()[0]) < 1e-5 for each in others)


@pytest.fixture
def two_alike(shared: Path, tmp_path: Path) -> tuple[Path, Path]:
    """The folders of two runs of one epoch, copies of one another."""
    finished = trained_once(shared / "finished", *SHORT, "trainer.max_epochs=1")
    return shutil.copytree(finished, tmp_path / "one"), shutil.copytree(finished, tmp_path / "other")


def change_weight(folder: Path) -> None:
    path = folder / "checkpoints" / "last.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    checkpoint["optimizer_states"][0]["state"][0]["exp_avg"].flatten()[0] += 1e-3
    torch.save(checkpoint, path)


def change_picture(folder: Path) -> None:
    path = folder / "samples" / "epoch_0001.png"
    with Image.open(path) as image:
        pixel = image.getpixel((3, 3))
        image.putpixel((3, 3), tuple(255 - each for each in pixel))  # type: ignore[union-attr]
        image.save(path)


def change_scalar(folder: Path) -> None:
    with SummaryWriter(str(folder), filename_suffix=".later") as writer:
        writer.add_scalar("loss/generator", 0.5, 2)


def change_results(folder: Path) -> None:
    results = json.loads((folder / "metrics.json").read_text())
    changed = {**results, "training_seconds": 1, "alternations": 4}
    (folder / "metrics.json").write_text(json.dumps(changed))


def remove_picture(folder: Path) -> None:
    (folder / "samples" / "epoch_0001.png").unlink()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (change_weight, r"checkpoints/last\.ckpt: optimizer_states\[0\]\.state\.0\.exp_avg differs"),
        (change_picture, r"samples/epoch_0001\.png is another picture"),
        (change_scalar, r"\.: loss/generator\[0\]\[1\] is 0\.5, not \d.*"),
        (change_results, r"metrics\.json: alternations is 4, not 5"),
        (remove_picture, r"samples/epoch_0001\.png is not there"),
    ],
)
def test_what_a_kill_test_finds(
    change: Callable[[Path], None], said: str, two_alike: tuple[Path, Path], script: Script
) -> None:
    kill_test = importlib.import_module("kill_test")
    assert not list(kill_test.differences(*two_alike))
    change(two_alike[1])
    (difference,) = kill_test.differences(*two_alike)
    assert re.fullmatch(said, difference)


@pytest.mark.slow
def test_a_kill_test(tmp_path: Path) -> None:
    words = ["fp32", "--moments=1", f"--folder={tmp_path / 'runs'}", f"--other={tmp_path / 'other'}"]
    done = RUN([sys.executable, str(BENCHMARKS / "kill_test.py"), *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    head, _, fp32, together = done.stdout.splitlines()
    assert fp32.count("|") == head.count("|")
    assert fp32.endswith("| 1 |")
    assert together.removeprefix("| all") == fp32.removeprefix("| fp32")


@pytest.mark.parametrize(("words", "right"), [(["fp64"], "fp32, bf16"), (["--moments=3"], "a moment of each kind")])
def test_kills_of_nothing(words: list[str], right: str, script: Script) -> None:
    done = script("kill_test.py", *words)
    assert done.exit_code == 2
    assert right in done.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_the_first_step_of_own_images(tmp_path: Path, script: Script) -> None:
    done = script("own_images.py", "--images=120", "--size=8", f"--folder={tmp_path / 'of mine'}")
    assert done.exit_code == 0, done.stderr
    rows = re.findall(r"^\| (.+) \| ([\d.]+) \| [\d.]+ \| ([\d.]+) \| ([\d.]+) \|$", done.stdout, re.MULTILINE)
    assert [row[0] for row in rows] == ["first time", "second time", "1 % changed", "without"]
    assert len(list((tmp_path / "of mine").rglob("*.jpg"))) == 120


def test_the_table_of_members_alone_and_packed(script: Script) -> None:
    default = torch.get_default_dtype()
    outcome = script("packed_equality.py", "--alternations", "1")
    torch.set_default_dtype(default)
    rows = [line.strip("| ").split(" | ") for line in outcome.stdout.splitlines()[2:]]
    assert len(rows) == 9
    for _, float64, float32, bf16, moved in rows:
        assert float(float64) < 1e-12
        assert float(float32) < 1e-4
        assert 0 < float(bf16) < 3 * float(moved)
        assert float(moved) > 0


@leaves_its_end_to_close
@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_the_table_of_packs(script: Script) -> None:
    words = ["--precision", "32-true", "--processes", "1", "--packs", "2", "--alternations", "2", "--rounds", "1"]
    outcome = script("packed.py", *words)
    assert outcome.exit_code == 0, outcome.stderr
    assert re.search(r"^\| 32-true \| 1 \| 2 \| [\d.]+ \| [\d.]+ \|$", outcome.stdout, re.M)
    assert re.search(r"^\(a\) plain loop: [\d.]+ trials an hour$", outcome.stdout, re.M)
