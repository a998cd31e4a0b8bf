"""The weights of a generator as safetensors."""

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from gan_lightning.errors import UserError
from gan_lightning.exporting.folder import WEIGHTS
from gan_lightning.loading import TrainedGenerator, load


def write_weights(generator: TrainedGenerator, folder: Path, which: str, trust: list[str]) -> Callable[..., Tensor]:
    """Write the weights beside their `config.json`; what is read there then.

    Raises:
        UserError: if the network's state is more than tensors.
    """
    state = generator.network.state_dict()
    for name, weight in state.items():
        if not isinstance(weight, Tensor):
            raise UserError(f"safetensors holds tensors alone, and {name} is of {type(weight).__name__}")
    # Each by itself: networks lay weights out in memory as they compute fastest, and may use one for two things.
    copies = {name: weight.detach().clone(memory_format=torch.contiguous_format) for name, weight in state.items()}
    (folder / WEIGHTS).write_bytes(save(copies, metadata={"format": "pt"}))  # its own files others cannot read
    return load(folder, which, trust)
