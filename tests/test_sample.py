import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import CONDITIONAL, SHORT, Run, the_one_line, trained_once, without_model
from PIL import Image

from gan_lightning.checkpoints import read_checkpoint, trained_player
from gan_lightning.data.mnist5k import MNIST5k
from gan_lightning.data.pixels import to_uint8
from gan_lightning.drawing.layouts import grid_of_classes
from gan_lightning.players.sampling import draw


def test_a_checkpoint_alone_is_enough_and_draws_what_training_drew(finished: Path, run_sample: Run) -> None:
    Path("elsewhere").mkdir()
    checkpoint = (finished / "checkpoints" / "last.ckpt").rename("elsewhere/mine.ckpt")
    outcome = run_sample(f"ckpt={checkpoint}", "num_samples=4", "output=elsewhere/four.png")
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.stdout == f"4 samples in elsewhere/four.png\nof {checkpoint}, weights: raw, of the last step\n"
    drawn = np.asarray(Image.open("elsewhere/four.png"))
    assert drawn.shape == (62, 62, 3)
    shown = np.asarray(Image.open("run/samples/epoch_0001.png"))  # the same four in one row
    assert np.array_equal(drawn[2:30, 2:30], shown[2:30, 2:30])
    assert np.array_equal(drawn[32:60, 32:60], shown[2:30, 92:120])


@pytest.mark.usefixtures("finished")
def test_a_run_folder_and_another_seed(run_sample: Run) -> None:
    for seed in (0, 1):
        assert run_sample("ckpt=run", f"seed={seed}", f"output={seed}.png").exit_code == 0
    assert Path("0.png").read_bytes() != Path("1.png").read_bytes()


@pytest.mark.usefixtures("finished")
def test_a_checkpoint_cannot_choose_what_code_runs(run_sample: Run) -> None:
    checkpoint = torch.load("run/checkpoints/last.ckpt", weights_only=True)
    settings = checkpoint["hyper_parameters"]["model"]
    mkdir = {"_target_": "os.mkdir", "path": "owned"}
    for generator in (mkdir, {**settings["generator"], "latent_dim": mkdir}):  # more of them in tests/test_building.py
        settings["generator"] = generator
        torch.save(checkpoint, "evil.ckpt")
        assert "os.mkdir" in the_one_line(run_sample("ckpt=evil.ckpt"))
        assert not Path("owned").exists()


@pytest.mark.usefixtures("finished")
@pytest.mark.parametrize(
    ("words", "key", "right"),
    [
        ([], "ckpt", "which checkpoint?"),
        (["ckpt=nowhere"], "nowhere", "no checkpoint"),
        (["ckpt=run", "sede=1"], "'sede'", "did you mean seed"),
        (["ckpt=run", "output=run/"], "output", "run/samples.png"),
        (["ckpt=run", "output=digits.jpg"], "output", "a picture, digits.png, a film"),
        (["ckpt=run", "output="], "output", "must be a picture"),
        (["ckpt=run", "output=digits.gif"], "digits.gif", "nothing would move: ckpt=run is one checkpoint, run/ch"),
        (["ckpt='run/checkpoints/l*'", "output=x.gif"], "ckpt=run/checkpoints/l* is one checkpoint", "walk=8"),
        (["ckpt=run", "walk=1"], "walk", "a whole number of at least 2, not 1"),
        (["ckpt=run", "plane=[1,2,3]"], "plane", "four seeds"),
        (["ckpt=run", "plane=[0,1,2,-3]"], "plane", "four seeds"),
        (["ckpt=run", "plane=[0,1,2,3]", "walk=2"], "walk and plane", "choose one"),
        (["ckpt=run", "plane=[0,1,2,3]", "num_samples=4"], "num_samples", "leave num_samples out"),
        (["ckpt=run", "steps=4"], "steps", "those of a walk or a plane"),
        (["ckpt=run", "truncation=0"], "truncation", "a number above 0"),
        (["ckpt=run", "num_samples=10000000"], "10,000,000 images", "a folder or an .npz takes any number"),
        (["ckpt=run", "num_samples=10000000000000", "output=x.npz"], "x.npz", "draw fewer"),
        (["ckpt=run", "walk=1000000"], "too many for a picture", "draw fewer"),
        (["ckpt=run", "walk=1000000", "output=x.gif"], "too large for a .gif", "take fewer"),
        (["ckpt=run", "like=photo.png"], "photo.png", "there is no file"),
        (["ckpt=run", "like=run/config.yaml"], "run/config.yaml", "no BMP, GIF, JPEG"),
        (["ckpt=run", "like=run/samples/epoch_0001.png", "output=x.gif"], "like", "a picture, .png, or arrays, .npz"),
        (["ckpt=run", "like=run/samples/epoch_0001.png", "num_samples=4"], "like", "leave num_samples out"),
        (["ckpt='run/checkpoints/*'", "output=x/"], "2 checkpoints", "x is of one alone"),
        (["ckpt='nowhere/*'"], "nowhere/*", "no checkpoint"),
        (["ckpt=run", "output=run/config.yaml/x.png"], "config.yaml", "File exists"),
        (["ckpt=run", "num_samples=0"], "num_samples", "at least 1"),
        (["ckpt=run", "seed=x"], "seed", "a whole number"),
    ],
)
def test_bad_input(words: list[str], key: str, right: str, run_sample: Run) -> None:
    shutil.copy("run/checkpoints/last.ckpt", "run/checkpoints/epoch_0001.ckpt")
    line = the_one_line(run_sample(*words))
    assert key in line
    assert right in line
    assert [path.name for path in Path().iterdir()] == ["run"]


def test_drawing_leaves_mode_and_random_numbers_as_they_were() -> None:
    class Doubled(torch.nn.Module):
        def sample_latent(self, num_samples: int, random: torch.Generator) -> torch.Tensor:
            return torch.randn(num_samples, 1, 2, 2, generator=random)

        def forward(self, latent: torch.Tensor) -> torch.Tensor:
            assert not self.training
            return latent

    generator, before = Doubled(), torch.get_rng_state()
    labels = torch.zeros(3, dtype=torch.int64)
    images = draw(generator, labels, seed=0, device=torch.device("cpu"))
    assert generator.training
    assert torch.equal(torch.get_rng_state(), before)
    assert images.dtype == torch.uint8
    assert torch.equal(images, draw(generator, labels, seed=0, device=torch.device("cpu")))


@pytest.fixture
def conditional(shared: Path, run: Run) -> Path:
    """The checkpoint of a conditional generator of the ten digits."""
    words = (*without_model(SHORT), *CONDITIONAL, "trainer.max_epochs=1")
    return trained_once(shared / "conditional", *words) / "checkpoints" / "last.ckpt"


@pytest.mark.parametrize(
    ("words", "labels", "columns"),
    [
        (["num_samples=25"], sorted([*range(10), *range(10), *range(0, 10, 2)]), 3),  # a class a row of three
        (["num_samples=16"], [0, 0, 1, 1, 2, 3, 3, 4, 5, 5, 6, 6, 7, 8, 8, 9], 4),  # too few for that
        (["num_samples=4", "labels=7"], [7, 7, 7, 7], 2),
        (["num_samples=5", "labels=[5,3]"], [5, 5, 5, 3, 3], 3),
    ],
)
def test_a_class_a_row(words: list[str], labels: list[int], columns: int, conditional: Path, run_sample: Run) -> None:
    outcome = run_sample(f"ckpt={conditional}", *words)
    assert outcome.exit_code == 0, outcome.stderr
    generator = trained_player(read_checkpoint(str(conditional)), "generator")
    asked = torch.tensor(labels)
    expected = grid_of_classes(draw(generator, asked, seed=0, device=torch.device("cpu")), asked, columns)
    picture = np.asarray(Image.open("samples.png"))
    assert picture.shape[1] == 30 * columns + 2
    assert np.array_equal(picture.transpose(2, 0, 1), expected.numpy())


@pytest.mark.parametrize("labels", ["10", "-1", "three", "[]", "[3,10]", "true", "[3,true]"])
def test_labels_that_there_are_not(labels: str, conditional: Path, run_sample: Run) -> None:
    line = the_one_line(run_sample(f"ckpt={conditional}", f"labels={labels}"))
    assert "labels must be a label from 0 to 9, or a list of such" in line


def test_several_labels_are_a_list(run_sample: Run) -> None:
    assert "a list is labels=[3,5]" in the_one_line(run_sample("ckpt=run", "labels=3,5"))


@pytest.mark.usefixtures("finished")
def test_labels_for_a_generator_that_takes_none(run_sample: Run) -> None:
    assert "this generator takes none" in the_one_line(run_sample("ckpt=run", "labels=3"))


def pixels(path: str) -> np.ndarray:
    return np.asarray(Image.open(path).convert("L"))


@pytest.mark.usefixtures("finished")
def test_the_forms_hold_the_same_images(run_sample: Run) -> None:
    for output in ("a.png", "a", "a.npz"):
        outcome = run_sample("ckpt=run", "num_samples=3", "seed=5", "truncation=0.9", f"output={output}")
        assert outcome.exit_code == 0, outcome.stderr
        assert outcome.stdout.startswith(f"3 samples in {output}\n")
    arrays = np.load("a.npz")
    assert arrays.files == ["images"]
    for n, image in enumerate(arrays["images"][:, 0]):
        assert np.array_equal(pixels(f"a/{n}.png"), image)
        top, left = 2 + 30 * (n // 2), 2 + 30 * (n % 2)
        assert np.array_equal(pixels("a.png")[top : top + 28, left : left + 28], image)


def test_a_folder_of_classes_and_labels_beside_the_images(conditional: Path, run_sample: Run) -> None:
    for output in ("a", "a.npz"):
        assert run_sample(f"ckpt={conditional}", "num_samples=4", "labels=[3,8]", f"output={output}").exit_code == 0
    assert sorted(path.as_posix() for path in Path("a").rglob("*.png")) == [
        *("a/3/0.png", "a/3/1.png", "a/8/2.png", "a/8/3.png"),
    ]
    assert np.load("a.npz")["labels"].tolist() == [3, 3, 8, 8]


def test_walks_and_planes(conditional: Path, run_sample: Run) -> None:
    strip = run_sample(f"ckpt={conditional}", "walk=3", "steps=2", "output=strip.png")
    assert strip.stdout.startswith("10 walks through 3 latents in strip.png\n")
    assert pixels("strip.png").shape == (302, 152)  # a class a row
    film = run_sample(f"ckpt={conditional}", "walk=3", "steps=2", "num_samples=1", "labels=4", "output=film.gif")
    assert film.stdout.startswith("6 frames of 1 walk through 3 latents in film.gif\n")
    with Image.open("film.gif") as frames:
        assert (frames.n_frames, frames.size) == (6, (252, 252))
    plane = run_sample(f"ckpt={conditional}", "plane=[0,1,2,3]", "labels=4", "steps=3", "output=plane.png")
    assert plane.stdout.startswith("1 plane of the seeds 0, 1, 2, 3 in plane.png\n")
    assert pixels("plane.png").shape == (122, 122)


@pytest.mark.usefixtures("finished")
def test_several_checkpoints(run_sample: Run) -> None:
    shutil.copy("run/checkpoints/last.ckpt", "run/checkpoints/epoch_0001.ckpt")
    beside = run_sample("ckpt='run/checkpoints/*'", "num_samples=9")
    assert beside.exit_code == 0, beside.stderr
    assert beside.stdout == (
        "9 samples in samples.png\n"
        "of run/checkpoints/epoch_0001.ckpt, weights: raw, of the last step\n"
        "of run/checkpoints/last.ckpt, weights: raw, of the last step\n"
    )
    picture = pixels("samples.png")
    assert np.array_equal(picture[-92:, :92], picture[-92:, -92:])  # the same weights, the same latents
    outcome = run_sample("ckpt=[run,run/checkpoints/epoch_0001.ckpt]", "num_samples=9", "output=film.gif")
    assert outcome.stdout.startswith("2 frames of 9 samples in film.gif\n")


def test_what_is_most_like_a_picture(finished: Path, run_sample: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan_lightning.drawing.projection.TRIED", 50)
    monkeypatch.setattr("gan_lightning.drawing.projection.STEPS", 3)
    training = MNIST5k().split(train=True)[0][7, 0]
    Image.fromarray(training.numpy()).resize((56, 56), Image.Resampling.NEAREST).convert("RGBA").save("photo.png")
    outcome = run_sample("ckpt=run", "like=photo.png", "output=like.png")
    assert outcome.exit_code == 0, outcome.stderr
    away = [float(each) for each in re.findall(r"nearest \w+ image: (.+) away", outcome.stdout)]
    assert len(away) == 2
    assert away[1] < away[0]  # it is a training image, resized, and the generator has hardly been trained
    assert "photo, generated, training in like.png\n" in outcome.stdout
    assert pixels("like.png").shape == (270, 3 * 252 + 16)

    checkpoint = torch.load("run/checkpoints/last.ckpt", weights_only=True)
    checkpoint["hyper_parameters"]["dataset"]["_target_"] = "gan_lightning.data.mnist.MNIST"
    torch.save(checkpoint, "without.ckpt")
    outcome = run_sample("ckpt=without.ckpt", "like=photo.png", "output=like.npz")
    assert outcome.exit_code == 0, outcome.stderr
    assert "without the nearest training image: MNIST is not in data" in outcome.stdout
    arrays = np.load("like.npz")
    assert set(arrays) == {"latent", "label", "photo", "generated"}
    generator = trained_player(read_checkpoint(str(finished / "checkpoints" / "last.ckpt")), "generator")
    with torch.no_grad():
        again = to_uint8(generator.eval()(torch.from_numpy(arrays["latent"])))
    assert np.array_equal(again[0].numpy(), arrays["generated"])
