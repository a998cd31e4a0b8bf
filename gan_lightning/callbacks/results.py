"""The results of a finished run."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger

from gan_lightning.errors import UserError, number
from gan_lightning.objectives import Objective
from gan_lightning.penalties import Penalty, statistics_of
from gan_lightning.settings import hyperparameters
from gan_lightning.whole_files import write_json

if TYPE_CHECKING:
    from gan_lightning.callbacks.evaluation import Evaluation


class Results(Callback):
    """Writes `metrics.json` and TensorBoard's HParams entry when a run has reached its last epoch.

    The training statistics are means over the last epoch; the numbers of an evaluation are those of the last one. A
    run that was interrupted leaves neither file nor entry.

    Args:
        path: of the JSON file.
        hyperparameters: those that TensorBoard shows; None for all. A sweep names those that it varies.
    """

    def __init__(self, path: str, hyperparameters: Sequence[str] | None = None) -> None:
        self.path = Path(path)
        self.hyperparameters = hyperparameters
        self._seconds = 0.0
        self._since = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._since = time.perf_counter()
        if trainer.is_global_zero:
            self.path.unlink(missing_ok=True)  # of the run that this one goes on with
        for logger in trainer.loggers:
            logger.log_hyperparams(self._shown(pl_module))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        history: Any = pl_module.history
        stopped_early = trainer.current_epoch != trainer.max_epochs  # by trainer.max_time, say
        if not trainer.is_global_zero or not history.points or stopped_early:
            return
        outcomes = history.last_evaluation() | history.last_epoch()
        results: dict[str, Any] = {
            "epochs": trainer.current_epoch,
            "alternations": pl_module.alternations,
            "training_seconds": self._total_seconds(),
            **outcomes,
        }
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.log_hyperparams(
                    self._shown(pl_module),
                    {f"final/{name}": value for name, value in outcomes.items()},
                    step=pl_module.alternations,  # type: ignore[arg-type]
                )
                logger.save()
        write_json(self.path, results)  # last: it says that the run is finished

    def _shown(self, gan: Any) -> dict[str, Any]:
        """What loggers are told: nothing that is null, and only such types as TensorBoard takes."""
        settings = hyperparameters(dict(gan.hparams))
        names = [""] if self.hyperparameters is None else self.hyperparameters
        chosen = {
            key: value
            for name in names
            for key, value in settings.items()
            if value is not None and f"{key}.".startswith(f"{name}." if name else "")
        }
        return {key: each if isinstance(each, bool | int | float | str) else str(each) for key, each in chosen.items()}

    def _total_seconds(self) -> float:
        return self._seconds + time.perf_counter() - self._since

    def state_dict(self) -> dict[str, Any]:
        return {"seconds": self._total_seconds()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        number("seconds", state["seconds"], at_least=0)
        self._seconds = state["seconds"]


def check_optimized_metric(
    metric: str | None,
    objective: Objective,
    penalty: Penalty | None,
    conditional: bool,
    evaluation: "Evaluation | None",
) -> None:
    """See that the results of a run with these objects hold the metric to be optimised, if any is.

    Raises:
        UserError: if they will not.
    """
    measured = [] if evaluation is None else evaluation.metrics(objective.log_odds, conditional)
    known = [*statistics_of(objective, penalty), "images_per_second", *measured]
    if metric is not None and metric not in known:
        raise UserError(f"optimized_metric is {metric}, but a run with these callbacks knows {', '.join(known)}")
