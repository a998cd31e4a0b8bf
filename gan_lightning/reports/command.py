"""The command that trains a job of a sweep again, by itself."""

import re
import shlex
from collections.abc import Iterable

from gan_lightning.options import overrides_of_choices

LEFT_OUT = {"hydra", "hparams_search", "output_dir", "ckpt_path", "optimized_metric", "callbacks", "logger"}
"""What made the job part of a sweep, where it was written, and what was watched: none of it changes the weights."""


def winning_command(overrides: Iterable[str], max_epochs: int) -> str:
    """A line for a shell; where to write, `output_dir=`, is for the reader to add.

    Args:
        overrides: of the job, as in its `status.json`.
        max_epochs: how long the job was, which a search by name may say in place of an override.
    """
    added = overrides_of_choices(list(overrides))  # as they will be again
    kept = [each for each in overrides if re.split(r"\W", each.lstrip("+~"))[0] not in LEFT_OUT and each not in added]
    others = [each for each in kept if not each.startswith("trainer.max_epochs=")]
    return shlex.join(["python", "-m", "gan_lightning.train", *others, f"trainer.max_epochs={max_epochs}"])
