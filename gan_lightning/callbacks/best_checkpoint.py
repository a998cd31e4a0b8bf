"""The checkpoint of the epoch that was best."""

import math
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from gan_lightning.callbacks.evaluation import Evaluation
from gan_lightning.errors import UserError
from gan_lightning.quantities import QUANTITIES

MODES = {"lower": "min", "higher": "max"}


class BestCheckpoint(ModelCheckpoint):
    """Keeps `best.ckpt`, written after the evaluation at which one quantity was at its best.

    Args:
        folder: where it is written.
        quantity: one that :class:`Evaluation` measures.
        mode: `min` if less is better, `max` if more is; None where the quantity itself says so.

    Raises:
        ValueError: if there is no such quantity, or it does not say and `mode` neither.
    """

    def __init__(self, folder: str, quantity: str = "frechet_distance", mode: str | None = None) -> None:
        if quantity not in QUANTITIES:
            raise ValueError(f"there is no quantity {quantity!r}; there is {', '.join(QUANTITIES)}")
        mode = mode or MODES.get(QUANTITIES[quantity].better)
        if mode is None or mode not in MODES.values():
            raise ValueError(f"mode must be min or max for {quantity}, not {mode!r}")
        super().__init__(
            dirpath=folder,
            filename="best",
            monitor=quantity,
            mode=mode,
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        )

    def check(self, trainer: Trainer, log_odds: bool) -> None:
        """Refuse a quantity that is not measured, of a GAN whose logits are log-odds, or scores.

        Raises:
            UserError: if it is not.
        """
        evaluation = Evaluation.of(trainer)
        measured = [] if evaluation is None else evaluation.quantities(log_odds)
        if self.monitor not in measured:
            raise UserError(
                f"callbacks.best_checkpoint.quantity is {self.monitor}, but callbacks.evaluation measures"
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
        evaluation = Evaluation.of(trainer)
        assert evaluation is not None
        if evaluation.is_due(trainer) and not math.isnan(evaluation.latest[str(self.monitor)]):
            super().on_train_epoch_end(trainer, pl_module)
