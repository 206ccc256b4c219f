"""What a separator hands back, and how an iteration stops for every image on its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from gentex import Layers
from gentex.errors import HyperparameterError
from gentex_separation.operators import group_size


class Solution(NamedTuple):
    """What an iterative method found, and how near it came.

    structure: (N, C, H, W).
    residual: (N,), what the method holds against its tolerance; its docstring says which quantity.
    iterations: (N,), int64, how many were taken for each image.
    """

    structure: Tensor
    residual: Tensor
    iterations: Tensor


class Progress:
    """Keeps each image's result as it was when that image converged.

    The iteration goes on for the whole batch until the last image is done, but what it does to the
    others meanwhile is not looked at: no image's result depends on the rest of its batch.
    """

    def __init__(self, images: Tensor, tolerance: float) -> None:
        n = len(images)
        self.tolerance = tolerance
        self.open = torch.ones(n, dtype=torch.bool, device=images.device)
        self._structure = torch.empty_like(images)
        self._residual = images.new_full((n,), math.inf)
        self._iterations = torch.zeros(n, dtype=torch.int64, device=images.device)

    def converged(self, structure: Tensor, residual: Tensor, iteration: int) -> bool:
        """Takes in the state after `iteration`; true when every image is within the tolerance."""
        self._residual = torch.where(self.open, residual, self._residual)
        self._iterations.masked_fill_(self.open, iteration)
        done = self.open & ~(residual > self.tolerance)  # NaN will not become less
        if bool(done.any()):
            self._structure[done] = structure[done]
            self.open &= ~done
        return not bool(self.open.any())

    def solution(self, structure: Tensor) -> Solution:
        """The results; `structure` for the images that did not converge."""
        self._structure[self.open] = structure[self.open]
        return Solution(self._structure, self._residual, self._iterations)


def solve_each(solve: Callable[[Tensor], Solution], images: Tensor) -> Solution:
    """Solves image by image on the CPU, where one fits the cache better, and all together on a GPU.

    Works in the precision of `single_precision`; gradients stop here.
    """
    images = single_precision(images)
    with torch.no_grad():
        # An empty batch is solved too: it comes back with the right shape and device.
        parts = [solve(part.contiguous()) for part in images.split(group_size(images))]
    return parts[0] if len(parts) == 1 else Solution(*map(torch.cat, zip(*parts, strict=True)))


def single_precision(images: Tensor) -> Tensor:
    """The images in single precision, or in double where they come in double; detached."""
    return at_least_single(images.detach())


def at_least_single(images: Tensor) -> Tensor:
    """The images in single precision, or in double where they come in double."""
    return images.to(torch.promote_types(images.dtype, torch.float32))


def layers(images: Tensor, structure: Tensor) -> Layers:
    """The layers of which the first is `structure`; the texture is all the rest."""
    return Layers(structure, images.to(structure.dtype) - structure)


def positive(name: str, value: float, *, above: float = 0) -> float:
    """The value of a hyperparameter, which must be finite and greater than `above`."""
    if not above < value < math.inf:
        raise HyperparameterError(f"{name}={value!r}: allowed are finite numbers above {above}")
    return value


def whole(name: str, value: float) -> int:
    """The value of a hyperparameter that counts something: 1, 2, 3, ..."""
    if not value >= 1 or value != int(value):
        raise HyperparameterError(f"{name}={value!r}: allowed are whole numbers from 1")
    return int(value)
