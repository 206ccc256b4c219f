"""Where the mathematics runs and in which precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from gentex.errors import GentexError, closest, unknown

PRECISIONS = ("fp32", "bf16", "fp16")


def find_device(device: str | torch.device = "auto") -> torch.device:
    """The device of that name; "auto" takes CUDA, else MPS, else the CPU."""
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    kinds = ("auto", "cpu", "cuda", "mps")
    try:
        found = torch.device(device)
    except RuntimeError:
        raise GentexError(f"no device {device!r}{closest(str(device), kinds)}") from None
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (found.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if found.type not in available:
        raise unknown("device", str(device), kinds)
    if not available[found.type]:
        raise GentexError(f"device {str(device)!r} is not available on this machine")
    return found


class Precision:
    """fp32, or autocast to bf16 or fp16 with parameters kept in fp32; fp16 scales its losses."""

    def __init__(self, name: str, device: torch.device) -> None:
        if name not in PRECISIONS:
            raise unknown("precision", name, PRECISIONS)
        self.dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(name)
        self.device = device
        self.scaler = torch.amp.GradScaler(device.type, enabled=name == "fp16")

    def autocast(self) -> AbstractContextManager[object]:
        """A region of its own for every resumption of a training step.

        Autocast caches the cast copies of weights until its region ends: one region around a whole
        step would go on using those from before the optimiser's step.
        """
        if self.dtype is None:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)
