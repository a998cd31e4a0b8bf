"""A generator as an ONNX file."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from gan_lightning.errors import UserError, one_line
from gan_lightning.exporting.program import quiet, traced
from gan_lightning.loading import TrainedGenerator

ONNX = "model.onnx"
INPUTS = ("latent", "labels")


def write_onnx(generator: TrainedGenerator, folder: Path, opset: int | None) -> Callable[..., Tensor]:
    """Write the file; what ONNX Runtime computes with it then.

    Its inputs are `latent` (batch, latent_dim), float32, and of a generator that takes labels `labels` (batch,), int64;
    its output is `images` (batch, C, H, W).

    Args:
        generator: on the CPU.
        folder: where to.
        opset: the version of ONNX's operators; None for the exporter's choice.

    Raises:
        UserError: if a package is missing, the network cannot be traced, or it needs operators that the opset has not.
    """
    try:
        import onnxruntime
        import onnxscript  # noqa: F401  which torch's exporter writes with
    except ModuleNotFoundError as reason:
        raise UserError(
            f"format=onnx needs {reason.name}: pip install 'gan-lightning[export]'; the other formats need nothing"
        ) from reason
    program = traced(generator)
    names = INPUTS[: 1 + generator.conditional]
    with quiet():
        try:
            exported = torch.onnx.export(
                program,
                dynamic_shapes=({0: "batch"},) * len(names),
                input_names=names,
                output_names=["images"],
                opset_version=opset,
                verbose=False,
            )
        except Exception as reason:  # an operator that ONNX has not, say
            said = one_line(reason)
            raise UserError(
                f"this generator cannot be written as ONNX, only in the other formats: {said[:300]}"
            ) from reason
    assert exported is not None
    # Where it cannot have the opset that was asked for it silently takes another.
    has = exported.model.opset_imports[""]
    if opset not in (None, has):
        raise UserError(f"opset={opset} cannot express this generator; opset={has} can")
    path = folder / ONNX
    exported.save(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(*given: Tensor) -> Tensor:
        (images,) = session.run(None, {name: each.numpy() for name, each in zip(names, given, strict=True)})
        return torch.from_numpy(images)

    return run
