"""What callbacks refuse before a run begins."""

from typing import Any

import pytest

from gan_lightning.callbacks.exhibits import Exhibits
from gan_lightning.callbacks.progress_bar import ProgressBar
from gan_lightning.callbacks.real_and_fake import RealAndFake
from gan_lightning.callbacks.samples import Samples
from gan_lightning.callbacks.training_gif import TrainingGif


@pytest.mark.parametrize(
    ("callback", "settings"),
    [
        (Samples, {"folder": "x", "num_samples": 0}),
        (Samples, {"folder": "x", "seed": "abc"}),
        (RealAndFake, {"path": "x", "num_samples": 0}),
        (RealAndFake, {"path": "x", "seed": 1e23}),
        (ProgressBar, {"refresh_rate": "abc"}),
        (Exhibits, {"folder": "x", "seed": -1}),
        (TrainingGif, {"path": "x", "folder": "y", "seconds": "abc"}),
    ],
)
def test_refuses_what_cannot_be_drawn(callback: type, settings: dict[str, Any]) -> None:
    *_, key = settings
    with pytest.raises(ValueError, match=f"{key} must be a "):
        callback(**settings)
