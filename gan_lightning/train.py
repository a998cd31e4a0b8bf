"""Train a GAN: `python -m gan_lightning.train key=value …`; `--help` lists the keys."""

import contextlib
import logging
import math
import os
import shlex
import sys
import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from gan_lightning.building import compose
from gan_lightning.checkpoints import epochs_of, images_of_training, is_between_epochs, processes_of, read_checkpoint
from gan_lightning.cli import entry_point, is_first_process
from gan_lightning.errors import UserError, number, whole_number
from gan_lightning.exporting.folder import exported_folder
from gan_lightning.mistakes import user_mistakes
from gan_lightning.options import config_dirs, overrides_of_choices
from gan_lightning.paths import ONE_BEFORE
from gan_lightning.settings import differences, override, read_settings, resolved, without_resolvers
from gan_lightning.sweeps.jobs import CHECKPOINT, check_folder, checkpoint_to_go_on_from, remove_try
from gan_lightning.sweeps.status import RESULTS, Record, alone_in, read_results
from gan_lightning.whole_files import write_text
from gan_lightning.wording import counted

if TYPE_CHECKING:
    from lightning.pytorch import Callback, Trainer
    from torch import Tensor

    from gan_lightning.data.base import ImageDataModule
    from gan_lightning.gan import GAN

log = logging.getLogger(__name__)


def job(settings: DictConfig) -> float | None:
    """Build what the settings name, train it, and say where everything is.

    Returns:
        The outcome that `optimized_metric` names, for the sweep that this run may be a job of; NaN if it diverged.
    """
    for name in ("gan", "trainer"):
        if not OmegaConf.is_dict(settings[name]):
            raise UserError(
                f"{name} holds settings, such as those that --cfg job prints, and cannot be {settings[name]}"
            )
    for name in ("output_dir", "data_dir"):
        if not settings[name]:
            raise UserError(f"{name} is empty; to use the current folder, say {name}=.")
    folder = Path(os.path.relpath(HydraConfig.get().runtime.output_dir))
    if HydraConfig.get().mode != RunMode.MULTIRUN:
        with alone_in(folder) if is_first_process() else contextlib.nullcontext():
            return train(settings)
    composed = resolved(settings)
    check_folder(folder, composed)
    with Record(folder, list(HydraConfig.get().overrides.task)) as record:
        if (checkpoint := checkpoint_to_go_on_from(folder, composed)) is not None:
            settings.ckpt_path = str(checkpoint)
        return train(settings, record)


main = entry_point("config")(job)


def train(settings: DictConfig, record: Record | None = None) -> float | None:
    """One run; :func:`job` says what is returned."""
    output_dir = Path(HydraConfig.get().runtime.output_dir)
    settings.output_dir = os.path.relpath(output_dir)
    auto = settings.ckpt_path == "auto"
    if auto:
        settings.ckpt_path = str(_own_checkpoint(settings)) if _own_checkpoint(settings).exists() else None
    # Lightning is imported from here on, not above, because it takes seconds: --help and mistyped keys need not wait.
    if settings.ckpt_path is not None and exported_folder(Path(str(settings.ckpt_path))) is not None:
        raise UserError(
            f"ckpt_path={settings.ckpt_path} is an exported generator: without a discriminator and optimizers no"
            " training goes on; sample, evaluate and export take it as ckpt"
        )
    checkpoint = None if settings.ckpt_path is None else read_checkpoint(str(settings.ckpt_path))
    if checkpoint is not None:
        settings.ckpt_path = checkpoint["path"]
    _quieten_lightning()
    from gan_lightning.callbacks.ending import Ending
    from gan_lightning.callbacks.evaluation import Evaluation
    from gan_lightning.loop.checkpoint_schema import check_to_go_on
    from gan_lightning.players.protocol import initialise_from

    with user_mistakes():
        _refuse_what_cannot_train(settings, auto)
        if checkpoint is not None:
            _go_on_where_it_was(settings, checkpoint)
        gan, data, trainer, callbacks = compose(settings)
        if checkpoint is not None:
            at_its_end = _lacks_its_end_alone(settings, checkpoint)
            _check_resume(checkpoint, dict(gan.hparams), trainer.world_size, at_its_end)
            if at_its_end:
                trainer.callbacks.append(Ending())  # type: ignore[attr-defined]
        data.prepare_data()
        data.setup("fit")
        share = settings.trainer.limit_train_batches
        if isinstance(share, float) and share * len(data.train_dataloader()) < 1:
            raise UserError(f"trainer.limit_train_batches={share} is less than one training step of an epoch")
        _check_callbacks(settings, gan, data, callbacks)
    if checkpoint is None:
        initialise_from(gan.generator, data.train_images)
        gan.ema.begin_at(gan.generator)
    _try_out(gan, data)
    if checkpoint is not None:
        check_to_go_on(checkpoint, gan, trainer, len(data.train_dataloader()))
    if (evaluation := Evaluation.among(callbacks.values())) is not None:
        evaluation.prepare(trainer, data, gan)  # the last of the checks: it may train a classifier
    if trainer.is_global_zero:
        write_text(output_dir / "config.yaml", OmegaConf.to_yaml(without_resolvers(settings)))
        _introduce(settings, gan, data, trainer)
        if checkpoint is not None:
            _say_from_where(checkpoint, len(data.train_images))
    _fit(settings, gan, data, trainer)
    if not trainer.is_global_zero:
        return None
    if record is not None:
        record.pruned = any(getattr(callback, "pruned", False) for callback in callbacks.values())
    if settings.optimized_metric is None:
        return None
    outcome = read_results(output_dir).get(settings.optimized_metric)
    return math.nan if outcome is None else outcome


def _fit(settings: DictConfig, gan: "GAN", data: "ImageDataModule", trainer: "Trainer") -> None:
    """Train, and say how it ended and where everything is."""
    from tqdm.contrib.logging import logging_redirect_tqdm

    try:
        with logging_redirect_tqdm():  # above the bar
            trainer.fit(gan, data, ckpt_path=settings.ckpt_path, weights_only=True)
    except SystemExit:  # Lightning's answer to Ctrl-C
        if not trainer.is_global_zero:
            raise
        log.info("interrupted in epoch %d", trainer.current_epoch + 1)
        _say_where(settings, more_epochs=settings.trainer.max_epochs)
        sys.exit(130)
    except OSError as reason:
        if reason.filename is None:  # of a writer that has its file open
            reason.filename = settings.output_dir
        logging.raiseExceptions = False  # the log cannot be written either
        _say_where(settings, more_epochs=settings.trainer.max_epochs)
        raise
    if trainer.is_global_zero:
        max_epochs = settings.trainer.max_epochs
        ended = trainer.current_epoch >= max_epochs
        stopped = any(getattr(callback, "stopped", False) for callback in trainer.callbacks)  # type: ignore[attr-defined]
        for limit in ("max_time", "max_steps"):
            if not (ended or stopped) and settings.trainer[limit] not in (None, -1):
                done = counted(gan.alternations, "alternation")
                log.info("trainer.%s=%s is over, after %s", limit, settings.trainer[limit], done)
        _say_where(settings, more_epochs=2 * trainer.current_epoch if ended else max_epochs)


def _try_out(gan: "GAN", data: "ImageDataModule") -> None:
    """Draw two images and compute every loss of them: what cannot be computed is loud before anything is written.

    Raises:
        UserError: if the generator draws images of another shape than those of the data.
    """
    import torch

    from gan_lightning.data.pixels import as_seen
    from gan_lightning.players.protocol import evaluating
    from gan_lightning.players.sampling import draw

    with torch.random.fork_rng(devices=[]), evaluating(gan.discriminator):
        drawn = draw(gan.generator, torch.arange(2) % data.num_classes, seed=0, device=gan.device)
        if drawn.shape[1:] != tuple(data.image_shape):
            raise UserError(
                f"model.generator draws images of {tuple(drawn.shape[1:])},"
                f" but those of {data.title} are {tuple(data.image_shape)}"
            )
        real = as_seen(data.train_images[:2])
        check_losses(gan, real, as_seen(drawn[: len(real)]), data.split(train=True)[1][: len(real)])


def check_losses(gan: "GAN", real: "Tensor", fake: "Tensor", labels: "Tensor") -> None:
    """Compute every loss of a few images (B, C, H, W) in [-1, 1], and change nothing.

    Raises:
        ValueError: if an objective or the penalty gives other scalars than it names.
    """
    import torch

    from gan_lightning.penalties import penalised_loss, statistics_of

    weights = [weight for weight in gan.discriminator.parameters() if weight.requires_grad]
    judge = gan.judge(labels)
    for objective in gan.objective.parts():
        loss, scalars = penalised_loss(objective, gan.penalty, judge, real, fake)
        torch.autograd.grad(loss, weights, allow_unused=True)
        objective.generator_loss(judge, real, fake)
        named = statistics_of(objective, gan.penalty)[1:]
        if list(scalars) != list(named):
            raise ValueError(
                f"{type(objective).__name__} and the penalty give {', '.join(scalars)}, but by their attributes"
                f" `statistics` it should be {', '.join(named)}"
            )


def _check_callbacks(
    settings: DictConfig, gan: "GAN", data: "ImageDataModule", callbacks: "dict[str, Callback]"
) -> None:
    """Refuse callbacks that ask for what this GAN does not have."""
    from gan_lightning.averaging import which_weights
    from gan_lightning.callbacks.best_checkpoint import BestCheckpoint
    from gan_lightning.callbacks.evaluation import Evaluation
    from gan_lightning.callbacks.real_and_fake import RealAndFake
    from gan_lightning.callbacks.results import check_optimized_metric
    from gan_lightning.callbacks.samples import Samples
    from gan_lightning.players.protocol import takes_labels

    conditional = takes_labels(gan.generator)
    evaluation = Evaluation.among(callbacks.values())
    if evaluation is not None:
        evaluation.suit(data)
    for callback in callbacks.values():
        if isinstance(callback, Evaluation | RealAndFake | Samples):
            which_weights(callback.weights, averaged=gan.ema.network is not None)
        if isinstance(callback, BestCheckpoint):
            measured = [] if evaluation is None else evaluation.metrics(gan.objective.log_odds, conditional)
            callback.check(measured)
    check_optimized_metric(settings.optimized_metric, gan.objective, gan.penalty, conditional, evaluation)


def _introduce(settings: DictConfig, gan: "GAN", data: "ImageDataModule", trainer: "Trainer") -> None:
    """Say what is trained, and where."""
    from gan_lightning.data.pixels import are_points
    from gan_lightning.loop.precision import multiplies_bf16
    from gan_lightning.players.protocol import takes_labels

    log.info(
        "%s: %s, generator %s and discriminator %s parameters, on %s at %s, seed %s",
        data.title,
        counted(len(data.train_images), "point" if are_points(data.image_shape) else "image"),
        *(f"{sum(w.numel() for w in player.parameters()):,}" for player in (gan.generator, gan.discriminator)),
        trainer.strategy.root_device,
        trainer.precision,
        settings.seed,
    )
    if trainer.precision == "bf16-mixed" and multiplies_bf16(trainer.strategy.root_device) is False:
        log.warning("this processor has no bf16 arithmetic: trainer.precision=32-true would be many times as fast")
    if takes_labels(gan.generator) != takes_labels(gan.discriminator):
        one, other = ("generator", "discriminator")[:: 1 if takes_labels(gan.generator) else -1]
        log.warning("the %s takes labels, but the %s does not: the players learn no classes", one, other)
    elif takes_labels(gan.generator) and data.num_classes == 1:
        log.warning(
            "the players take labels, but all images of %s are of one class: there is none to learn", data.title
        )


def _say_from_where(checkpoint: dict[str, Any], num_images: int) -> None:
    """Say from where the training goes on, and whether the number of its training images is another one now."""
    epochs = epochs_of(checkpoint)
    where = f"after epoch {epochs}" if is_between_epochs(checkpoint) else f"within epoch {epochs + 1}"
    log.info("goes on %s, from %s", where, checkpoint["path"])
    before = images_of_training(checkpoint)
    if before not in (None, num_images):
        log.warning("it had %s until there, and has %s now", counted(before, "training image"), f"{num_images:,}")


def _refuse_what_cannot_train(settings: DictConfig, auto: bool) -> None:
    """See that settings are such as no object refuses clearly, and that the output folder is free.

    Args:
        settings: all of them.
        auto: whether a run is to go on in its folder, or start anew if it ended there before its first checkpoint.
    """
    import torch

    trainer = settings.trainer
    if HydraConfig.get().mode != RunMode.MULTIRUN and Path(settings.output_dir, "multirun.yaml").exists():
        raise UserError(f"{settings.output_dir} holds a sweep; choose another output_dir")
    folder = Path(settings.output_dir)
    if is_first_process() and (folder / "config.yaml").exists() and not _goes_on_in_its_folder(settings):
        ended_early = not list(folder.rglob("*.ckpt"))
        if not ended_early or not (auto or not differences(read_settings(folder), resolved(settings))):
            go_on = ", or go on with that one: ckpt_path=auto" if _own_checkpoint(settings).exists() else ""
            raise UserError(f"{folder} already holds a run; choose another output_dir{go_on}")
        remove_try(folder)
    for key in ("optimizer.lr", "optimizer.generator.lr", "optimizer.discriminator.lr"):
        rate = OmegaConf.select(settings, key, default=0)
        if not (OmegaConf.is_dict(rate) and "_target_" in rate):  # a schedule, say
            number(f"{key} (such as 1e-4)", rate, at_least=0)
    whole_number("seed", settings.seed, at_least=0, at_most=2**32 - 1)  # as NumPy has it
    whole_number("trainer.max_epochs", trainer.max_epochs, at_least=1)
    whole_number("trainer.log_every_n_steps", trainer.log_every_n_steps, at_least=1)
    every = "callbacks.checkpoints.every_n_epochs"
    whole_number(every, OmegaConf.select(settings, every, default=1), at_least=1)
    share = trainer.limit_train_batches
    if not isinstance(share, float | int) or not share > 0 or (isinstance(share, float) and share > 1):
        raise UserError(
            f"trainer.limit_train_batches must be a share of at most 1.0 or a whole number of steps, not {share!r}"
        )
    if not isinstance(trainer.accelerator, str):
        raise UserError(f"trainer.accelerator must be auto, cpu or gpu, not {trainer.accelerator}")
    if str(trainer.precision) not in ("auto", "32", "32-true", "bf16-mixed"):
        raise UserError(f"trainer.precision must be 32-true, bf16-mixed or auto, not {trainer.precision}")
    for key, harmless in (("gradient_clip_val", None), ("accumulate_grad_batches", 1)):
        if trainer.get(key, harmless) != harmless:
            raise UserError(f"trainer.{key} is not for two players with an optimizer each; leave it out")
    if settings.matmul_precision not in ("highest", "high", "medium"):
        raise UserError(f"matmul_precision must be highest, high or medium, not {settings.matmul_precision}")
    if trainer.accelerator == "gpu" and not torch.accelerator.is_available():
        raise UserError("trainer.accelerator is gpu, but torch finds no GPU here; trainer=cpu trains without one")
    if HydraConfig.get().mode == RunMode.MULTIRUN and trainer.devices not in (1, "1"):
        raise UserError(f"a job of a sweep trains on one device, not on trainer.devices={trainer.devices}")


def _own_checkpoint(settings: DictConfig) -> Path:
    """The last checkpoint in the output folder, or the one before if that alone is there."""
    last = Path(settings.output_dir, CHECKPOINT)
    before = last.with_name(ONE_BEFORE)
    return before if before.exists() and not last.exists() else last


def _goes_on_in_its_folder(settings: DictConfig) -> bool:
    """Whether the checkpoint to go on from is the output folder's own."""
    if settings.ckpt_path is None:
        return False
    return Path(str(settings.ckpt_path)).resolve().is_relative_to(Path(settings.output_dir).resolve())


def _quieten_lightning() -> None:
    """Leave out what does not concern the user; each line says why."""
    import lightning.pytorch  # noqa: F401  # as it is imported, it sets the level of its logger

    # What stops the thread that writes TensorBoard's file is raised by the next call that wants to write there.
    threading.excepthook = lambda stopped: (
        None if isinstance(stopped.exc_value, OSError) else threading.__excepthook__(stopped)
    )

    # The device is in our own first line; the rest are hints at other products.
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    # Statistics logs what is left at the end of each epoch, however short.
    warnings.filterwarnings("ignore", message="The number of training batches .* is smaller than the logging interval")
    # A resumed run writes into the folder of the run it goes on with.
    warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty")
    # A run that goes on in another folder leaves the checkpoints so far in the first one, which is what was asked for.
    warnings.filterwarnings("ignore", message="The dirpath has changed from")
    # Of a gradient that went through a penalty, whose layout is another; copying it costs little.
    warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
    # The first steps, before the alternation is recorded as a CUDA graph, run without one.
    warnings.filterwarnings("ignore", message="This instance was constructed with capturable=True")
    # Lightning 2.6 with torch 2.15: https://github.com/Lightning-AI/pytorch-lightning/issues/21326
    warnings.filterwarnings("ignore", message=".*LeafSpec.* is deprecated")


def _go_on_where_it_was(settings: DictConfig, checkpoint: dict[str, Any]) -> None:
    """Set what follows from where a checkpoint is in the training."""
    whole_number(f"{checkpoint['path']}: alternations", checkpoint.get("alternations"), at_least=0)
    if settings.logger.get("tensorboard") is not None:
        # Points that the run had logged past the checkpoint are drawn anew.
        OmegaConf.update(settings, "logger.tensorboard.purge_step", checkpoint["alternations"] + 1, force_add=True)
    if settings.logger.get("csv") is not None:
        # The rows so far stay in a file of their own, which Lightning would overwrite.
        OmegaConf.update(settings, "logger.csv.version", f"from_{checkpoint['alternations']}", force_add=True)
    if not is_between_epochs(checkpoint):
        # The rest of the epoch is taken in the same steps, which Lightning counts.
        at_a_time = checkpoint["hyper_parameters"]["gan"].get("alternations_per_step", 1)
        whole_number(f"{checkpoint['path']}: gan.alternations_per_step", at_a_time, at_least=1)
        if at_a_time != settings.gan.alternations_per_step:
            log.info("gan.alternations_per_step=%d, as the epoch began", at_a_time)
        settings.gan.alternations_per_step = at_a_time


def _lacks_its_end_alone(settings: DictConfig, checkpoint: dict[str, Any]) -> bool:
    """Whether the run in the output folder was stopped while its pictures were drawn, before it wrote its results."""
    has_results = Path(settings.output_dir, RESULTS).exists()
    ended = epochs_of(checkpoint) == settings.trainer.max_epochs
    return ended and not has_results and _goes_on_in_its_folder(settings)


def _check_resume(
    checkpoint: dict[str, Any], hyper_parameters: dict[str, Any], processes: int, at_its_end: bool
) -> None:
    """See that a checkpoint is one of a training with these settings, and shorter, unless it is to go on at its end.

    With another number of processes the batch of each must be such that an alternation sees as many images as before.

    Raises:
        UserError: if it is not.
    """
    before, at_once = checkpoint["hyper_parameters"], hyper_parameters["dataset"]["batch_size"]
    processes_before = processes_of(checkpoint)
    if processes_before != processes:
        images = before["dataset"]["batch_size"] * processes_before
        if at_once * processes != images:
            raise UserError(
                f"{hyper_parameters['ckpt_path']} is of {counted(processes_before, 'process')}, an alternation of which"
                f" sees {images} images; on {processes}, say dataset.batch_size={max(1, images // processes)}"
            )
        before = {**before, "dataset": {**before["dataset"], "batch_size": at_once}}
        log.info(
            "%s in place of %d, with %s each: the images, the latents and the rest that is random stay the same,"
            " the weights will be so within rounding",
            counted(processes, "process"),
            processes_before,
            counted(at_once, "image"),
        )
    if changed := differences(before, hyper_parameters):
        raise UserError(
            f"{hyper_parameters['ckpt_path']} was trained with other settings: {', '.join(changed)};"
            " give those of that run, or start a new one without ckpt_path"
        )
    epochs = epochs_of(checkpoint)
    max_epochs = hyper_parameters["trainer"]["max_epochs"]
    if 0 <= max_epochs <= epochs and not at_its_end:
        raise UserError(
            f"{hyper_parameters['ckpt_path']} already has {counted(epochs, 'epoch')} and trainer.max_epochs is"
            f" {max_epochs}; to go on, set it higher: trainer.max_epochs={2 * epochs}"
        )


def _say_where(settings: DictConfig, more_epochs: int) -> None:
    folder = Path(settings.output_dir)
    of_epochs = " (samples/ has one of each epoch)" if any(folder.glob("samples/*.png")) else ""
    if of_epochs or any(folder.glob("*.png")):
        log.info("pictures:    %s%s", folder, of_epochs)
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        return  # the sweep goes on with its jobs
    log.info("a page:      python -m gan_lightning.report %s", shlex.quote(override("run", settings.output_dir)))
    if settings.logger.get("tensorboard") is not None:
        logdir = shlex.quote(settings.output_dir)
        log.info("TensorBoard: tensorboard --samples_per_plugin images=500 --logdir %s", logdir)
    limits = ("trainer.max_epochs=", "trainer.max_time=", "trainer.max_steps=")
    replaced = ("ckpt_path=", "output_dir=", "hparams_search=", *limits)  # the limits are those of this try
    go_on = [argument for folder in config_dirs(sys.argv) for argument in ("--config-dir", folder)]
    task = list(HydraConfig.get().overrides.task)
    added = overrides_of_choices([*go_on, *task])  # as they will be again
    go_on += [each for each in task if not each.startswith(replaced) and each not in added]
    go_on.append(f"trainer.max_epochs={more_epochs}")
    if _own_checkpoint(settings).exists():
        go_on += [override("output_dir", settings.output_dir), "ckpt_path=auto"]
    log.info("to go on:    python -m gan_lightning.train %s", shlex.join(go_on))


if __name__ == "__main__":
    main()
