"""What a model costs: time, throughput and memory, as scores of their own."""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from gentex.sampling import evaluations
from gentex.tasks.work import Score
from gentex.training import History


def peak_memory(device: torch.device | str = "cpu") -> int:
    """Bytes: the most that tensors took on a CUDA device, else the most that the process took."""
    device = torch.device(device)
    if device.type == "cuda":
        peak = torch.cuda.max_memory_allocated(device)
    else:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        peak *= 1 if sys.platform == "darwin" else 1024
    return max(peak, _peak_before.get(device.type, 0))


_peak_before: dict[str, int] = {}
"""The peak up to where `memory_taken` has last set it back, by the kind of device."""


def memory_taken(work: Callable[[], object], device: torch.device | str = "cpu") -> int | None:
    """Bytes that `work` takes at the most, above what was taken before it.

    On the CPU those of the process, as Linux counts them; None where there is no such count. There
    it makes all later work of the process a little slower: large arrays go back to the system when
    they are freed, where the C library would keep them, and the count depend on what was before.
    """
    device = torch.device(device)
    _peak_before[device.type] = peak_memory(device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        return torch.cuda.max_memory_allocated(device) - before
    try:
        library = ctypes.CDLL(None)
        library.mallopt(M_MMAP_THRESHOLD, 1 << 16)
        library.malloc_trim(0)  # what earlier work has freed would be taken again unseen
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # sets the peak back
        before = _resident("VmRSS")
    except (OSError, AttributeError, TypeError):  # another system, another C library
        return None
    work()
    return _resident("VmHWM") - before


M_MMAP_THRESHOLD = -3  # in glibc's malloc.h


def _resident(name: str) -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    found = re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    if found is None:
        raise OSError(f"no {name} in /proc/self/status")
    return int(found[1]) * 1024


def cost_scores(history: History, device: torch.device) -> dict[str, Score]:
    """Training time and throughput where anything was trained, and peak memory so far."""
    scores: dict[str, Score] = {}
    if history.steps:
        speed = history.images / max(history.seconds, 1e-9)
        scores["train-time"] = Score(history.seconds, "lower", "s")
        scores["train-throughput"] = Score(speed, "higher", "images/s")
    scores["peak-memory"] = Score(peak_memory(device) / 2**20, "lower", "MiB")
    return scores


def sampling_scores(model: nn.Module, images: int, seconds: float) -> dict[str, Score]:
    """Images a second, and network evaluations an image of models that count them (`spent`)."""
    scores = {"sample-throughput": Score(images / max(seconds, 1e-9), "higher", "images/s")}
    spent = evaluations(model)
    if spent is not None:
        scores["evaluations"] = Score(spent, "", "per image")
    return scores


def parameters(model: nn.Module) -> int:
    """The number of parameters."""
    return sum(parameter.numel() for parameter in model.parameters())
