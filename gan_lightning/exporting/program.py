"""A generator as a program of torch.export: what it computes, without the classes that it is made of."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from gan_lightning.errors import UserError
from gan_lightning.exporting.comparison import inputs
from gan_lightning.loading import TrainedGenerator

PROGRAM = "model.pt2"


def traced(generator: TrainedGenerator) -> ExportedProgram:
    """The program: latents (B, latent_dim), and labels (B,) of a generator that takes them, to images (B, C, H, W).

    Raises:
        UserError: if the network does what cannot be traced for all latents and batches of any size.
    """
    given = inputs(generator, 2)
    try:
        with quiet():
            program = torch.export.export(generator, given, dynamic_shapes=({0: Dim("batch")},) * len(given))
    except Exception as reason:  # tracing fails in as many ways as there are networks
        kind = type(generator.network)
        said = (str(reason).strip().splitlines() or [type(reason).__name__])[0]
        raise UserError(
            f"{kind.__module__}.{kind.__qualname__} cannot be traced for batches of any size, only exported as"
            f" safetensors: {said[:300]}"
        ) from reason
    for node in program.graph.nodes:  # the places of the source on this machine
        node.meta.pop("stack_trace", None)
    return program


def write_program(generator: TrainedGenerator, folder: Path) -> Callable[..., Tensor]:
    """Write the program; what is read there then.

    Raises:
        UserError: if the network cannot be traced.
    """
    path = folder / PROGRAM
    program = traced(generator)
    with quiet():
        torch.export.save(program, path)
        return torch.export.load(path).module()


@contextmanager
def quiet() -> Iterator[None]:
    """Without what torch and the converter of opsets say to their developers, some of it tracebacks."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
