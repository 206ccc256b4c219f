"""A Gaussian mixture as a module: fitted once, kept with the weights, sampled from given noise."""

from __future__ import annotations

import torch
from torch import Tensor, nn

MOST = 10_000
"""Points that are fitted; more are thinned to this number, as ten Gaussians need no more."""


class GaussianMixture(nn.Module):
    """K Gaussians with full covariances over D dimensions; N(0, I) until it is fitted.

    weights: (K,), adding up to 1. means: (K, D). factors: (K, D, D), the lower Cholesky factors of
        the covariances.
    """

    weights: Tensor
    means: Tensor
    factors: Tensor

    def __init__(self, components: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("weights", torch.full((components,), 1 / components))
        self.register_buffer("means", torch.zeros(components, dim))
        self.register_buffer("factors", torch.eye(dim).repeat(components, 1, 1))

    @torch.no_grad()
    def fit(self, points: Tensor) -> None:
        """Expectation maximisation on points (N, D), started from k-means; seeded."""
        from sklearn.mixture import GaussianMixture as Expectation

        if len(points) > MOST:
            order = torch.randperm(len(points), generator=torch.Generator().manual_seed(0))
            points = points[order[:MOST].to(points.device)]
        points = points.double().cpu()
        centre, scale = points.mean(0), points.std().clamp(min=1e-6)
        # Fewer points than components leave the last ones without weight.
        components = min(len(self.weights), len(points))
        fitted = Expectation(components, reg_covar=1e-4, random_state=0)
        fitted.fit(((points - centre) / scale).numpy())
        covariances = torch.from_numpy(fitted.covariances_)
        self.weights.zero_()[:components] = torch.from_numpy(fitted.weights_)
        self.means[:components] = torch.from_numpy(fitted.means_) * scale + centre
        self.factors[:components] = torch.linalg.cholesky(covariances) * scale

    def forward(self, noise: Tensor) -> Tensor:
        """Points (N, D) from standard normal noise (N, 1 + D): the first picks the component."""
        below = self.weights.cumsum(0) < torch.special.ndtr(noise[:, :1])
        component = below.sum(1).clamp(max=len(self.weights) - 1)
        offsets = self.factors[component] @ noise[:, 1:, None]
        return self.means[component] + offsets.squeeze(2)
