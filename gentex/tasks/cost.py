"""What a model costs: time, throughput and memory, as scores of their own."""

from __future__ import annotations

import sys

import torch
from torch import nn

from gentex.sampling import evaluations
from gentex.tasks.work import Score
from gentex.training import History


def peak_memory(device: torch.device | str = "cpu") -> int:
    """Bytes: the most that tensors took on a CUDA device, else the most that the process took."""
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


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
