"""Train a GAN: `python -m gan_lightning.train key=value …`; `--help` lists the keys."""

import logging
import os
import shlex
import sys
import warnings
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from gan_lightning.cli import door, user_mistakes
from gan_lightning.config import differences, read_checkpoint
from gan_lightning.errors import UserError

log = logging.getLogger(__name__)


@door("config")
def main(settings: DictConfig) -> None:
    """Build what the settings name, train it, and say where everything is."""
    output_dir = Path(HydraConfig.get().runtime.output_dir)
    settings.output_dir = os.path.relpath(output_dir)
    if settings.ckpt_path is None and (output_dir / "config.yaml").exists():
        raise UserError(
            f"{settings.output_dir} already holds a run; choose another output_dir,"
            f" or go on with that one: ckpt_path={settings.output_dir}/checkpoints/last.ckpt"
        )
    checkpoint = None if settings.ckpt_path is None else read_checkpoint(settings.ckpt_path)

    # Imported here because they take seconds, which --help and a mistyped key need not wait for.
    import torch
    from hydra.utils import instantiate
    from lightning.pytorch import seed_everything

    _quieten_lightning()
    _check_learning_rates(settings)
    if settings.trainer.accelerator == "gpu" and not torch.accelerator.is_available():
        raise UserError("trainer.accelerator is gpu, but torch finds no GPU here; trainer=cpu trains without one")
    with user_mistakes():
        seed_everything(settings.seed, workers=True, verbose=False)
        datamodule = instantiate(settings.dataset)
        generator, discriminator = (
            instantiate(settings.model[player], image_shape=datamodule.image_shape, _convert_="all")
            for player in ("generator", "discriminator")
        )
        gan = instantiate(settings.gan, _convert_="all")(
            generator=generator,
            discriminator=discriminator,
            objective=instantiate(settings.objective),
            generator_optimizer=instantiate(settings.optimizer.generator, _convert_="all"),
            discriminator_optimizer=instantiate(settings.optimizer.discriminator, _convert_="all"),
            scheduler=instantiate(settings.optimizer.scheduler, _convert_="all"),
        )
        datamodule.batches_per_alternation = gan.batches_per_alternation
        hyper_parameters: Any = OmegaConf.to_container(settings, resolve=True)
        hyper_parameters["image_shape"] = list(datamodule.image_shape)
        gan.save_hyperparameters(hyper_parameters, logger=False)
        if checkpoint is not None:
            _check_resume(checkpoint, hyper_parameters)
        trainer = instantiate(
            settings.trainer,
            callbacks=list(instantiate(settings.callbacks).values()),
            logger=list(instantiate(settings.logger).values()),
            _convert_="all",
        )
        datamodule.prepare_data()
        datamodule.setup("fit")

    if trainer.is_global_zero:
        output_dir.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(settings, output_dir / "config.yaml")
    log.info(
        "%s: %s images, generator %s and discriminator %s parameters, on %s at %s",
        datamodule.title,
        f"{len(datamodule.train_set):,}",
        *(f"{sum(weight.numel() for weight in player.parameters()):,}" for player in (generator, discriminator)),
        trainer.strategy.root_device,
        f"{trainer.precision}, seed {settings.seed}",
    )
    try:
        trainer.fit(gan, datamodule, ckpt_path=settings.ckpt_path, weights_only=True)
    except SystemExit:  # Lightning's answer to Ctrl-C
        log.info("interrupted in epoch %d", trainer.current_epoch + 1)
        _say_where(settings, more_epochs=settings.trainer.max_epochs)
        sys.exit(130)
    _say_where(settings, more_epochs=2 * trainer.current_epoch)


def _quieten_lightning() -> None:
    """Leave out what does not concern the user; each line says why."""
    # The device is in our own first line; the rest are hints at other products.
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    # Statistics hands on what is left at the end of each epoch, however short.
    warnings.filterwarnings("ignore", message="The number of training batches .* is smaller than the logging interval")
    # The images are in memory: workers would only copy them.
    warnings.filterwarnings("ignore", message="The 'train_dataloader' does not have many workers")
    # A resumed run writes into the folder of the run it goes on with.
    warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty")
    # Lightning 2.6 with torch 2.15: https://github.com/Lightning-AI/pytorch-lightning/issues/21326
    warnings.filterwarnings("ignore", message=".*LeafSpec.* is deprecated")


def _check_learning_rates(settings: DictConfig) -> None:
    for player in ("generator", "discriminator"):
        rate = settings.optimizer[player].lr
        if not isinstance(rate, float | int) or not rate >= 0:
            raise UserError(f"optimizer.{player}.lr must be a number of at least 0, not {rate!r}")


def _check_resume(checkpoint: dict[str, Any], hyper_parameters: dict[str, Any]) -> None:
    if changed := differences(checkpoint["hyper_parameters"], hyper_parameters):
        raise UserError(
            f"{hyper_parameters['ckpt_path']} was trained with other settings: {', '.join(changed)};"
            " give those of that run, or start a new one without ckpt_path"
        )
    epochs = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
    max_epochs = hyper_parameters["trainer"]["max_epochs"]
    if 0 <= max_epochs <= epochs:
        raise UserError(
            f"{hyper_parameters['ckpt_path']} already has {epochs} epochs and trainer.max_epochs is {max_epochs};"
            f" to go on, set it higher: trainer.max_epochs={2 * epochs}"
        )


def _say_where(settings: DictConfig, more_epochs: int) -> None:
    replaced = ("ckpt_path=", "output_dir=", "trainer.max_epochs=", "hparams_search=")
    overrides = [word for word in HydraConfig.get().overrides.task if not word.startswith(replaced)]
    go_on = [
        *overrides,
        f"trainer.max_epochs={more_epochs}",
        f"output_dir={settings.output_dir}",
        f"ckpt_path={settings.output_dir}/checkpoints/last.ckpt",
    ]
    log.info("pictures:    %s (samples/ has one of each epoch)", settings.output_dir)
    log.info("TensorBoard: tensorboard --logdir %s", os.path.dirname(settings.output_dir) or ".")
    log.info("to go on:    python -m gan_lightning.train %s", shlex.join(go_on))


if __name__ == "__main__":
    main()
