"""Kernel distance between two sets of features: KID, the unbiased squared MMD.

With the kernel k(x, y) = (xᵀy/d + 1)³ of Bińkowski, Sutherland, Arbel, Gretton: Demystifying MMD
GANs, ICLR 2018, sec. 4, https://arxiv.org/abs/1801.01401, and the unbiased estimator of Gretton et
al. 2012, eq. 3,

    Σ_{i≠j} k(xᵢ, xⱼ) / m(m−1) + Σ_{i≠j} k(yᵢ, yⱼ) / n(n−1) − 2 Σ_{ij} k(xᵢ, yⱼ) / mn.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gentex.errors import DataError
from gentex.metrics.checks import as_pair


def kernel_distance(real: Tensor, fake: Tensor, *, chunk: int = 1024) -> float:
    """KID between features (N, d) and (M, d), from all their pairs; N, M ≥ 2.

    Lower is better. It is unbiased, so it may be slightly negative where the sets are alike, and
    sets of different size compare. All pairs are used, so it has no randomness and the least
    variance; `kernel_distance_subsets` is the mean over subsets that others report.

    chunk: rows of a kernel matrix in memory at a time.
    """
    return _squared_mmd(*as_pair(real, fake), chunk)


def kernel_distance_subsets(
    real: Tensor, fake: Tensor, *, subsets: int = 100, size: int = 1000, seed: int = 2020
) -> tuple[float, float]:
    """Mean and standard deviation of KID over random subsets, as torch-fidelity reports it.

    The subsets are the same as torch-fidelity's for the same seed, so that numbers can be compared
    to the last digit. The deviation is that of one subset's estimate, not of the mean.
    """
    real, fake = as_pair(real, fake)
    if size < 2 or size > min(len(real), len(fake)):
        raise DataError(
            f"subsets of {size} from {len(real)} real and {len(fake)} fake features; "
            f"2 to {min(len(real), len(fake))} is possible"
        )
    rng = np.random.RandomState(seed)
    estimates = []
    for _ in range(subsets):
        # Fake first: the order in which torch-fidelity draws.
        some_fake = _rows(fake, rng.choice(len(fake), size, replace=False))
        some_real = _rows(real, rng.choice(len(real), size, replace=False))
        estimates.append(_squared_mmd(some_real, some_fake, size))
    return float(np.mean(estimates)), float(np.std(estimates))


def _rows(x: Tensor, chosen: npt.NDArray[np.int64]) -> Tensor:
    return torch.from_numpy(x.numpy()[chosen]) if x.device.type == "cpu" else x[chosen]


def _squared_mmd(real: Tensor, fake: Tensor, chunk: int) -> float:
    m, n = len(real), len(fake)
    within = _within(real, chunk) / (m * (m - 1)) + _within(fake, chunk) / (n * (n - 1))
    between = sum(_sum(_kernel(rows, fake)) for rows in real.split(chunk))
    return within - 2 * between / (m * n)


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    if x.device.type != "cpu":
        return (x @ y.T).div_(x.shape[1]).add_(1).pow_(3)
    # Where y is x, NumPy computes half of the products. PyTorch's threads stay out of it: those of
    # two libraries that take turns get in each other's way.
    base = x.numpy() @ y.numpy().T
    base /= x.shape[1]
    base += 1
    cube = base * base
    cube *= base
    return torch.from_numpy(cube)


def _within(x: Tensor, chunk: int) -> float:
    """Σ_{i≠j} k(xᵢ, xⱼ): by symmetry, the blocks on and above the diagonal are enough."""
    total = 0.0
    for start in range(0, len(x), chunk):
        rows = x[start : start + chunk]
        block = _kernel(rows, x[start:])
        square = block[:, : len(rows)]
        total += 2 * _sum(block) - _sum(square) - float(square.trace())
    return total


def _sum(block: Tensor) -> float:
    return float(block.numpy().sum() if block.device.type == "cpu" else block.sum())
