"""A laboratory for generative adversarial networks on PyTorch Lightning."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gan_lightning.loading import load as load

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """What Python is offered, imported as it is asked for: the command line's help need not wait for torch."""
    if name == "load":
        from gan_lightning.loading import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
