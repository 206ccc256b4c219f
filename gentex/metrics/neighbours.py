"""Metrics from nearest neighbours in feature space: precision, recall, density, coverage.

Squared distances come from inner products, a chunk of rows at a time, so memory grows with N and
not N².
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from gentex.errors import DataError
from gentex.metrics.checks import as_pair


def precision_recall_density_coverage(
    real: Tensor, fake: Tensor, *, nearest: int = 5, chunk: int = 1024
) -> dict[str, float]:
    """Precision, recall, density and coverage of fake features (M, d) against real ones (N, d).

    Around each sample lies a closed ball that reaches to its `nearest`-th neighbour in its own set.

    - precision: share of the fakes that lie in the ball of any real sample
    - recall: share of the real samples that lie in the ball of any fake
      (Kynkäänniemi, Karras, Laine, Lehtinen, Aila: Improved precision and recall metric for
      assessing generative models, NeurIPS 2019, eq. 2; https://arxiv.org/abs/1904.06991)
    - density: how many real balls a fake lies in, on average, divided by `nearest`; it may pass 1
    - coverage: share of the real balls that hold any fake
      (Naeem, Oh, Uh, Choi, Yoo: Reliable fidelity and diversity metrics for generative models, ICML
      2020, eq. 4 and 5, whose `nearest` = 5 is the default; https://arxiv.org/abs/2002.09797)

    Higher is better for all four; 1 − (½)^`nearest` is the coverage to expect where real and fake
    are alike and N = M is large. Balls shrink as their set grows, so compare only at equal N and M.

    chunk: rows of a distance matrix in memory at a time.
    """
    real, fake = as_pair(real, fake)
    if not 1 <= nearest < min(len(real), len(fake)):
        raise DataError(
            f"{nearest} nearest neighbours among {len(real)} real and {len(fake)} fake features; "
            f"1 to {min(len(real), len(fake)) - 1} is possible"
        )
    real_radii = _radii(real, nearest, chunk)
    fake_radii = _radii(fake, nearest, chunk)

    in_real_balls = 0
    in_any_real_ball = 0
    in_any_fake_ball = torch.zeros(len(real), dtype=torch.bool, device=real.device)
    nearest_fake = torch.full_like(real_radii, torch.inf)
    for rows, distances in _squared_distances(fake, real, chunk):
        inside = distances <= real_radii
        in_real_balls += int(inside.sum())
        in_any_real_ball += int(inside.any(dim=1).sum())
        in_any_fake_ball |= (distances <= fake_radii[rows, None]).any(dim=0)
        nearest_fake = torch.minimum(nearest_fake, distances.amin(dim=0))
    return {
        "precision": in_any_real_ball / len(fake),
        "recall": float(in_any_fake_ball.double().mean()),
        "density": in_real_balls / (nearest * len(fake)),
        "coverage": float((nearest_fake <= real_radii).double().mean()),
    }


def nearest_distances(queries: Tensor, references: Tensor, *, chunk: int = 1024) -> Tensor:
    """Euclidean distance (M,) of each query (M, d) to the nearest of the references (N, d)."""
    nearest = [
        distances.amin(dim=1) for _, distances in _squared_distances(queries, references, chunk)
    ]
    return torch.cat(nearest).sqrt()


def _radii(features: Tensor, nearest: int, chunk: int) -> Tensor:
    """Squared distance (N,) to the `nearest`-th neighbour, the sample itself not counted.

    A hair more, so that the neighbour lies in the closed ball whatever the rounding.
    """
    radii = []
    for rows, distances in _squared_distances(features, features, chunk):
        index = torch.arange(rows.start, rows.start + len(distances), device=features.device)
        distances[index - rows.start, index] = torch.inf
        radii.append(distances.topk(nearest, dim=1, largest=False, sorted=False).values.amax(dim=1))
    return torch.cat(radii) * (1 + 1e-9)


def _squared_distances(x: Tensor, y: Tensor, chunk: int) -> Iterator[tuple[slice, Tensor]]:
    """Squared distances ‖xᵢ‖² + ‖yⱼ‖² − 2 xᵢᵀyⱼ, a slice of rows of x at a time.

    Duplicates are at distance 0 exactly, as a memorised image or a collapsed generator needs:
    moving the origin into the data keeps the rounding error small, and what is left below it is
    set to 0.
    """
    origin = y.mean(dim=0)
    x, y = x - origin, y - origin
    xx, yy = x.square().sum(dim=1), y.square().sum(dim=1)
    rounding = 1e-14 * max(1.0, x.shape[1] / 64) * float(xx.max() + yy.max())
    for start in range(0, len(x), chunk):
        rows = slice(start, start + chunk)
        distances = torch.addmm(yy, x[rows], y.T, alpha=-2).add_(xx[rows, None])
        yield rows, torch.threshold_(distances, rounding, 0.0)
