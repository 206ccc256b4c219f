"""Noise whose i-th sample depends on the seed and i alone, whatever the batch size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Between:
    """In the place of a sample's generator: noise on the way from that of one to that of another.

    Whatever `randn` is asked for, it draws from both and takes the point at `share` of the way, 0
    to 1, on the great circle through the two.
    """

    start: torch.Generator
    end: torch.Generator
    share: float


Rng = torch.Generator | Sequence[torch.Generator | Between] | None
"""Where random numbers come from: one generator for the whole batch, one for each sample, or
torch's global one."""


def sample_rngs(seed: int, indices: Sequence[int] | range) -> list[torch.Generator]:
    """One generator for each sample: that of sample i depends on `seed` and i only."""
    return [torch.Generator().manual_seed(_stream(seed, index)) for index in indices]


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
    return torch.stack([_row(source, shape[1:], dtype) for source in rng]).to(device)


def _row(source: torch.Generator | Between, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    if isinstance(source, Between):
        start, end = (_row(generator, shape, dtype) for generator in (source.start, source.end))
        return _slerp(start, end, source.share)
    return torch.randn(*shape, generator=source, device=source.device, dtype=dtype)


def _slerp(start: Tensor, end: Tensor, share: float) -> Tensor:
    """Spherical interpolation (Shoemake 1985, p. 247): noise in between is as long as noise is.

    White: Sampling generative networks, 2016, sec. 2.1. https://arxiv.org/abs/1609.04468. At shares
    of 0 and 1 it is the end itself, bit for bit. Along one line there is no circle, but the line.
    """
    a, b = start.double(), end.double()
    angle = ((a * b).sum() / (a.norm() * b.norm())).clamp(-1, 1).acos()
    if not angle.sin() > 1e-6:
        return torch.lerp(start, end, share)
    of_start, of_end = (((part * angle).sin() / angle.sin()) for part in (1 - share, share))
    between: Tensor = of_start * a + of_end * b
    return between.to(start.dtype)


def _stream(seed: int, index: int) -> int:
    """What to seed the generator of a sample with: 32 bits, as torch's takes no more on the CPU.

    Hashing (seed, index) to so few would give 50 000 samples a twin in one of four cases. For each
    seed this is a permutation of the indices instead, by rounds that can be undone.
    """
    mask = (1 << 32) - 1
    x = index & mask
    for number in range(3):
        key = _mix(4 * seed + number)
        x = ((x ^ key & mask) * (key >> 32 | 1)) & mask
        x ^= x >> 16
    return x


def _mix(x: int) -> int:
    """SplitMix64 (Steele et al. 2014): neighbouring numbers give unrelated ones of 64 bits."""
    mask = (1 << 64) - 1
    x = (x * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) & mask
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
    return x ^ (x >> 31)
