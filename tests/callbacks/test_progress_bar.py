"""What the bar says."""

from types import SimpleNamespace
from typing import Any

import pytest

from gan_lightning.callbacks.progress_bar import ProgressBar
from gan_lightning.loop.history import History
from gan_lightning.wording import counted, time_left


def test_epochs_are_counted_from_one_with_the_time_left() -> None:
    trainer: Any = SimpleNamespace(current_epoch=0, max_epochs=100, is_global_zero=True, num_training_batches=5)
    bar = ProgressBar()
    bar._trainer = trainer
    bar.on_train_start(trainer, None)  # type: ignore[arg-type]
    bar.on_train_epoch_start(trainer, None)  # type: ignore[arg-type]
    assert bar.train_progress_bar.desc == "Epoch 1/100: "
    bar._since -= 100
    trainer.current_epoch = 1
    bar.on_train_epoch_start(trainer, None)  # type: ignore[arg-type]
    assert bar.train_progress_bar.desc == "Epoch 2/100, 2.8 h left: "
    bar.train_progress_bar.close()


def test_it_shows_the_last_point_and_the_first_metric() -> None:
    gan: Any = SimpleNamespace(history=History())
    assert ProgressBar().get_metrics(None, gan) == {}  # type: ignore[arg-type]
    gan.history.points.append({"generator_loss": 0.12345, "images_per_second": 1234.5})
    gan.history.evaluations[3] = {"frechet_distance": 85.234, "precision": 0.5}
    shown = ProgressBar().get_metrics(None, gan)  # type: ignore[arg-type]
    assert shown == {"G loss": "0.123", "images/s": "1,234", "Fréchet distance": "85.23"}


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "0 s left"), (99, "99 s left"), (719, "12 min left"), (12600, "3.5 h left")]
)
def test_time(seconds: float, said: str) -> None:
    assert time_left(seconds) == said


def test_one_and_many() -> None:
    assert [counted(number, "job") for number in (0, 1, 4000)] == ["0 jobs", "1 job", "4,000 jobs"]
