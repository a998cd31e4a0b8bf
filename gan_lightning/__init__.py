"""A laboratory for generative adversarial networks on PyTorch Lightning."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gan_lightning.api import fit as fit
    from gan_lightning.api import measure as measure
    from gan_lightning.loading import load as load

__version__ = "0.1.0"

_OFFERED = {"fit": "gan_lightning.api", "load": "gan_lightning.loading", "measure": "gan_lightning.api"}
"""What `from gan_lightning import …` gives, and where it is."""


def __getattr__(name: str) -> Any:
    """What Python is offered, imported as it is asked for: the command line's help need not wait for torch."""
    if name not in _OFFERED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_OFFERED[name]), name)
