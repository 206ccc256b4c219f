"""The residual networks of WGAN-GP and SNGAN: pre-activation blocks of two 3×3 convolutions.

Gulrajani et al. 2017, the architecture for CIFAR-10; Miyato et al. 2018, table 4.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, relu

from gentex import ImageShape
from gentex_gan.sizes import pyramid, widths


class ResidualGenerator(nn.Module):
    """Noise (N, latent), and labels (N,) where `classes` > 0, to images (N, C, H, W) in [-1, 1].

    A linear layer makes the seed map, each block doubles its size; batch norm throughout, with a
    gain and a shift for each class where there are classes (Miyato & Koyama 2018).
    """

    def __init__(self, image: ImageShape, latent: int, width: int, classes: int = 0) -> None:
        super().__init__()
        doublings, seed = pyramid(image)
        channels = widths(width, doublings)
        self.seed = (*seed, channels[0])  # channels last, as the convolutions like them
        self.linear = nn.Linear(latent, math.prod(self.seed), bias=False)
        self.blocks = nn.ModuleList(
            UpBlock(inner, outer, classes) for inner, outer in pairwise(channels)
        )
        self.norm = nn.BatchNorm2d(channels[-1])
        self.to_image = nn.Conv2d(channels[-1], image.channels, 3, padding=1)
        self.apply(initialise)

    def forward(self, z: Tensor, *labels: Tensor) -> Tensor:
        x = self.linear(z).unflatten(1, self.seed).permute(0, 3, 1, 2)
        for block in self.blocks:
            x = block(x, *labels)
        return torch.tanh(self.to_image(relu(self.norm(x))))


class UpBlock(nn.Module):
    """Norm, ReLU, doubling, convolution, norm, ReLU, convolution; beside it a 1×1 convolution.

    No convolution has a bias: the batch norm after it, in this block or the next, would undo it.
    """

    def __init__(self, inner: int, outer: int, classes: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = batch_norm(inner, classes), batch_norm(outer, classes)
        self.conv1 = nn.Conv2d(inner, outer, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(outer, outer, 3, padding=1, bias=False)
        self.shortcut = nn.Conv2d(inner, outer, 1, bias=False)

    def forward(self, x: Tensor, *labels: Tensor) -> Tensor:
        residual: Tensor = self.conv1(doubled(relu(self.norm1(x, *labels))))
        residual = self.conv2(relu(self.norm2(residual, *labels)))
        # A 1×1 convolution and the doubling commute; before it there is a quarter of the work.
        return residual + doubled(self.shortcut(x))


class ResidualDiscriminator(nn.Module):
    """Images (N, C, H, W) in [-1, 1] to features (N, `dim`), without batch norm.

    Blocks halve the image down to a map of 8×8 (or twice another seed map), two more leave it at
    that; ReLU, then the mean or the sum over the map.

    pool: from a map (N, dim, H, W) to (N, dim).
    """

    def __init__(self, image: ImageShape, width: int, pool: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        doublings, _ = pyramid(image)
        channels = widths(width, doublings)[:1:-1]
        self.dim, self.pool = width, pool
        outer = image.channels
        blocks: list[nn.Module] = []
        for inner in channels:
            blocks.append(DownBlock(outer, inner, first=not blocks))
            outer = inner
        blocks += [DownBlock(outer, width, halve=False), DownBlock(width, width, halve=False)]
        self.blocks = nn.Sequential(*blocks)
        self.apply(initialise)

    def forward(self, images: Tensor) -> Tensor:
        return self.pool(relu(self.blocks(images)))


class DownBlock(nn.Module):
    """ReLU, convolution, ReLU, convolution, then halving; the first block has no ReLU in front."""

    def __init__(self, outer: int, inner: int, *, halve: bool = True, first: bool = False) -> None:
        super().__init__()
        self.halve, self.first = halve, first
        self.conv1 = nn.Conv2d(outer, inner, 3, padding=1)
        self.conv2 = nn.Conv2d(inner, inner, 3, padding=1)
        self.shortcut = nn.Conv2d(outer, inner, 1) if halve or outer != inner else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.conv2(relu(self.conv1(x if self.first else relu(x))))
        if self.halve:  # pooling commutes with the sum and with the 1×1 convolution
            x, residual = avg_pool2d(x, 2), avg_pool2d(residual, 2)
        shortcut: Tensor = self.shortcut(x)
        return residual + shortcut


class ConditionalBatchNorm(nn.Module):
    """Batch norm whose gain and shift are those of the class of each image."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gain = nn.Embedding(classes, channels)
        self.shift = nn.Embedding(classes, channels)
        nn.init.ones_(self.gain.weight)
        nn.init.zeros_(self.shift.weight)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        gain, shift = self.gain(labels), self.shift(labels)
        return torch.addcmul(shift[:, :, None, None], self.norm(x), gain[:, :, None, None])


def batch_norm(channels: int, classes: int) -> nn.Module:
    """Batch norm, conditional where there are classes."""
    return ConditionalBatchNorm(channels, classes) if classes else nn.BatchNorm2d(channels)


def doubled(x: Tensor) -> Tensor:
    """Each pixel of a map as 2×2 pixels."""
    return interpolate(x, scale_factor=2, mode="nearest")


def initialise(module: nn.Module) -> None:
    """Glorot's uniform weights, times √2 where a ReLU follows: Miyato et al. 2018's code."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        gain = 2**0.5 if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3) else 1.0
        nn.init.xavier_uniform_(module.weight, gain)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
