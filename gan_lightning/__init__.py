"""A laboratory for generative adversarial networks on PyTorch Lightning."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gan_lightning.api import fit, measure

__version__ = "0.1.0"
__all__ = ["__version__", "fit", "measure"]


def __getattr__(name: str) -> Any:
    """What `from gan_lightning import …` gives; it takes seconds to import, for which `--help` need not wait."""
    if name not in ("fit", "measure"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from gan_lightning import api

    return getattr(api, name)
