from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import CONDITIONAL, SHORT, Run, the_one_line, trained_once, without_model
from PIL import Image

from gan_lightning.checkpoints import read_checkpoint, trained_player
from gan_lightning.players.sampling import draw, grid_of_classes


def test_a_checkpoint_alone_is_enough_and_draws_what_training_drew(finished: Path, run_sample: Run) -> None:
    Path("elsewhere").mkdir()
    checkpoint = (finished / "checkpoints" / "last.ckpt").rename("elsewhere/mine.ckpt")
    outcome = run_sample(f"ckpt={checkpoint}", "num_samples=4", "output=elsewhere/four.png")
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.stdout == "4 samples in elsewhere/four.png\n"
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
        (["ckpt=run", "output=digits/"], "output", "digits/samples.png"),
        (["ckpt=run", "output=run/config.yaml/x.png"], "config.yaml", "File exists"),
        (["ckpt=run", "num_samples=0"], "num_samples", "at least 1"),
        (["ckpt=run", "seed=x"], "seed", "a whole number"),
    ],
)
def test_bad_input(words: list[str], key: str, right: str, run_sample: Run) -> None:
    line = the_one_line(run_sample(*words))
    assert key in line
    assert right in line


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
