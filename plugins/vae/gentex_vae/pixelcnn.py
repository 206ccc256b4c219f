"""Gated PixelCNN over a grid of codes: van den Oord et al. 2016.

«Conditional Image Generation with PixelCNN Decoders».
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad


class PixelCNN(nn.Module):
    """p(codes) = ∏ p(code | those above it and to its left), over grids (N, h, w) of K codes.

    The vertical stack sees the rows above a place, the horizontal one what is left of it in its
    row: together all that came before, without the blind spot of masked square kernels. Nothing is
    masked here: the inputs are shifted once, by a row and by a column, and kernels end at a place.
    """

    def __init__(self, codes: int, *, width: int, layers: int) -> None:
        super().__init__()
        self.rows = layers + 1  # that a place sees, its own not counted
        self.embedding = nn.Embedding(codes, width)
        self.layers = nn.ModuleList(GatedLayer(width) for _ in range(layers))
        self.head = nn.Sequential(
            nn.ReLU(), nn.Conv2d(width, width, 1), nn.ReLU(), nn.Conv2d(width, codes, 1)
        )

    def forward(self, codes: Tensor) -> Tensor:
        """Logits (N, K, h, w) of each code given those before it."""
        embedded = self.embedding(codes).movedim(-1, 1)
        above = pad(embedded, (0, 0, 1, 0))[:, :, :-1]
        left = pad(embedded, (1, 0))[..., :-1]
        for layer in self.layers:
            above, left = layer(above, left)
        logits: Tensor = self.head(left)
        return logits.float()

    def log_prob(self, codes: Tensor) -> Tensor:
        """Log-probability of whole grids, (N,), in nats."""
        return -cross_entropy(self(codes), codes, reduction="none").flatten(1).sum(1)

    @torch.no_grad()
    def sample(self, noise: Tensor) -> Tensor:
        """A grid of codes for each grid of standard normal noise (N, h, w), code by code.

        Each code is the inverse distribution function of its noise, so the same noise gives the
        same grid. It takes h·w passes over the rows that a code depends on.
        """
        uniform = torch.special.ndtr(noise)
        codes = torch.zeros(noise.shape, dtype=torch.int64, device=noise.device)
        for i in range(codes.shape[1]):
            for j in range(codes.shape[2]):
                logits = self(codes[:, max(0, i - self.rows) : i + 1])[:, :, -1, j]
                below = logits.softmax(1).cumsum(1) < uniform[:, i, j, None]
                codes[:, i, j] = below.sum(1).clamp(max=logits.shape[1] - 1)
        return codes


class GatedLayer(nn.Module):
    """tanh(a) · σ(b) in both stacks, the vertical feeding the horizontal one: figure 2.

    A vertical kernel covers the place's row and the one above, a column to each side; a horizontal
    one the place and what is left of it.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.vertical = nn.Conv2d(width, 2 * width, (2, 3))
        self.across = nn.Conv2d(2 * width, 2 * width, 1)
        self.horizontal = nn.Conv2d(width, 2 * width, (1, 2))
        self.out = nn.Conv2d(width, width, 1)

    def forward(self, above: Tensor, left: Tensor) -> tuple[Tensor, Tensor]:
        """Both stacks (N, width, h, w), one layer on."""
        vertical = self.vertical(pad(above, (1, 1, 1, 0)))
        horizontal = self.horizontal(pad(left, (1, 0))) + self.across(vertical)
        return gated(vertical), left + self.out(gated(horizontal))


def gated(features: Tensor) -> Tensor:
    """The gate of equation 2: tanh of half of the channels times σ of the other half."""
    a, b = features.chunk(2, dim=1)
    return torch.tanh(a) * torch.sigmoid(b)
