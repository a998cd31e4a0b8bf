"""The results of a finished run."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger

from gan_lightning.callbacks.evaluation import Evaluation
from gan_lightning.callbacks.statistics import Statistics
from gan_lightning.hyperparameters import hyperparameters
from gan_lightning.whole_files import write_json


class Results(Callback):
    """Writes `metrics.json` and TensorBoard's HParams entry when a run has reached its last epoch.

    The training statistics are means over the last epoch; the numbers of an evaluation are those of the last one. A
    run that was interrupted leaves neither file nor entry.

    Args:
        path: of the JSON file.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self._seconds = 0.0
        self._since = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._since = time.perf_counter()
        if trainer.is_global_zero:
            self.path.unlink(missing_ok=True)  # of the run that this one goes on with
        for logger in trainer.loggers:
            logger.log_hyperparams(hyperparameters(dict(pl_module.hparams)))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        history = Statistics.of(trainer).history
        stopped_early = trainer.current_epoch != trainer.max_epochs  # by +trainer.max_time=…, say
        if not trainer.is_global_zero or not history or stopped_early:
            return
        means = Statistics.of(trainer).last_epoch()
        evaluation = Evaluation.of(trainer)
        outcomes = means if evaluation is None else means | evaluation.latest
        results: dict[str, Any] = {
            "epochs": trainer.current_epoch,
            "alternations": pl_module.alternations,
            "training_seconds": self._total_seconds(),
            **outcomes,
        }
        write_json(self.path, results)
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.log_hyperparams(
                    hyperparameters(dict(pl_module.hparams)),
                    {f"final/{name}": value for name, value in outcomes.items()},
                    step=pl_module.alternations,  # type: ignore[arg-type]
                )

    @staticmethod
    def names(evaluation: Evaluation | None, statistics: Iterable[str], log_odds: bool) -> list[str]:
        """What will be known of the outcome of a run with this evaluation, or without one.

        Args:
            evaluation: the callback.
            statistics: the names of what a training step returns.
            log_odds: whether the discriminator's logits are log-odds, not scores.
        """
        return [*statistics, "images_per_second", *([] if evaluation is None else evaluation.quantities(log_odds))]

    def _total_seconds(self) -> float:
        return self._seconds + time.perf_counter() - self._since

    def state_dict(self) -> dict[str, Any]:
        return {"seconds": self._total_seconds()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._seconds = state["seconds"]
