"""The laboratory from Python, without a command line: `from gan_lightning import fit, measure`.

Settings are those of the command line, and so are the refusals: a :class:`gan_lightning.errors.UserError`, whose
message is the one line.
"""

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from torch import Tensor
from tqdm import tqdm

from gan_lightning.averaging import which_weights
from gan_lightning.building import build_dataset
from gan_lightning.checkpoints import has_average, read_checkpoint
from gan_lightning.cli import composed, run
from gan_lightning.data.base import ImageDataModule
from gan_lightning.data.pixels import as_kept, as_seen
from gan_lightning.errors import UserError, whole_number
from gan_lightning.loading import BATCH_SIZE, TrainedGenerator, trained_generator
from gan_lightning.measures.metrics import METRICS
from gan_lightning.measures.subject import Subject, check_generated
from gan_lightning.measuring import Measuring
from gan_lightning.mistakes import user_mistakes
from gan_lightning.options import CONFIG_DIR, written
from gan_lightning.players import sampling
from gan_lightning.reports.event_files import read_scalars
from gan_lightning.sweeps.jobs import CHECKPOINT
from gan_lightning.sweeps.status import read_results
from gan_lightning.train import job

Settings = Mapping[str, Any]
"""As on the command line: `{"dataset": "mnist", "optimizer.lr": 1e-4}`."""


@dataclass(frozen=True)
class Training:
    """A training that has ended."""

    folder: Path
    """All that it left: pictures, checkpoints, `metrics.json`."""
    metrics: dict[str, float | None]
    """Of its last epoch; None for what is no number. Empty if it ended before its last, by `trainer.max_time`, say."""

    @cached_property
    def generator(self) -> TrainedGenerator:
        """The generator of the last checkpoint, on the CPU, with averaged weights if it has them.

        Its class is made without being asked whether it is trusted: it was made a moment ago.
        """
        checkpoint = read_checkpoint(str(self.folder / CHECKPOINT))
        return trained_generator(checkpoint, which_weights(None, has_average(checkpoint)))

    @property
    def curves(self) -> dict[str, list[tuple[int, float]]]:
        """What TensorBoard shows, by its names there: points (alternation, value). Empty with another logger."""
        return read_scalars(self.folder)


def fit(settings: Settings, config_dir: str | os.PathLike[str] | None = None) -> Training:
    """Train a GAN as `python -m gan_lightning.train` does, in this process, with its progress bar and its files.

    It seeds torch's, NumPy's and Python's random numbers, as the command does.

    Args:
        settings: those of the command line.
        config_dir: a folder of options of one's own, the command line's `--config-dir`.

    Raises:
        UserError: if the settings are refused, or the training diverges.
        KeyboardInterrupt: if it is interrupted; a checkpoint to go on from is written before.
    """
    if "hparams_search" in settings:
        raise UserError(
            "fit trains one GAN; a sweep is for the command line: python -m gan_lightning.train hparams_search=…"
        )

    def in_its_folder(composed: DictConfig) -> Path:
        job(composed)
        return Path(HydraConfig.get().runtime.output_dir)

    try:
        with _logging_as_before():
            options = [] if config_dir is None else [CONFIG_DIR[0], os.fspath(config_dir)]
            folder = run("config", in_its_folder, [*options, *_arguments(settings)])
    except SystemExit as ending:  # with which a training answers Ctrl-C
        raise KeyboardInterrupt from ending
    return Training(folder, read_results(folder))


class Measured(NamedTuple):
    """How good a generator is."""

    metrics: dict[str, float]
    floor: dict[str, float]
    """The same of real training images in place of generated ones."""
    protocol: dict[str, Any]
    """What the figures were computed with: the data set, the feature space, how many images of each kind."""

    def _repr_markdown_(self) -> str:
        """The table that a notebook shows."""
        rows = [
            f"| {METRICS[name].title.strip()} | {METRICS[name].better} | {value:.4g} | {self.floor[name]:.4g} |"
            for name, value in self.metrics.items()
        ]
        return "\n".join(["| metric | better | generated | floor |", "|---|---|--:|--:|", *rows])


def measure(
    generate: TrainedGenerator | Callable[[Any], Any],
    dataset: str | Settings | ImageDataModule,
    num_samples: int = 10_000,
    measures: Sequence[str] | str | None = None,
    features: str | None = None,
    conditional: bool = False,
) -> Measured:
    """Measure whatever generates images, as `python -m gan_lightning.evaluate` measures a checkpoint.

    Args:
        generate: a trained generator, which draws the images of seed 0; or a function of the number of images, or, if
            `conditional`, of labels (N,), int64, which is called once and gives N images (N, C, H, W), a tensor or an
            array: bytes, or floats in [-1, 1].
        dataset: its name, settings as of :func:`fit`, or the object.
        num_samples: N; as many test images are taken if there are.
        measures: names of measures; None for all that suit the data set and need no discriminator, `usual` for few.
        features: the space they compare images in; None for the one that suits the data set.
        conditional: whether the function is to be told the classes, with the frequencies of the training images; a
            trained generator says so itself.

    Raises:
        UserError: if a setting, the data set or the images are not what they must be.
    """
    with user_mistakes():
        whole_number("num_samples", num_samples, at_least=1)
        if measures is not None and "equilibrium" in measures:
            raise UserError("equilibrium is of a discriminator, and there is none beside a generator alone")
        data = dataset if isinstance(dataset, ImageDataModule) else _dataset(dataset)
        measuring = Measuring(data, measures, features, num_samples, batch_size=500)
    labels = measuring.reference.labels
    if isinstance(generate, TrainedGenerator):
        conditional = generate.conditional
        latent = sampling.seeded_latent(generate, num_samples, seed=0)
        device = next(generate.parameters(), latent).device
        images = as_kept(sampling.generate(generate, latent, labels, BATCH_SIZE, device))
    else:
        with torch.no_grad():
            images = generate(labels if conditional else num_samples)
    with user_mistakes():
        pixels = _pixels(torch.as_tensor(images), (num_samples, *data.image_shape), data.title)
    subject = Subject(measuring.reference.drawn(pixels), conditional=conditional)
    protocol = measuring.protocol()
    with tqdm(total=2 * len(measuring.measures), unit="measure") as progress:
        metrics = measuring.take(subject, "generated", progress)
        return Measured(metrics, measuring.floor(progress, conditional), protocol)


def _dataset(settings: str | Settings) -> ImageDataModule:
    chosen = composed("config", _arguments({"dataset": settings} if isinstance(settings, str) else settings))
    return build_dataset({"dataset": OmegaConf.to_container(chosen.dataset, resolve=True)})


def _pixels(images: Tensor, shape: tuple[int, ...], title: str) -> Tensor:
    """Images as the data set keeps them.

    Raises:
        ValueError: if they are of another shape or range, or hold NaN.
    """
    if tuple(images.shape) != shape:
        raise ValueError(f"generate should give images {shape}, as those of {title} are, not {tuple(images.shape)}")
    if images.dtype == torch.uint8:
        images = as_seen(images)
    check_generated(images)
    if images.abs().max() > 1.01:
        raise ValueError(
            f"generate should give images in [-1, 1], or bytes, not {images.dtype} from {images.min():.3g} to"
            f" {images.max():.3g}"
        )
    return as_kept(images).cpu()


def _arguments(settings: Settings) -> list[str]:
    """The settings as a command line has them."""
    plain = {key: str(value) if isinstance(value, os.PathLike) else value for key, value in settings.items()}
    return [f"{key}={written(value)}" for key, value in plain.items()]


@contextmanager
def _logging_as_before() -> Iterator[None]:
    """A training sends what is logged to its folder, which is no business of what comes after it."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        for handler in set(root.handlers) - set(handlers):
            handler.close()
        root.handlers[:] = handlers
        root.setLevel(level)
