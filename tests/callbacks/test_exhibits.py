import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import PICTURED, Run
from PIL import Image

from gan_lightning.callbacks.exhibits import NUM_BINS, histograms, sheet
from gan_lightning.data.mnist5k import MNIST5k
from gan_lightning.reports.exhibits import SHEETS, read_exhibits


def tiles(path: Path, rows: int, columns: int) -> np.ndarray:
    """The images (rows, columns, H, W) on a sheet of gray ones."""
    pixels = np.asarray(Image.open(path))
    height, width = pixels.shape
    return pixels.reshape(rows, height // rows, columns, width // columns).swapaxes(1, 2)


@pytest.mark.slow
def test_what_a_training_leaves_is_what_a_report_reads(run: Run) -> None:
    pictures = ("loss_curves", "real_and_fake", "training_gif")
    words = [*PICTURED[:-1], *(f"~callbacks.{name}" for name in pictures), PICTURED[-1]]
    assert run(*words, "trainer.max_epochs=1").exit_code == 0
    exhibits = read_exhibits(Path("run"))
    assert exhibits is not None
    assert exhibits.sheets.keys() == SHEETS.keys()
    assert exhibits.probabilities
    assert sum(exhibits.real) == sum(exhibits.generated) == 40
    for scores in exhibits.scores:
        assert scores == sorted(scores)
        assert 0 <= scores[0] <= scores[-1] <= 1
    real, _ = tiles(exhibits.sheets["judged"], *SHEETS["judged"])
    training = MNIST5k().split(train=True)[0][:40, 0].numpy()
    assert {image.tobytes() for image in real} <= {image.tobytes() for image in training}
    samples, nearest = tiles(exhibits.sheets["neighbours"], *SHEETS["neighbours"]) / 255
    distances = np.sqrt(((samples[:, None] - training / 255) ** 2).sum((2, 3)))
    assert exhibits.distances == pytest.approx(distances.min(1).tolist())
    np.testing.assert_array_equal(nearest, (training / 255)[distances.argmin(1)])
    on_the_way = tiles(exhibits.sheets["walks"], *SHEETS["walks"]).astype(float)
    steps = np.abs(np.diff(on_the_way, axis=1)).mean((1, 2, 3))
    assert (steps > 0).all()
    assert (steps < np.abs(on_the_way[:, -1] - on_the_way[:, 0]).mean((1, 2))).all()  # little by little


def test_every_score_is_in_the_bin_that_holds_it() -> None:
    random = torch.Generator().manual_seed(0)
    real, fake = torch.randn(500, generator=random), torch.randn(300, generator=random) - 2
    found = histograms(real, fake, None)
    assert (len(found["edges"]), sum(found["real"]), sum(found["generated"])) == (NUM_BINS + 1, 500, 300)
    np.testing.assert_array_equal(found["real"], np.histogram(real, found["edges"])[0])
    assert histograms(real.sigmoid(), fake.sigmoid(), (0.0, 1.0))["edges"][::NUM_BINS] == [0, 1]
    json.dumps(found, allow_nan=False)


def test_images_of_any_channels_have_a_sheet() -> None:
    for channels, mode in ((1, "L"), (3, "RGB"), (2, "L")):
        images = torch.arange(6, dtype=torch.uint8).view(2, 3, 1, 1, 1).expand(-1, -1, channels, 4, 5)
        picture = sheet(images)
        assert (picture.mode, picture.size) == (mode, (15, 8))
        assert np.asarray(picture)[::4, ::5].reshape(2, 3, -1)[..., 0].tolist() == [[0, 1, 2], [3, 4, 5]]
