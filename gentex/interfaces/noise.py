"""Noise whose i-th sample depends on the seed and i alone, whatever the batch size."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

Rng = torch.Generator | Sequence[torch.Generator] | None
"""Where random numbers come from: one generator for the whole batch, one for each sample, or
torch's global one."""


def sample_rngs(seed: int, indices: Sequence[int] | range) -> list[torch.Generator]:
    """One generator for each sample: that of sample i depends on `seed` and i only."""
    return [torch.Generator().manual_seed(_mix(seed, index)) for index in indices]


def randn(
    shape: Sequence[int],
    *,
    rng: Rng = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Standard normal noise of `shape` = (N, ...), from any kind of `rng`.

    With one generator a sample, row i is drawn from the i-th. Generators may live on the CPU while
    the noise is wanted on a GPU: the numbers are drawn where the generator lives and then moved, so
    that they are the same on every device.
    """
    if rng is None:
        return torch.randn(*shape, device=device, dtype=dtype)
    if isinstance(rng, torch.Generator):
        return torch.randn(*shape, generator=rng, device=rng.device, dtype=dtype).to(device)
    if len(rng) != shape[0]:
        raise ValueError(f"noise for {shape[0]} samples from {len(rng)} generators")
    if not rng:
        return torch.empty(*shape, device=device, dtype=dtype)
    rows = [torch.randn(*shape[1:], generator=g, device=g.device, dtype=dtype) for g in rng]
    return torch.stack(rows).to(device)


def _mix(seed: int, index: int) -> int:
    """A 32-bit seed, as torch's CPU generator takes no more: distinct for the indices of a seed.

    MurmurHash3's finaliser is a bijection, so that no two samples of a seed share their noise.
    """
    mask = 0xFFFFFFFF
    x = (index ^ (seed * 0x9E3779B1) ^ (seed >> 32) * 0x85EBCA77) & mask
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        x = ((x ^ (x >> shift)) * factor) & mask
    return x
