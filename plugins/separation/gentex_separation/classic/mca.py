"""Morphological component analysis: Starck, Elad and Donoho, IEEE Trans. Image Processing 14, 2005.

Structure is sparse in one dictionary, texture in another:

    min_{s, t}  ‖W s‖₀ + ‖D t‖₀     where s + t is near the image.

W is the undecimated Haar transform, few of whose coefficients make a piecewise constant image; D is
the cosine transform of overlapping blocks, few of whose coefficients make a local pattern. Block
coordinate relaxation: each component in turn is what the other leaves, thresholded, under a
threshold that falls from the greatest coefficient to the smallest that matters, where it stops.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from gentex import ImageShape, Layers, Separator
from gentex.errors import HyperparameterError
from gentex_separation.operators import pad
from gentex_separation.solution import Solution, layers, positive, solve_each, whole

LEVELS = 5  # of the Haar transform; what is coarser than 2⁵ pixels is structure
SLOWEST = 4  # half periods in a block; longer waves are not texture, and the window leaks into them


class MCA(Separator):
    """Structure is sparse in wavelets, texture is sparse in local cosines.

    strength: the smallest coefficient of either that counts, for atoms of unit energy, in grey
        levels of [0, 1]; what neither explains goes to the texture.
    block: side of the cosine blocks, pixels, even; a few periods of the texture.
    rounds: how many thresholds.
    """

    grid: ClassVar = {"strength": (0.05, 0.1, 0.15, 0.2, 0.3), "block": (8, 16, 32, 64)}

    def __init__(
        self,
        image: ImageShape,
        *,
        strength: float = 0.2,
        block: int = 32,
        rounds: int = 30,
    ) -> None:
        super().__init__()
        self.strength = positive("strength", strength)
        self.block = whole("block", block)
        if block % 2:
            raise HyperparameterError(f"block={block}: allowed are even numbers")
        self.rounds = whole("rounds", rounds)

    def separate(self, images: Tensor) -> Layers:
        """Layers of images (N, C, H, W)."""
        return layers(images, mca(images, self.strength, self.block, self.rounds).structure)


def mca(images: Tensor, strength: float, block: int = 32, rounds: int = 30) -> Solution:
    """The structure s of images (N, C, H, W); coefficients of all channels stay or go together.

    The residual is the root mean square of image − s − t, what the thresholds have left out.
    """

    def solve(image: Tensor) -> Solution:
        texture = torch.zeros_like(image)
        # A wave through the image's whole range has a coefficient of amplitude × block / 2.
        span = image.amax((1, 2, 3), keepdim=True) - image.amin((1, 2, 3), keepdim=True)
        start = (span * (block / 4)).clamp_(min=strength)
        for k in range(rounds):
            threshold = start * (strength / start) ** (k / max(1, rounds - 1))
            structure = haar_thresholded(image - texture, threshold)
            texture = cosine_thresholded(image - structure, threshold, block)
        left = (image - structure).sub_(texture).square_().mean((1, 2, 3)).sqrt_()
        return Solution(structure, left, torch.full_like(left, rounds, dtype=torch.int64))

    return solve_each(solve, images)


def haar_thresholded(x: Tensor, threshold: Tensor) -> Tensor:
    """Images of which only the Haar coefficients above the threshold are left, at all shifts."""
    details = []
    for level in range(LEVELS):
        step, size = 2**level, 2.0 ** -(level + 1)  # size: the coefficient of a unit energy atom
        low, high = _pairs(pad(x, step), step, -1)
        x, vertical = _pairs(low, step, -2)
        horizontal, diagonal = _pairs(high, step, -2)
        for detail in (vertical, horizontal, diagonal):
            _hard(detail, threshold * size)
        # What the details of this level add to the image, one array instead of three.
        low = _unpaired(torch.zeros_like(x), vertical, step, -2)
        details.append(_unpaired(low, _unpaired(horizontal, diagonal, step, -2), step, -1))
    while details:
        step = 2 ** (len(details) - 1)
        # Without details, `_unpaired` is the half sum.
        low, _ = _pairs(x, step, -2)
        x, _ = _pairs(low, step, -1)
        x += details.pop()
    return x


def cosine_thresholded(x: Tensor, threshold: Tensor, block: int) -> Tensor:
    """Images of which only the local cosine coefficients above the threshold are left.

    Blocks overlap by half and are windowed by a sine before and after, which adds up to one.
    """
    n, channels, height, width = x.shape
    padded = pad(x, block)
    result = torch.zeros_like(padded)
    index = torch.arange(block, dtype=x.dtype, device=x.device)
    window = torch.sin(math.pi / block * (index + 0.5))
    basis = torch.cos(math.pi / block * index[:, None] * (index + 0.5)) * math.sqrt(2 / block)
    basis[0] *= math.sqrt(0.5)
    forward = basis * window  # windows the block, then transforms it
    fast = torch.maximum(index[:, None], index) >= SLOWEST
    for top in (0, block // 2):
        for left in (0, block // 2):
            down, across = (height + 2 * block - top) // block, (width + 2 * block - left) // block
            area = (
                ...,
                slice(top, top + down * block),
                slice(left, left + across * block),
            )
            tiles = padded[area].reshape(n, channels, down, block, across, block).transpose(-3, -2)
            coefficients = forward @ tiles @ forward.mT
            coefficients *= fast
            _hard(coefficients.flatten(2, 4), threshold * 0.5)
            tiles = forward.mT @ coefficients @ forward
            result[area] += tiles.transpose(-3, -2).reshape(padded[area].shape)
    return result[..., block : block + height, block : block + width]


def _pairs(x: Tensor, step: int, dim: int) -> tuple[Tensor, Tensor]:
    """Half sums and half differences of pixels `step` apart; `step` shorter than x."""
    size = x.shape[dim] - step
    first, second = x.narrow(dim, 0, size), x.narrow(dim, step, size)
    return (first + second).mul_(0.5), (first - second).mul_(0.5)


def _unpaired(low: Tensor, high: Tensor, step: int, dim: int) -> Tensor:
    """What `_pairs` was given, less `step` pixels at either end: the mean of both its accounts."""
    size = low.shape[dim] - step
    second = low.narrow(dim, 0, size) - high.narrow(dim, 0, size)
    return second.add_(low.narrow(dim, step, size)).add_(high.narrow(dim, step, size)).mul_(0.5)


def _hard(coefficients: Tensor, threshold: Tensor) -> None:
    """Sets to zero, in place, where the root mean square of the channels is below `threshold`."""
    coefficients *= coefficients.square().mean(1, keepdim=True) >= threshold**2
