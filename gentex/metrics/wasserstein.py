"""Sliced Wasserstein distance between the patches of two sets of images, at several scales.

Karras, Aila, Laine, Lehtinen: Progressive growing of GANs for improved quality, stability, and
variation, ICLR 2018, sec. 5, https://arxiv.org/abs/1710.10196: 7×7 patches at random places of each
level of a Laplacian pyramid; the sliced Wasserstein distance of Rabin et al. 2011 between the
patches of the real and those of the fake images; the mean over the levels. All of it in float64.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

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
    """Patches (P, C, 49) as points (P, C · 49), with mean 0 and deviation 1 in each channel.

    In place: where there are many patches, another copy takes longer than the arithmetic.
    """
    count, channels, size = patches.shape
    # Over the patches first, then over the pixels of a channel: torch is slow at both in one.
    points = patches.view(count, -1)
    mean = points.mean(dim=0).view(channels, size).mean(dim=1)
    points -= mean.repeat_interleave(size)
    squares = torch.linalg.vector_norm(points, dim=0).square().view(channels, size).sum(dim=1)
    deviation = (squares / (count * size - 1)).sqrt().clamp_min(1e-4)
    return points.div_(deviation.repeat_interleave(size))


def sliced_distance(x: Tensor, y: Tensor, directions: int, generator: torch.Generator) -> float:
    """Mean Wasserstein-1 distance of the points (P, k) projected onto random directions.

    Between equally many numbers it is the mean difference of the sorted ones (Rabin, Peyré, Delon,
    Bernot: Wasserstein barycenter and its application to texture mixing, SSVM 2011, sec. 2).
    """
    axes = torch.randn(directions, x.shape[1], generator=generator).to(x)
    axes /= axes.norm(dim=1, keepdim=True)
    apart = _sorted(axes @ x.T).sub_(_sorted(axes @ y.T))
    return float(apart.abs_().mean())


def _sorted(rows: Tensor) -> Tensor:
    """The rows sorted, in place where that can be."""
    if rows.device.type != "cpu":
        return rows.sort(dim=1).values
    rows.numpy().sort(axis=1)  # three times as fast as torch's
    return rows


def cut_patches(images: Tensor, count: int, generator: torch.Generator) -> list[Tensor]:
    """`count` patches (count, C, 49) of each level of the pyramid, spread over all images."""
    owner = torch.arange(count) * len(images) // count  # the image that each patch is cut from
    levels: dict[int, list[Tensor]] = {}
    for start in range(0, len(images), _CHUNK):
        chunk = images[start : start + _CHUNK]
        mine = owner[(owner >= start) & (owner < start + len(chunk))] - start
        for depth, level in enumerate(laplacian_pyramid(_as_double(chunk))):
            windows = level.unfold(2, PATCH, 1).unfold(3, PATCH, 1)  # (N, C, rows, columns, 7, 7)
            y, x = (
                torch.randint(places, (len(mine), 1), generator=generator)[:, 0]
                for places in windows.shape[2:4]
            )
            image, y, x = (index.to(images.device) for index in (mine, y, x))
            levels.setdefault(depth, []).append(windows[image, :, y, x].flatten(2))
    return [torch.cat(level) for level in levels.values()]


def laplacian_pyramid(images: Tensor) -> Iterator[Tensor]:
    """The levels of the pyramid of Burt & Adelson (1983), finest first, the blurred rest last.

    Sides are halved as long as two patches fit beside each other in the shorter one.
    """
    while min(images.shape[2:]) // 2 >= 2 * PATCH:
        tall, wide = (_blur(side).to(images) for side in images.shape[2:])
        smaller = tall[::2] @ images @ wide[::2].T
        # Twice as large again: zeros between the pixels, blurred over, and so four times as weak.
        yield images - 4 * (tall[:, ::2] @ smaller @ wide[:, ::2].T)
        images = smaller
    yield images


def _blur(length: int) -> Tensor:
    """The matrix (length, length) that blurs a row of pixels, mirrored at its ends.

    At the sides that images have, products with it are several times as fast as convolutions.
    """
    pixel = torch.arange(length)
    matrix = torch.zeros(length, length, dtype=torch.float64)
    for offset, weight in zip(range(-2, 3), (1, 4, 6, 4, 1), strict=True):
        neighbour = (pixel + offset).abs()
        neighbour = torch.minimum(neighbour, 2 * (length - 1) - neighbour)
        matrix[pixel, neighbour] += weight / 16
    return matrix


def _as_double(images: Tensor) -> Tensor:
    return images.double() if images.is_floating_point() else images.double() / 255
