"""Sliced Wasserstein distance between the patches of two sets of images, at several scales.

Karras, Aila, Laine, Lehtinen: Progressive growing of GANs for improved quality, stability, and
variation, ICLR 2018, sec. 5, https://arxiv.org/abs/1710.10196: 7×7 patches at random places of each
level of a Laplacian pyramid; the sliced Wasserstein distance of Rabin et al. 2011 between the
patches of the real and those of the fake images; the mean over the levels.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from gentex.errors import DataError

PATCH = 7
_CHUNK = 1024  # images whose pyramid is in memory at a time


def sliced_wasserstein(
    real: Tensor,
    fake: Tensor,
    *,
    patches: int = 2**15,
    directions: int = 64,
    seed: int = 0,
) -> float:
    """Sliced Wasserstein-1 distance between the patches of images (N, C, H, W) and (M, C, H, W).

    uint8 in 0..255 or float in [0, 1]; at least 7×7 pixels. Lower is better; above 0 even between
    two halves of the same data, by an amount that falls with the number of images and patches.

    As in the paper, the patches of each set are whitened channel by channel with their own mean and
    standard deviation. (With those of the real ones, fewer corruptions of real images were seen.)

    patches: how many of each set, at each level. Karras et al. take 2²¹ and 512 directions, which
        takes minutes and ranks corrupted images no better.
    """
    for what, images in (("real", real), ("fake", fake)):
        if images.ndim != 4 or not len(images) or min(images.shape[2:]) < PATCH:
            raise DataError(
                f"{what} images have the shape {tuple(images.shape)}; (N, C, H, W) with at least "
                f"{PATCH}×{PATCH} pixels is wanted"
            )
        if images.is_floating_point() and not torch.isfinite(images).all():
            raise DataError(f"{what} images have pixels that are NaN or infinite")
    if real.shape[1:] != fake.shape[1:]:
        raise DataError(
            f"real images have the shape {tuple(real.shape[1:])} and fake ones "
            f"{tuple(fake.shape[1:])}; they must be alike"
        )
    generator = torch.Generator().manual_seed(seed)
    distances = []
    for a, b in zip(
        cut_patches(real, patches, generator), cut_patches(fake, patches, generator), strict=True
    ):
        distances.append(sliced_distance(whitened(a), whitened(b), directions, generator))
    return sum(distances) / len(distances)


def whitened(patches: Tensor) -> Tensor:
    """Patches (P, C, 49) as points (P, C · 49), with mean 0 and deviation 1 in each channel."""
    mean = patches.mean(dim=(0, 2), keepdim=True)
    deviation = patches.std(dim=(0, 2), keepdim=True).clamp_min(1e-4)
    return (patches - mean).div_(deviation).flatten(1)


def sliced_distance(x: Tensor, y: Tensor, directions: int, generator: torch.Generator) -> float:
    """Mean Wasserstein-1 distance of the points (P, k) projected onto random directions.

    Between equally many numbers it is the mean difference of the sorted ones (Rabin, Peyré, Delon,
    Bernot: Wasserstein barycenter and its application to texture mixing, SSVM 2011, sec. 2).
    """
    axes = torch.randn(directions, x.shape[1], generator=generator).to(x)
    axes /= axes.norm(dim=1, keepdim=True)
    apart = _sorted(axes @ x.T) - _sorted(axes @ y.T)
    return float(apart.abs().mean(dtype=torch.float64))


def _sorted(rows: Tensor) -> Tensor:
    if rows.device.type != "cpu":
        return rows.sort(dim=1).values
    return torch.from_numpy(np.sort(rows.numpy(), axis=1))  # three times as fast as torch's


def cut_patches(images: Tensor, count: int, generator: torch.Generator) -> list[Tensor]:
    """`count` patches (count, C, 49) of each level of the pyramid, spread over all images."""
    owner = torch.arange(count) * len(images) // count  # the image that each patch is cut from
    channel = torch.arange(images.shape[1], device=images.device)[None, :, None]
    window = torch.arange(PATCH)
    levels: dict[int, list[Tensor]] = {}
    for start in range(0, len(images), _CHUNK):
        chunk = images[start : start + _CHUNK]
        mine = owner[(owner >= start) & (owner < start + len(chunk))] - start
        image = mine[:, None, None].to(images.device)
        for depth, level in enumerate(laplacian_pyramid(_as_float(chunk))):
            height, width = level.shape[2:]
            y = torch.randint(height - PATCH + 1, (len(mine), 1), generator=generator) + window
            x = torch.randint(width - PATCH + 1, (len(mine), 1), generator=generator) + window
            pixel = (y[:, :, None] * width + x[:, None, :]).flatten(1)[:, None].to(images.device)
            levels.setdefault(depth, []).append(level.flatten(2)[image, channel, pixel])
    return [torch.cat(level) for level in levels.values()]


def laplacian_pyramid(images: Tensor) -> Iterator[Tensor]:
    """The levels of the pyramid of Burt & Adelson (1983), finest first, the blurred rest last.

    Sides are halved as long as two patches fit beside each other in the shorter one.
    """
    while min(images.shape[2:]) // 2 >= 2 * PATCH:
        smaller = _blur(images, stride=2)
        yield images - _up(smaller, images.shape[2:])
        images = smaller
    yield images


def _as_float(images: Tensor) -> Tensor:
    return images.float() if images.is_floating_point() else images.float() / 255


def _blur(images: Tensor, *, gain: float = 1.0, stride: int = 1) -> Tensor:
    binomial = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]).to(images) / 16
    kernel = gain * torch.outer(binomial, binomial)[None, None]
    planes = pad(images, (2, 2, 2, 2), mode="reflect").flatten(0, 1)[:, None]
    blurred = conv2d(planes, kernel, stride=stride)
    return blurred.view(*images.shape[:2], *blurred.shape[2:])


def _up(images: Tensor, size: torch.Size) -> Tensor:
    """Twice as large, up to `size`: zeros between the pixels, blurred over."""
    sparse = images.new_zeros(*images.shape[:2], *size)
    sparse[:, :, ::2, ::2] = images
    return _blur(sparse, gain=4.0)
