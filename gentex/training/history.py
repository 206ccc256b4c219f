"""What a run leaves behind: its losses over time; and the guard that watches them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gentex.errors import TrainingError
from gentex.interfaces import Update


@dataclass(slots=True)
class History:
    """steps taken, images seen (over all processes), seconds spent, and the curves.

    curves: name -> list of (step, mean value since the step before it in the list).
    """

    steps: int = 0
    images: int = 0
    seconds: float = 0.0
    curves: dict[str, list[tuple[int, float]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: its steps, the share of its budget spent, and its latest losses."""

    step: int
    fraction: float
    seconds: float
    losses: dict[str, float]


class Recorder:
    """Collects losses and logs, fetches them from the device together, and stops at NaN or Inf.

    On the CPU every loss is checked before its gradients are taken. On an accelerator looking at a
    loss would wait for the device, so that losses are looked at together, at the next `flush`; the
    error still names the step and the loss that was the first.
    """

    def __init__(self, history: History, *, immediately: bool) -> None:
        self.history = history
        self.immediately = immediately
        self._waiting: list[tuple[int, str, Tensor]] = []
        self._window: dict[str, list[float]] = {}

    def add(self, step: int, update: Update, name: str) -> None:
        """Record the loss and logs of one update."""
        if update.loss.ndim:
            raise TrainingError(
                f"loss {name!r} has shape {tuple(update.loss.shape)}; a scalar is wanted "
                "(the mean over the batch)"
            )
        self._waiting.append((step, name, update.loss.detach()))
        for key, value in (update.logs or {}).items():
            scalar = torch.as_tensor(value, dtype=torch.float32).detach()
            self._waiting.append((step, key, scalar))
        if self.immediately:
            self._fetch()

    def flush(self, step: int) -> dict[str, float]:
        """Check what is waiting, and write a point of every curve: the means since the last."""
        self._fetch()
        means = {name: math.fsum(values) / len(values) for name, values in self._window.items()}
        for name, mean in means.items():
            self.history.curves.setdefault(name, []).append((step, mean))
        self._window = {}
        return means

    def _fetch(self) -> None:
        if not self._waiting:
            return
        values = torch.stack([v.float() for _, _, v in self._on_one_device()]).tolist()
        for (step, name, _), value in zip(self._waiting, values, strict=True):
            if not math.isfinite(value):
                raise TrainingError(f"loss {name!r} is {value} at step {step}")
            self._window.setdefault(name, []).append(value)
        self._waiting = []

    def _on_one_device(self) -> list[tuple[int, str, Tensor]]:
        device = self._waiting[0][2].device
        return [(step, name, value.to(device)) for step, name, value in self._waiting]
