"""A laboratory for generative adversarial networks on PyTorch Lightning."""

__version__ = "0.1.0"
