"""The U-Net that the objectives of this family share.

Residual blocks with self-attention at the lowest resolution (Ho et al. 2020, appendix B), whose
group norms the time scales and shifts (Dhariwal & Nichol 2021, section 3).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from gentex import ImageShape
from gentex_flow.checks import check_positive, check_share

SMALLEST = 8
"""Halving ends where the shorter side is at most this: few enough positions for attention."""


class UNet(nn.Module):
    """Images (N, C, H, W), of about unit variance, and times (N,) to (N, C, H, W); 0 at first.

    image: of any shape; a level is half as large as the one above it, an odd side rounded up.
    width: channels of the first level; those below have twice as many.
    blocks: residual blocks on each level, on the way down and again on the way up.
    patch: pixels along each side of the squares that are folded into the channels of one position,
        so that no layer works at the full resolution, where a channel costs most.
    dropout: share of the activations that a residual block drops while it trains.
    """

    def __init__(
        self, image: ImageShape, *, width: int, blocks: int, patch: int, dropout: float
    ) -> None:
        super().__init__()
        check_positive(width=width, blocks=blocks, patch=patch)
        check_share(dropout=dropout)
        self.patch = patch
        side = -(-min(image.height, image.width) // patch)
        widths = [width]
        while side > SMALLEST:
            side = -(-side // 2)
            widths.append(2 * width)
        folded = image.channels * patch**2
        self.time = TimeEmbedding(4 * width)
        self.enter = nn.Conv2d(folded, width, 3, padding=1)
        self.levels = Level(widths, blocks, 4 * width, dropout)
        self.leave = nn.Sequential(
            normalised(width), nn.SiLU(), zeroed(nn.Conv2d(width, folded, 3, padding=1))
        )

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        p = self.patch
        x = functional.pad(x, (0, -width % p, 0, -height % p), mode="replicate")
        x = rearrange(x, "n c (h p) (w q) -> n (c p q) h w", p=p, q=p)
        x = self.leave(self.levels(self.enter(x), self.time(time)))
        x = rearrange(x, "n (c p q) h w -> n c (h p) (w q)", p=p, q=p)
        return x[..., :height, :width]


class Level(nn.Module):
    """One level of the U with all that hangs below it; the lowest attends where others descend."""

    def __init__(self, widths: Sequence[int], blocks: int, embedding: int, dropout: float) -> None:
        super().__init__()
        width, *below = widths
        self.before = nn.ModuleList(
            Residual(width, width, embedding, dropout) for _ in range(blocks)
        )
        self.below: nn.Module
        if below:
            self.below = Descent(width, below, blocks, embedding, dropout)
        else:
            self.below = Attention(width)
        joined = [(below or widths)[0] + width] + [2 * width] * (blocks - 1)
        self.after = nn.ModuleList(
            Residual(channels, width, embedding, dropout) for channels in joined
        )

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        skips = []
        for block in self.before:
            x = block(x, embedding)
            skips.append(x)
        x = self.below(x, embedding)
        for block in self.after:
            x = block(torch.cat((x, skips.pop()), dim=1), embedding)
        return x


class Descent(nn.Module):
    """To half the resolution, through the levels there, and back."""

    def __init__(
        self, width: int, below: Sequence[int], blocks: int, embedding: int, dropout: float
    ) -> None:
        super().__init__()
        self.shrink = nn.Conv2d(width, below[0], 3, stride=2, padding=1)
        self.level = Level(below, blocks, embedding, dropout)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        below = self.level(self.shrink(x), embedding)
        return functional.interpolate(below, size=x.shape[-2:], mode="nearest-exact")


class Residual(nn.Module):
    """x + conv(SiLU(modulated norm(conv(SiLU(norm(x)))))); the second convolution is 0 at first."""

    def __init__(self, inputs: int, outputs: int, embedding: int, dropout: float) -> None:
        super().__init__()
        self.first = nn.Sequential(
            normalised(inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1)
        )
        self.modulation = nn.Linear(embedding, 2 * outputs)
        self.norm = normalised(outputs)
        self.second = nn.Sequential(
            nn.SiLU(), nn.Dropout(dropout), zeroed(nn.Conv2d(outputs, outputs, 3, padding=1))
        )
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        modulation = rearrange(self.modulation(embedding), "n c -> n c 1 1")
        scale, shift = modulation.chunk(2, dim=1)
        h = self.norm(self.first(x)) * (1 + scale) + shift
        y: Tensor = self.skip(x) + self.second(h)
        return y


class Attention(nn.Module):
    """x + self-attention between its positions, in heads of 32 channels; 0 at first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = width // 32 if width % 32 == 0 else 1
        self.norm = normalised(width)
        # No bias: softmax would not see that of the keys.
        self.project = nn.Conv2d(width, 3 * width, 1, bias=False)
        self.leave = zeroed(nn.Conv2d(width, width, 1))

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        q, k, v = rearrange(
            self.project(self.norm(x)),
            "n (three m c) h w -> three n m (h w) c",
            three=3,
            m=self.heads,
        )
        mixed = functional.scaled_dot_product_attention(q, k, v)
        y: Tensor = x + self.leave(rearrange(mixed, "n m (h w) c -> n (m c) h w", h=x.shape[-2]))
        return y


class TimeEmbedding(nn.Module):
    """Features (N, dim) of times (N,), of the order of 1: waves through a small network.

    Their angular frequencies lie between 1 and 100: higher ones would make a velocity that an ODE
    solver has to follow in small steps.
    """

    frequencies: Tensor

    def __init__(self, dim: int, waves: int = 32) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.logspace(0, 2, waves), persistent=False)
        self.network = nn.Sequential(
            nn.Linear(2 * waves, dim), nn.SiLU(), nn.Linear(dim, dim), nn.SiLU()
        )

    def forward(self, time: Tensor) -> Tensor:
        angles = time[:, None] * self.frequencies
        features: Tensor = self.network(torch.cat((angles.cos(), angles.sin()), dim=1))
        return features


def normalised(channels: int) -> nn.GroupNorm:
    """Group norm over groups of 8 channels; over all where they cannot be divided so."""
    return nn.GroupNorm(channels // 8 if channels % 8 == 0 else 1, channels)


def zeroed(convolution: nn.Conv2d) -> nn.Conv2d:
    """The convolution with weights and biases of 0, so that its branch begins as nothing."""
    nn.init.zeros_(convolution.weight)
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)
    return convolution
