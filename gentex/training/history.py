"""What a run leaves behind: its losses over time; and the guard that watches them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from gentex.errors import TrainingError
from gentex.interfaces import Update


@dataclass(slots=True)
class History:
    """steps taken, images seen (over all processes), seconds spent, and the curves.

    curves: name -> list of (step, mean value since the step before it in the list). Under several
        processes they are those of the first.
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
    loss would wait for the device, so that losses are looked at together, at the next `check`; the
    error still names the step and the loss that was the first. A log may be infinite, as the PSNR
    of a perfect result is: such values are left out of its curve.

    window: name -> (sum, number) of the values since the last point of its curve.
    """

    def __init__(self, history: History, *, immediately: bool) -> None:
        self.history = history
        self.immediately = immediately
        self.window: dict[str, tuple[float, int]] = {}
        self._waiting: list[_Value] = []

    def add(self, step: int, update: Update) -> None:
        """Record the loss and logs of one update of step `step`, counted from 1."""
        self._wait(step, "loss", update.optimizer or "loss", update.loss)
        for name, value in (update.logs or {}).items():
            self._wait(step, "log", name, value)
        if self.immediately:
            self.check()

    def check(self) -> None:
        """Fetch what is waiting, and stop at the first loss that is NaN or infinite."""
        if not self._waiting:
            return
        device = self._waiting[0].scalar.device
        scalars = [value.scalar.float().to(device) for value in self._waiting]
        for (step, kind, name, _), number in zip(
            self._waiting, torch.stack(scalars).tolist(), strict=True
        ):
            if math.isfinite(number):
                total, count = self.window.get(name, (0.0, 0))
                self.window[name] = total + number, count + 1
            elif kind == "loss":
                raise TrainingError(f"loss {name!r} is {number} at step {step}")
        self._waiting = []

    def flush(self, step: int) -> dict[str, float]:
        """Check what is waiting, and write a point of every curve: the means since the last."""
        self.check()
        means = {name: total / count for name, (total, count) in self.window.items()}
        for name, mean in means.items():
            self.history.curves.setdefault(name, []).append((step, mean))
        self.window = {}
        return means

    def _wait(self, step: int, kind: str, name: str, value: Tensor | float) -> None:
        # A copy, as the model may change a tensor that it logs before it is looked at.
        scalar = torch.as_tensor(value).detach().clone()
        if scalar.ndim:
            raise TrainingError(
                f"{kind} {name!r} has shape {tuple(scalar.shape)}; a scalar is wanted "
                "(the mean over the batch)"
            )
        self._waiting.append(_Value(step, kind, name, scalar))


class _Value(NamedTuple):
    """A loss or a log that is still on the device."""

    step: int
    kind: str
    name: str
    scalar: Tensor
