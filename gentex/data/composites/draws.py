"""Random numbers that are a pure function of (seed, index, column), for many indices at once."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Draws:
    """Uniform numbers for a batch of items: each call is one number for every item, (n,).

    The same seed and index give the same sequence, whichever items stand beside it. A generator per
    item would cost more than the whole batch.
    """

    _COLUMNS = 64

    def __init__(self, seed: int, indices: Tensor, device: torch.device | str = "cpu") -> None:
        key = _mixed(np.array([seed & 0xFFFFFFFFFFFFFFFF], dtype=np.uint64))
        key = _mixed(key ^ indices.cpu().numpy().astype(np.uint64))
        bits = _mixed(key[:, None] + np.arange(1, self._COLUMNS + 1, dtype=np.uint64) * _GOLDEN)
        uniform = (bits >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)
        self._columns = iter(torch.from_numpy(uniform).to(device).unbind(1))

    def __call__(self, low: float = 0.0, high: float = 1.0) -> Tensor:
        """The next number in [low, high) of every item."""
        return low + (high - low) * next(self._columns)

    def integers(self, count: int) -> Tensor:
        """The next integer in [0, count) of every item."""
        return (self() * count).long().clamp(max=count - 1)


_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser (Steele, Lea and Flood 2014)."""
    x = x + _GOLDEN
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
