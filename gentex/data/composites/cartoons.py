"""Photographs smoothed to cartoons, by two methods that are no separator's.

Were a test structure the output of TV or RTV smoothing, the separator of that name would be helped.
Train: three passes of a Kuwahara filter. Test: segments of Felzenszwalb and Huttenlocher (2004),
each filled with the affine function of position that fits its colours best. Both work at the
photograph's own size (640 px at most); shrinking the result makes the edges antialiased.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable

import numpy as np
import torch
from skimage.segmentation import felzenszwalb
from torch import Tensor
from torch.nn import functional

from gentex.data.composites.fields import mirrored, uniform
from gentex.data.composites.sources import photographs


def kuwahara_cartoons(n: int, h: int, w: int, channels: int, rng: torch.Generator) -> Tensor:
    """Windows of the training photographs, each pixel the mean of its most even neighbourhood."""
    return _windows(_cartoons("train", kuwahara), n, h, w, channels, rng)


def segment_cartoons(n: int, h: int, w: int, channels: int, rng: torch.Generator) -> Tensor:
    """Windows of the test photographs, segmented, with a ramp in every segment."""
    return _windows(_cartoons("test", segments), n, h, w, channels, rng)


def kuwahara(photograph: Tensor, radius: int = 4, passes: int = 3) -> Tensor:
    """The Kuwahara filter (1976): the mean of the least varying of the four quadrants around.

    photograph: (c, h, w). radius: side of a quadrant less one, in px.
    """
    image = photograph[None]
    h, w = photograph.shape[-2:]
    for _ in range(passes):
        padded = mirrored(image, radius)
        mean = functional.avg_pool2d(padded, radius + 1, stride=1)
        square = functional.avg_pool2d(padded.square(), radius + 1, stride=1)
        variance = (square - mean.square()).sum(1, keepdim=True)
        least = torch.full((1, 1, h, w), math.inf)
        for y, x in itertools.product((0, radius), repeat=2):
            spread = variance[:, :, y : y + h, x : x + w]
            image = torch.where(spread < least, mean[:, :, y : y + h, x : x + w], image)
            least = torch.minimum(least, spread)
    return image[0]


def segments(photograph: Tensor) -> Tensor:
    """Segments filled with their best affine function: (c, h, w) -> (c, h, w) in [0, 1]."""
    c, h, w = photograph.shape
    pixels = photograph.permute(1, 2, 0).double().numpy()
    label = felzenszwalb(pixels, scale=150, sigma=1.0, min_size=150, channel_axis=-1).ravel()
    y, x = (grid.ravel() / max(h, w) for grid in np.mgrid[:h, :w])
    basis = np.stack([np.ones_like(y), y, x], 1)
    count = label.max() + 1
    normal = np.zeros((count, 3, 3))
    right = np.zeros((count, 3, c))
    np.add.at(normal, label, basis[:, :, None] * basis[:, None])
    np.add.at(right, label, basis[:, :, None] * pixels.reshape(-1, 1, c))
    # The ridge only matters to segments so thin that the slope across them is not determined.
    plane = np.linalg.solve(normal + 1e-3 * np.diag([0, 1, 1]), right)
    filled = np.einsum("pk,pkc->pc", basis, plane[label]).reshape(h, w, c)
    return torch.from_numpy(filled).permute(2, 0, 1).float().clamp(0, 1)


@functools.cache
def _cartoons(split: str, smooth: Callable[[Tensor], Tensor]) -> tuple[Tensor, ...]:
    return tuple(smooth(_at_most(640, x)) for x in photographs(split, "structure").values())


def _at_most(side: int, picture: Tensor) -> Tensor:
    """A picture (c, h, w) shrunk until neither side is longer than `side` px."""
    zoom = min(1.0, side / max(picture.shape[1:]))
    size = [round(zoom * s) for s in picture.shape[1:]]
    return functional.interpolate(picture[None], size, mode="bilinear", antialias=True)[0]


def _windows(
    cartoons: tuple[Tensor, ...], n: int, h: int, w: int, channels: int, rng: torch.Generator
) -> Tensor:
    """Random windows at random sizes of the cartoons in turn, either way round."""
    windows = []
    for i in range(n):
        picture = cartoons[i % len(cartoons)]
        fit = max(h / picture.shape[1], w / picture.shape[2])
        zoom = max(fit, min(0.6, fit * float(uniform(1, 2.5, 1, rng=rng))))
        height, width = (
            max(round(zoom * picture.shape[1]), h),
            max(round(zoom * picture.shape[2]), w),
        )
        picture = functional.interpolate(
            picture[None], (height, width), mode="bilinear", antialias=True
        )[0]
        top = int(torch.randint(height - h + 1, (1,), generator=rng))
        left = int(torch.randint(width - w + 1, (1,), generator=rng))
        window = picture[:, top : top + h, left : left + w]
        windows.append(window.flip(-1) if torch.rand(1, generator=rng) < 0.5 else window)
    stacked = torch.stack(windows)
    return stacked.mean(1, keepdim=True) if channels == 1 else stacked
