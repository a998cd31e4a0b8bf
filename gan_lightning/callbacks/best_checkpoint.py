"""The checkpoint of the epoch that was best."""

import logging
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from gan_lightning.errors import UserError
from gan_lightning.measures.metrics import METRICS

log = logging.getLogger(__name__)

MODES = {"lower": "min", "higher": "max"}


class BestCheckpoint(ModelCheckpoint):
    """Keeps `best.ckpt`, written after the evaluation at which one metric was at its best.

    Args:
        folder: where it is written.
        metric: one that the evaluation gives.
        mode: `min` if less is better, `max` if more is; None where the metric itself says so.

    Raises:
        ValueError: if there is no such metric, or it does not say and `mode` neither.
    """

    def __init__(self, folder: str, metric: str = "frechet_distance", mode: str | None = None) -> None:
        if metric not in METRICS:
            raise ValueError(f"there is no metric {metric!r}; there is {', '.join(METRICS)}")
        mode = mode or MODES.get(METRICS[metric].better)
        if mode is None or mode not in MODES.values():
            raise ValueError(f"mode must be min or max for {metric}, not {mode!r}")
        super().__init__(
            dirpath=folder,
            filename="best",
            monitor=metric,
            mode=mode,
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        )
        self.metric = metric

    def check(self, measured: Sequence[str]) -> None:
        """Refuse a metric that is not among those that the evaluation gives.

        Raises:
            UserError: if it is not.
        """
        if self.metric not in measured:
            raise UserError(
                f"callbacks.best_checkpoint.metric is {self.metric}, but callbacks.evaluation gives"
                f" {', '.join(measured) or 'nothing'}"
            )

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Of a run that goes on in another folder, with its best checkpoint there or without."""
        here = Path(str(self.dirpath), "best.ckpt")
        if here.exists() and state["best_model_path"]:
            score = state["best_model_score"]
            paths = {
                "best_model_path": str(here),
                "kth_best_model_path": str(here),
                "best_k_models": {str(here): score},
            }
            state = {**state, **paths, "dirpath": str(self.dirpath)}
        super().load_state_dict(state)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        history: Any = pl_module.history
        now = history.evaluations.get(trainer.current_epoch + 1, {})
        if math.isfinite(now.get(self.metric, math.nan)):
            super().on_train_epoch_end(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_end(trainer, pl_module)
        history: Any = pl_module.history
        values = {epoch: metrics.get(self.metric, math.nan) for epoch, metrics in history.evaluations.items()}
        finite = {epoch: value for epoch, value in values.items() if math.isfinite(value)}
        if trainer.is_global_zero and finite and self.best_model_path:
            best = (min if self.mode == "min" else max)(finite, key=lambda epoch: finite[epoch])
            last = values[max(values)]
            log.info(
                "%s %.4g, best %.4g in epoch %d: %s",
                METRICS[self.metric].title, last, finite[best], best, os.path.relpath(self.best_model_path),
            )  # fmt: skip
