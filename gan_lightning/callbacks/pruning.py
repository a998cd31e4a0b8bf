"""An early end for trials of a search that will not win."""

import math
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from gan_lightning.sweeps.study import STUDY, open_study_file


class Pruning(Callback):
    """Tells a study of Optuna how a trial is doing, and ends the trial where the study says so or it has diverged.

    Reported is the metric of the search: after each evaluation, if that measures it, or else the mean over each epoch
    that the training's statistics give.

    Args:
        metric: that of the search.
        journal: the file that holds the study.
        trial: its number in the study.
        pruner: of Optuna; decides which trials are hopeless.

    Attributes:
        pruned: whether the trial was ended early.
    """

    def __init__(self, metric: str, journal: str, trial: int, pruner: Any) -> None:
        self.metric = metric
        self.pruned = False
        self._journal = journal
        self._number = trial
        self._pruner = pruner

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        import optuna

        study = optuna.load_study(study_name=STUDY, storage=open_study_file(self._journal), pruner=self._pruner)
        trial = study.trials[self._number]
        self._trial = optuna.trial.Trial(study, trial._trial_id)
        self._reported = set(trial.intermediate_values)  # by this trial, before it was interrupted

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        epoch = trainer.current_epoch + 1
        value = self._value(trainer, pl_module)
        if value is None or epoch == trainer.max_epochs:
            return
        if math.isfinite(value) and epoch not in self._reported:
            self._trial.report(value, epoch)
        if not math.isfinite(value) or self._trial.should_prune():
            self.pruned = True
            trainer.should_stop = True

    def _value(self, trainer: Trainer, gan: Any) -> float | None:
        """The metric after the epoch at hand; None if it was not measured."""
        measured = gan.history.evaluations.get(trainer.current_epoch + 1, {})
        return measured.get(self.metric, gan.history.last_epoch().get(self.metric))
