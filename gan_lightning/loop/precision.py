"""Whether half precision makes a training faster."""

import platform

import torch


def multiplies_bf16(device: torch.device) -> bool | None:
    """Whether a device multiplies bf16 numbers faster than float32 ones; None where that is not known."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu" and platform.machine() in ("x86_64", "AMD64"):
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return None


def best_precision(accelerator: str) -> str:
    """What `trainer.precision=auto` means on an accelerator, by Lightning's name: bf16-mixed where that is known to be
    faster, else 32-true.
    """
    cpu = torch.device("cpu")
    found = cpu if accelerator == "cpu" else torch.accelerator.current_accelerator(check_available=True)
    return "bf16-mixed" if multiplies_bf16(found or cpu) else "32-true"
