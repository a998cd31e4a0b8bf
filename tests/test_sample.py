from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Run, the_one_line
from PIL import Image

from gan_lightning.players.sampling import draw, grid


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
    images = draw(generator, 3, 1, seed=0, device=torch.device("cpu"))
    assert generator.training
    assert torch.equal(torch.get_rng_state(), before)
    assert images.dtype == torch.uint8
    assert torch.equal(images, draw(generator, 3, 1, seed=0, device=torch.device("cpu")))


def test_a_grid_shows_gray_images_row_by_row() -> None:
    images = torch.arange(3, dtype=torch.uint8).view(3, 1, 1, 1).expand(3, 1, 4, 4)
    picture = grid(images, columns=2)
    assert picture.shape == (3, 14, 14)
    assert picture[0, 2, 2] == 0
    assert picture[0, 2, 8] == 1
    assert picture[0, 8, 2] == 2
    assert picture[0, 0, 0] == 255
