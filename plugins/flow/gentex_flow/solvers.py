"""Solvers of dx/dt = velocity(x, t) from t = 0 to t = 1, for a batch of independent problems.

Each returns the solutions (N, ...) and how many times the velocity of each was evaluated, (N,).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gentex import GentexError

Velocity = Callable[[Tensor, Tensor], Tensor]
"""The velocities (N, ...) at points (N, ...) and times (N,)."""


def euler(velocity: Velocity, x: Tensor, *, steps: int) -> tuple[Tensor, Tensor]:
    """Equal steps of order 1, one evaluation each."""
    for i in range(steps):
        x = x + velocity(x, at(i / steps, x)) / steps
    return x, evaluated(steps, x)


def midpoint(velocity: Velocity, x: Tensor, *, steps: int) -> tuple[Tensor, Tensor]:
    """Equal steps of order 2, two evaluations each."""
    for i in range(steps):
        halfway = x + velocity(x, at(i / steps, x)) / (2 * steps)
        x = x + velocity(halfway, at((i + 0.5) / steps, x)) / steps
    return x, evaluated(2 * steps, x)


def adaptive(
    velocity: Velocity, x: Tensor, *, tolerance: float, attempts: int = 1000
) -> tuple[Tensor, Tensor]:
    """Steps of order 5 by Dormand & Prince 1980, as long as the tolerance lets them be.

    Every problem has a step size of its own, so that its solution does not depend on the others
    in the batch. Their errors are held to `tolerance` · max(1, |x|), the root mean square over the
    dimensions of a problem. A step costs six evaluations, and the first one more.

    Raises GentexError where a problem is not solved after `attempts` steps, tried or taken.
    """
    shape = (-1,) + (1,) * (x.ndim - 1)
    x, t, step = x.clone(), at(0.0, x), at(0.1, x)
    slope, evaluations = velocity(x, t), evaluated(1, x)
    for _ in range(attempts):
        (active,) = (t < 1).nonzero(as_tuple=True)
        if not len(active):
            return x, evaluations
        start, began = x[active], t[active]
        h = torch.minimum(step[active], 1 - began)
        wide = h.view(shape)
        slopes = [slope[active]]
        end = start
        for node, row in zip(NODES, STAGES, strict=True):
            end = start + wide * weighted(row, slopes)
            slopes.append(velocity(end, began + node * h))
        evaluations[active] += len(NODES)
        scale = tolerance * torch.maximum(start.abs(), end.abs()).clamp(min=1)
        error = (wide * weighted(ERROR, slopes) / scale).square().flatten(1).mean(1).sqrt()
        good = error <= 1
        taken = active[good]
        x[taken], slope[taken] = end[good], slopes[-1][good]
        # Exactly 1 at the end, which began + h may miss by a rounding.
        t[taken] = torch.where(h == 1 - began, 1, began + h)[good]
        step[active] = h * (0.9 * error**-0.2).clamp(0.2, 5)
    raise GentexError(
        f"the adaptive solver is not at its end after {attempts} steps: velocities that are not "
        f"finite, or a tolerance ({tolerance:g}) below what their precision allows"
    )


NODES = (1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0)
STAGES = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
"""Dormand & Prince 1980, table 2; the last stage is the solution of order 5."""

ERROR = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)
"""Weights of the difference between the solutions of order 5 and 4."""


def weighted(weights: Sequence[float], tensors: Sequence[Tensor]) -> Tensor:
    """The weighted sum of tensors of one shape."""
    total = weights[0] * tensors[0]
    for weight, tensor in zip(weights[1:], tensors[1:], strict=True):
        total = total + weight * tensor
    return total


def at(time: float, x: Tensor) -> Tensor:
    """The same time for every problem of a batch, (N,)."""
    return torch.full((len(x),), time, dtype=x.dtype, device=x.device)


def evaluated(times: int, x: Tensor) -> Tensor:
    """The same number of evaluations for every problem of a batch, (N,)."""
    return torch.full((len(x),), times, dtype=torch.int64, device=x.device)
