"""Fréchet distance between Gaussians fitted to two sets of features.

Between N(μ₁, Σ₁) and N(μ₂, Σ₂) it is (Dowson & Landau 1982, eq. 4; as a score of generators,
Heusel et al. 2017, eq. 6)

    ‖μ₁ − μ₂‖² + tr Σ₁ + tr Σ₂ − 2 tr (Σ₁Σ₂)^½.

In the features of FID's Inception-v3 the field calls it FID; in any other space, the Fréchet
distance (FD) in that space.

With factors Σ = FᵀF the trace of the root is the sum of the singular values of F₁F₂ᵀ. A factor is
made of the centred features themselves, or where N > d it is the triangle R of their QR
decomposition, which costs what forming the covariance does, but does not square its condition
number, and cannot fail as Cholesky's does. No covariance is ever formed, and no matrix root taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gentex.errors import DataError
from gentex.metrics.checks import as_features, same_width

_EXACT = 1e-6
"""Relative error above which the fast route to the singular values is not taken."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """The Gaussian fitted to `n` features, as the Fréchet distance needs it.

    mean: (d,), float64.
    factor: (min(n − 1, d), d), float64; factorᵀ · factor is the covariance, normalised by n − 1.
    """

    mean: Tensor
    factor: Tensor
    n: int


def statistics(features: Tensor, what: str = "real") -> Statistics:
    """Mean and covariance factor of features (N, d), N ≥ 2."""
    features = as_features(features, what)
    n, d = features.shape
    mean = features.mean(dim=0)
    centred = features - mean
    if n > d + 1:
        factor = torch.linalg.qr(centred, mode="r").R
    else:
        # A Householder reflection of the samples, which turns the direction (1, ..., 1), in which
        # there is nothing left, into the first row; without it, the rows are independent.
        factor = centred[1:] - centred[0] / (n**0.5 + 1)
    return Statistics(mean, factor / (n - 1) ** 0.5, n)


def frechet_distance(real: Tensor | Statistics, fake: Tensor | Statistics) -> float:
    """Fréchet distance between two sets of features (N, d), or their `statistics`.

    Lower is better, ≥ 0, in squared units of the features. It is biased upwards by about d/N
    (Chong & Forsyth 2020): compare only at equal N.

    Heusel, Ramsauer, Unterthiner, Nessler, Hochreiter: GANs trained by a two time-scale update
    rule converge to a local Nash equilibrium, NeurIPS 2017, eq. 6. https://arxiv.org/abs/1706.08500
    """
    a = real if isinstance(real, Statistics) else statistics(real, "real")
    b = fake if isinstance(fake, Statistics) else statistics(fake, "fake")
    same_width(len(a.mean), len(b.mean))
    apart = (a.mean - b.mean).square().sum() + a.factor.square().sum() + b.factor.square().sum()
    return max(0.0, _minus_twice_nuclear_norm(float(apart), a.factor @ b.factor.T))


def _minus_twice_nuclear_norm(apart: float, product: Tensor) -> float:
    """`apart` − 2 Σ σᵢ(product).

    Roots of the eigenvalues of the Gram matrix cost a fifth of the singular values, but lose those
    below √ε of the largest. So their error is bounded, and where it could matter, in near-equal
    Gaussians or ones with a long tail of small variances, the singular values are computed.
    """
    gram = product @ product.T if len(product) <= product.shape[1] else product.T @ product
    squares = torch.linalg.eigvalsh(gram).clamp_min(0)
    roots = squares.sqrt()
    noise = torch.finfo(torch.float64).eps * squares.max() * len(squares) ** 0.5
    error = 2 * float((noise / (roots + noise.sqrt()).clamp_min(1e-300)).sum())
    distance = apart - 2 * float(roots.sum())
    if error <= _EXACT * distance:
        return distance
    return apart - 2 * float(torch.linalg.svdvals(product).sum())


def frechet_distance_infinity(
    real: Tensor | Statistics, fake: Tensor, *, points: int = 15, seed: int = 0
) -> float:
    """Fréchet distance extrapolated to infinitely many fake samples (FD∞).

    The distance is computed for `points` random subsets of the fake features, of sizes evenly
    spaced from N/10 to N, and a line is fitted against 1/size; its value at 0 is free of the d/N
    bias of the fake set. The real set's own bias, the same for all that are compared, stays.

    Chong, Forsyth: Effectively unbiased FID and Inception score and where to find them, CVPR 2020,
    sec. 3.2. https://arxiv.org/abs/1911.07023
    """
    if points < 2:
        raise DataError(f"{points} points; a line needs at least 2")
    fake = as_features(fake, "fake", at_least=20)
    reference = real if isinstance(real, Statistics) else statistics(real, "real")
    generator = torch.Generator().manual_seed(seed)
    sizes = torch.linspace(len(fake) / 10, len(fake), points).long().tolist()
    distances = []
    for size in sizes:
        subset = torch.randperm(len(fake), generator=generator)[:size]
        distances.append(frechet_distance(reference, fake[subset.to(fake.device)]))
    _, intercept = np.polyfit(1 / np.array(sizes), distances, deg=1)
    return float(intercept)
