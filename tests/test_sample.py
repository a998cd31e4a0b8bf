from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import SHORT, Run
from PIL import Image

from gan_lightning.sampling import draw, grid


def test_a_checkpoint_alone_is_enough_and_draws_what_training_drew(run: Run, run_sample: Run) -> None:
    assert run(*SHORT, "trainer.max_epochs=1").exit_code == 0
    Path("elsewhere").mkdir()
    checkpoint = Path("run/checkpoints/last.ckpt").rename("elsewhere/mine.ckpt")
    outcome = run_sample(f"ckpt={checkpoint}", "num_samples=4", "output=elsewhere/four.png")
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.stdout == "4 samples in elsewhere/four.png\n"
    drawn = np.asarray(Image.open("elsewhere/four.png"))
    assert drawn.shape == (62, 62, 3)
    shown = np.asarray(Image.open("run/samples/epoch_0001.png"))  # the same four in one row
    assert np.array_equal(drawn[2:30, 2:30], shown[2:30, 2:30])
    assert np.array_equal(drawn[32:60, 32:60], shown[2:30, 92:120])


def test_a_run_folder_and_another_seed(run: Run, run_sample: Run) -> None:
    run(*SHORT, "trainer.max_epochs=1")
    for seed in (0, 1):
        assert run_sample("ckpt=run", f"seed={seed}", f"output={seed}.png").exit_code == 0
    assert Path("0.png").read_bytes() != Path("1.png").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "which checkpoint?"),
        (["ckpt=nowhere"], "no checkpoint at nowhere"),
        (["ckpt=nowhere", "sede=1"], "did you mean seed"),
    ],
)
def test_bad_input(arguments: list[str], expected: str, run_sample: Run) -> None:
    outcome = run_sample(*arguments)
    assert outcome.exit_code == 1
    assert outcome.stderr.startswith("error: ")
    assert len(outcome.stderr.splitlines()) == 1
    assert expected in outcome.stderr


def test_a_checkpoint_cannot_choose_what_code_runs(run: Run, run_sample: Run) -> None:
    run(*SHORT, "trainer.max_epochs=1")
    checkpoint = torch.load("run/checkpoints/last.ckpt", weights_only=True)
    honest = checkpoint["hyper_parameters"]["model"]["generator"]
    mkdir = {"_target_": "os.mkdir", "path": "owned"}
    for generator in (
        mkdir,
        {**honest, "latent_dim": mkdir},
        {"_target_": "gan_lightning.networks.players.torch.hub.os.mkdir", "path": "owned"},
        {"_target_": "gan_lightning.networks.players.torch.utils.data.DataLoader", "dataset": []},
    ):
        checkpoint["hyper_parameters"]["model"]["generator"] = generator
        torch.save(checkpoint, "evil.ckpt")
        outcome = run_sample("ckpt=evil.ckpt")
        assert outcome.exit_code == 1
        assert len(outcome.stderr.splitlines()) == 1
        assert not Path("owned").exists()


def test_bad_input_beside_a_good_checkpoint(run: Run, run_sample: Run) -> None:
    run(*SHORT, "trainer.max_epochs=1")
    for wrong in ("output=digits", "output=nowhere/x.png", "num_samples=0", "seed=x"):
        outcome = run_sample("ckpt=run", wrong)
        assert outcome.exit_code == 1
        assert len(outcome.stderr.splitlines()) == 1


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
