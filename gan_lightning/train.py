"""Train a GAN: `python -m gan_lightning.train key=value …`; `--help` lists the keys."""

import logging
import math
import os
import platform
import shlex
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from gan_lightning.building import build, build_dataset, build_player
from gan_lightning.checks import number, whole_number
from gan_lightning.cli import config_dirs, door, user_mistakes
from gan_lightning.config import differences, epochs_of, read_checkpoint, resolved, word
from gan_lightning.errors import UserError
from gan_lightning.jobs import Record, check_folder, checkpoint_to_go_on_from, read_results

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

    from gan_lightning.callbacks.evaluation import Evaluation
    from gan_lightning.data.base import ImageDataModule
    from gan_lightning.gan import GAN

log = logging.getLogger(__name__)


@door("config")
def main(settings: DictConfig) -> float | None:
    """Build what the settings name, train it, and say where everything is.

    Returns:
        The outcome that `optimized_metric` names, for the sweep that this run may be a job of; NaN if it diverged.
    """
    if HydraConfig.get().mode != RunMode.MULTIRUN:
        return train(settings)
    folder = Path(os.path.relpath(HydraConfig.get().runtime.output_dir))
    composed = resolved(settings)
    check_folder(folder, composed)
    with Record(folder, list(HydraConfig.get().overrides.task)) as record:
        if (checkpoint := checkpoint_to_go_on_from(folder, composed)) is not None:
            settings.ckpt_path = str(checkpoint)
        return train(settings, record)


def train(settings: DictConfig, record: Record | None = None) -> float | None:
    """One run; :func:`main` says what is returned."""
    for folder in ("output_dir", "data_dir"):
        if not settings[folder]:
            raise UserError(f"{folder} is empty; to use the current folder, say {folder}=.")
    output_dir = Path(HydraConfig.get().runtime.output_dir)
    settings.output_dir = os.path.relpath(output_dir)
    # Lightning is imported from here on, not above, because it takes seconds: --help and mistyped keys need not wait.
    checkpoint = None if settings.ckpt_path is None else read_checkpoint(str(settings.ckpt_path))
    _quieten_lightning()
    with user_mistakes():
        _refuse_what_cannot_train(settings)
        if checkpoint is not None and "tensorboard" in settings.logger:
            # Points that the run had logged past the checkpoint are drawn anew.
            OmegaConf.update(settings, "logger.tensorboard.purge_step", checkpoint["alternations"] + 1, force_add=True)
        gan, datamodule, trainer = compose(settings)
        if checkpoint is not None:
            _check_resume(checkpoint, dict(gan.hparams))
        datamodule.prepare_data()
        datamodule.setup("fit")
        images = datamodule.train_images
        share = settings.trainer.limit_train_batches
        if isinstance(share, float) and share * len(datamodule.train_dataloader()) < 1:
            raise UserError(f"trainer.limit_train_batches={share} is less than one training step of an epoch")
        _check_callbacks(settings, trainer, gan)
    if checkpoint is None:
        gan.initialise_from(images)
    _try_out(gan, datamodule)
    from gan_lightning.callbacks.evaluation import Evaluation

    evaluation = Evaluation.of(trainer)
    if evaluation is not None:
        evaluation.prepare(trainer, datamodule, gan)  # the last of the checks: it may train a classifier
    if not trainer.is_global_zero:
        trainer.fit(gan, datamodule, ckpt_path=settings.ckpt_path, weights_only=True)
        return None

    _claim(output_dir, settings)
    log.info(
        "%s: %s images, generator %s and discriminator %s parameters, on %s at %s, seed %s",
        datamodule.title,
        f"{len(images):,}",
        *(f"{sum(w.numel() for w in player.parameters()):,}" for player in (gan.generator, gan.discriminator)),
        trainer.strategy.root_device,
        trainer.precision,
        settings.seed,
    )
    if trainer.precision == "bf16-mixed" and trainer.strategy.root_device.type == "cpu" and not _multiplies_bf16():
        log.warning("this processor has no bf16 arithmetic: trainer.precision=32-true would be many times as fast")
    try:
        trainer.fit(gan, datamodule, ckpt_path=settings.ckpt_path, weights_only=True)
    except SystemExit:  # Lightning's answer to Ctrl-C
        log.info("interrupted in epoch %d", trainer.current_epoch + 1)
        _say_where(settings, more_epochs=settings.trainer.max_epochs)
        sys.exit(130)
    _say_where(settings, more_epochs=2 * trainer.current_epoch)
    if record is not None:
        from gan_lightning.callbacks.pruning import Pruning

        callbacks = trainer.callbacks  # type: ignore[attr-defined]
        record.pruned = any(isinstance(callback, Pruning) and callback.pruned for callback in callbacks)
    if settings.optimized_metric is None:
        return None
    outcome = read_results(output_dir).get(settings.optimized_metric)
    return math.nan if outcome is None else outcome


def compose(settings: DictConfig) -> "tuple[GAN, ImageDataModule, Trainer]":
    """The objects that the settings name, joined; the weights drawn from the seed. Nothing is read or written yet."""
    import torch
    from hydra.utils import instantiate
    from lightning.pytorch import seed_everything

    from gan_lightning.callbacks.statistics import Statistics
    from gan_lightning.objectives import Objective
    from gan_lightning.penalties import Penalty

    torch.set_float32_matmul_precision(settings.matmul_precision)
    # Deterministic algorithms would also fill all new memory with NaN, for programs that read what they never wrote.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    seed_everything(settings.seed, workers=True, verbose=False)
    plain: Any = OmegaConf.to_container(settings, resolve=True)
    datamodule = build_dataset(plain)
    generator, discriminator = (
        build_player(plain, player, datamodule.image_shape, datamodule.num_classes)
        for player in ("generator", "discriminator")
    )
    objective = build(plain, "objective", Objective)
    gan = instantiate(settings.gan, _convert_="all")(
        generator=generator,
        discriminator=discriminator,
        objective=objective,
        generator_optimizer=instantiate(settings.optimizer.generator, _convert_="all"),
        discriminator_optimizer=instantiate(settings.optimizer.discriminator, _convert_="all"),
        scheduler=instantiate(settings.optimizer.scheduler, _convert_="all"),
        penalty=build(plain, "penalty", Penalty),
        augmentation=build(plain, "augmentation", torch.nn.Module),
    )
    # What a checkpoint says of itself: enough to make its networks anew without the data set.
    facts = {
        "image_shape": list(datamodule.image_shape),
        "num_classes": datamodule.num_classes,
        "log_odds": objective.log_odds,
    }
    gan.save_hyperparameters({**plain, **facts}, logger=False)
    datamodule.batches_per_alternation = gan.batches_per_alternation
    datamodule.alternations_per_step = gan.alternations_per_step
    trainer = instantiate(
        settings.trainer,
        callbacks=list(named_callbacks(settings).values()),
        logger=[logger for logger in instantiate(settings.logger).values() if logger is not None],
        _convert_="all",
    )
    Statistics.of(trainer)  # refused here if it is missing
    return gan, datamodule, trainer


def named_callbacks(settings: Any) -> "dict[str, Any]":
    """The callbacks that the settings name, made.

    Raises:
        UserError: if something among them names none.
    """
    from hydra.utils import instantiate
    from lightning.pytorch import Callback

    made = {name: callback for name, callback in instantiate(settings["callbacks"]).items() if callback is not None}
    for name, callback in made.items():
        if not isinstance(callback, Callback):
            raise UserError(
                f"callbacks.{name} has settings but no _target_; choose callbacks that have it, or set it to null"
            )
    return made


def _try_out(gan: "GAN", datamodule: "ImageDataModule") -> None:
    """Compute both losses of two images, so that what cannot be computed is loud before anything is written."""
    import torch

    from gan_lightning.pixels import from_uint8
    from gan_lightning.protocol import evaluating
    from gan_lightning.sampling import draw

    with torch.random.fork_rng(devices=[]), evaluating(gan.discriminator):
        drawn = draw(gan.generator, 2, datamodule.num_classes, seed=0, device=gan.device)
        if drawn.shape[1:] != tuple(datamodule.image_shape):
            raise UserError(
                f"model.generator draws images of {tuple(drawn.shape[1:])},"
                f" but those of {datamodule.title} are {tuple(datamodule.image_shape)}"
            )
        real = from_uint8(datamodule.train_images[:2])
        gan.try_out(real, from_uint8(drawn[: len(real)]), datamodule.split(train=True)[1][: len(real)])


def _check_callbacks(settings: DictConfig, trainer: "Trainer", gan: "GAN") -> None:
    """Refuse callbacks that ask for what this GAN does not have."""
    from gan_lightning.callbacks.best_checkpoint import BestCheckpoint
    from gan_lightning.callbacks.evaluation import Evaluation
    from gan_lightning.callbacks.real_and_fake import RealAndFake
    from gan_lightning.callbacks.samples import Samples
    from gan_lightning.gan import statistics_of

    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, BestCheckpoint):
            callback.check(trainer, gan.objective.log_odds)
        if isinstance(callback, Evaluation | RealAndFake | Samples):
            gan.generator_with(callback.weights)
    statistics = statistics_of(gan.objective, gan.penalty)
    check_outcome(settings.optimized_metric, Evaluation.of(trainer), statistics, gan.objective.log_odds)


def check_outcome(
    metric: str | None, evaluation: "Evaluation | None", statistics: Iterable[str], log_odds: bool
) -> None:
    """See that a run with this evaluation, or none, and these statistics knows the metric to be optimised, if any is.

    Raises:
        UserError: if it does not.
    """
    from gan_lightning.callbacks.results import Results

    known = Results.names(evaluation, statistics, log_odds)
    if metric is not None and metric not in known:
        raise UserError(f"optimized_metric is {metric}, but a run with these callbacks knows {', '.join(known)}")


def _refuse_what_cannot_train(settings: DictConfig) -> None:
    import torch
    from lightning.pytorch.utilities.rank_zero import rank_zero_only

    trainer = settings.trainer
    first_rank = rank_zero_only.rank == 0  # type: ignore[attr-defined]  # the others may start later
    if first_rank and Path(settings.output_dir, "config.yaml").exists() and not _goes_on_in_its_folder(settings):
        raise _already_holds_a_run(settings)
    for player in ("generator", "discriminator"):
        rate = OmegaConf.select(settings, f"optimizer.{player}.lr")
        if not OmegaConf.is_dict(rate):  # a schedule, say
            number(f"optimizer.{player}.lr", rate, at_least=0)
    whole_number("seed", settings.seed, at_least=0)
    whole_number("trainer.max_epochs", trainer.max_epochs, at_least=1)
    whole_number("trainer.log_every_n_steps", trainer.log_every_n_steps, at_least=1)
    if not isinstance(trainer.limit_train_batches, float | int) or not trainer.limit_train_batches > 0:
        raise UserError(
            "trainer.limit_train_batches must be a share of at most 1.0 or a number of batches,"
            f" not {trainer.limit_train_batches!r}"
        )
    if str(trainer.precision) not in ("32", "32-true", "bf16-mixed"):
        raise UserError(f"trainer.precision must be 32-true or bf16-mixed, not {trainer.precision}")
    for key, harmless in (("gradient_clip_val", None), ("accumulate_grad_batches", 1)):
        if trainer.get(key, harmless) != harmless:
            raise UserError(f"trainer.{key} is not for two players with an optimizer each; leave it out")
    if settings.matmul_precision not in ("highest", "high", "medium"):
        raise UserError(f"matmul_precision must be highest, high or medium, not {settings.matmul_precision}")
    if trainer.accelerator == "gpu" and not torch.accelerator.is_available():
        raise UserError("trainer.accelerator is gpu, but torch finds no GPU here; trainer=cpu trains without one")
    if HydraConfig.get().mode == RunMode.MULTIRUN and trainer.devices not in (1, "1"):
        raise UserError(f"a job of a sweep trains on one device, not on trainer.devices={trainer.devices}")


def _multiplies_bf16() -> bool:
    """Whether the processor can multiply numbers of half precision, as far as is known of it."""
    import torch

    if platform.machine() not in ("x86_64", "AMD64"):
        return True
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def _goes_on_in_its_folder(settings: DictConfig) -> bool:
    """Whether the checkpoint to go on from is the output folder's own."""
    if settings.ckpt_path is None:
        return False
    return Path(str(settings.ckpt_path)).resolve().is_relative_to(Path(settings.output_dir).resolve())


def _already_holds_a_run(settings: DictConfig) -> UserError:
    last = f"{settings.output_dir}/checkpoints/last.ckpt"
    go_on = f", or go on with that one: {word('ckpt_path', last)}" if Path(last).exists() else ""
    return UserError(f"{settings.output_dir} already holds a run; choose another output_dir{go_on}")


def _claim(output_dir: Path, settings: DictConfig) -> None:
    """Write config.yaml, which makes the folder this run's; of two runs that want it, one gets it."""
    output_dir.mkdir(parents=True, exist_ok=True)
    try:
        with (output_dir / "config.yaml").open("w" if _goes_on_in_its_folder(settings) else "x") as file:
            OmegaConf.save(settings, file)
    except FileExistsError:
        raise _already_holds_a_run(settings) from None


def _quieten_lightning() -> None:
    """Leave out what does not concern the user; each line says why."""
    import lightning.pytorch  # noqa: F401  # as it is imported, it sets the level of its logger

    # The device is in our own first line; the rest are hints at other products.
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    # Statistics hands on what is left at the end of each epoch, however short.
    warnings.filterwarnings("ignore", message="The number of training batches .* is smaller than the logging interval")
    # A resumed run writes into the folder of the run it goes on with.
    warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty")
    # A run that goes on in another folder leaves the checkpoints so far in the first one, which is what was asked for.
    warnings.filterwarnings("ignore", message="The dirpath has changed from")
    # The first steps, before the alternation is recorded as a CUDA graph, run without one.
    warnings.filterwarnings("ignore", message="This instance was constructed with capturable=True")
    # Lightning 2.6 with torch 2.15: https://github.com/Lightning-AI/pytorch-lightning/issues/21326
    warnings.filterwarnings("ignore", message=".*LeafSpec.* is deprecated")


def _check_resume(checkpoint: dict[str, Any], hyper_parameters: dict[str, Any]) -> None:
    if changed := differences(checkpoint["hyper_parameters"], hyper_parameters):
        raise UserError(
            f"{hyper_parameters['ckpt_path']} was trained with other settings: {', '.join(changed)};"
            " give those of that run, or start a new one without ckpt_path"
        )
    epochs = epochs_of(checkpoint)
    max_epochs = hyper_parameters["trainer"]["max_epochs"]
    if 0 <= max_epochs <= epochs:
        raise UserError(
            f"{hyper_parameters['ckpt_path']} already has {epochs} epochs and trainer.max_epochs is {max_epochs};"
            f" to go on, set it higher: trainer.max_epochs={2 * epochs}"
        )


def _say_where(settings: DictConfig, more_epochs: int) -> None:
    runs = os.path.dirname(settings.output_dir) or "."
    log.info("pictures:    %s (samples/ has one of each epoch)", settings.output_dir)
    log.info("TensorBoard: tensorboard --samples_per_plugin images=500 --logdir %s", shlex.quote(runs))
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        return  # the sweep goes on with its jobs
    replaced = ("ckpt_path=", "output_dir=", "trainer.max_epochs=", "hparams_search=")
    go_on = [word for folder in config_dirs(sys.argv) for word in ("--config-dir", folder)]
    go_on += [word for word in HydraConfig.get().overrides.task if not word.startswith(replaced)]
    go_on.append(f"trainer.max_epochs={more_epochs}")
    last = f"{settings.output_dir}/checkpoints/last.ckpt"
    if Path(last).exists():
        go_on += [word("output_dir", settings.output_dir), word("ckpt_path", last)]
    log.info("to go on:    python -m gan_lightning.train %s", shlex.join(go_on))


if __name__ == "__main__":
    main()
