"""Real images, made worse on purpose: for every corruption five severities, mild ones first."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import affine_grid, conv2d, grid_sample, interpolate, pad


@dataclass(frozen=True)
class Real:
    """Real images, uint8 (N, C, H, W): to compare with, to corrupt, and of something else."""

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor
    foreign: Tensor


def corrupted(real: Real, count: int) -> dict[str, list[Tensor]]:
    """By corruption: `count` test images at severities 1 to 5."""
    images, foreign = real.test[:count], real.foreign[:count]

    def levels(corrupt: Callable[..., Tensor], *severities: float) -> list[Tensor]:
        return [corrupt(images, severity) for severity in severities]

    return {
        "noise": levels(noise, 0.005, 0.01, 0.02, 0.05, 0.1),
        "blur": levels(blur, 0.3, 0.4, 0.5, 0.7, 1.0),
        "jpeg": levels(jpeg, 95, 85, 70, 40, 15),
        "contrast": levels(contrast, 0.98, 0.95, 0.9, 0.8, 0.6),
        "brightness": levels(brightness, 0.01, 0.02, 0.05, 0.1, 0.2),
        "blend": levels(blend, 0.02, 0.05, 0.1, 0.2, 0.4),
        "shift": levels(shift, 1, 2, 3, 4, 6),
        "warp": levels(warp, 0.2, 0.5, 1.0, 1.5, 2.5),
        "mosaic": levels(mosaic, 0.02, 0.05, 0.1, 0.25, 0.6),
        "foreign": levels(lambda x, share: mixed_in(x, foreign, share), 0.01, 0.02, 0.05, 0.1, 0.2),
        "copies": levels(copies, 0.7, 0.5, 0.25, 0.1, 0.03),
        "dropped modes": [real.test[real.test_labels >= k][:count] for k in (1, 2, 4, 6, 7)],
    }


# --------------------------------------------------------------------------- the pictures


def noise(images: Tensor, sigma: float) -> Tensor:
    """White Gaussian noise."""
    rng = torch.Generator().manual_seed(1)
    return _uint8(_float(images) + sigma * torch.randn(images.shape, generator=rng))


def blur(images: Tensor, sigma: float) -> Tensor:
    """A Gaussian blur, in pixels."""
    kernel = torch.exp(-(torch.arange(-4.0, 5.0) ** 2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(images.shape[1], 1, 1, -1)
    rows = conv2d(pad(_float(images), (4, 4, 0, 0), "reflect"), kernel, groups=len(kernel))
    return _uint8(conv2d(pad(rows, (0, 0, 4, 4), "reflect"), kernel.mT, groups=len(kernel)))


def jpeg(images: Tensor, quality: float) -> Tensor:
    """Compressed and decompressed."""
    decoded = []
    for image in images.permute(0, 2, 3, 1).numpy():
        file = io.BytesIO()
        Image.fromarray(image.squeeze()).save(file, "JPEG", quality=int(quality))
        decoded.append(np.array(Image.open(file)).reshape(image.shape))
    return torch.from_numpy(np.stack(decoded)).permute(0, 3, 1, 2).contiguous()


def contrast(images: Tensor, factor: float) -> Tensor:
    """Deviations from an image's mean, times a factor."""
    mean = _float(images).mean(dim=(1, 2, 3), keepdim=True)
    return _uint8(mean + factor * (_float(images) - mean))


def brightness(images: Tensor, offset: float) -> Tensor:
    """A constant added to every pixel."""
    return _uint8(_float(images) + offset)


def blend(images: Tensor, share: float) -> Tensor:
    """Each image with a ghost of another."""
    return _uint8((1 - share) * _float(images) + share * _float(images.roll(1, 0)))


# -------------------------------------------------------------------------------- the shapes


def shift(images: Tensor, pixels: float) -> Tensor:
    """Moved by up to so many pixels each way, borders repeated."""
    n, _, height, width = images.shape
    rng = torch.Generator().manual_seed(1)
    by = torch.randint(2 * int(pixels) + 1, (n, 2), generator=rng).tolist()
    padded = pad(images.float(), (int(pixels),) * 4, "replicate").to(torch.uint8)
    return torch.stack([padded[i, :, y : y + height, x : x + width] for i, (y, x) in enumerate(by)])


def warp(images: Tensor, pixels: float) -> Tensor:
    """Smoothly bent: a coarse field of displacements with that standard deviation."""
    n, _, height, width = images.shape
    rng = torch.Generator().manual_seed(1)
    field = torch.randn(n, 2, 4, 4, generator=rng) * pixels * 2 / height
    field = interpolate(field, (height, width), mode="bicubic", align_corners=True)
    grid = affine_grid(torch.eye(2, 3).expand(n, 2, 3), list(images.shape), align_corners=False)
    grid = grid + field.permute(0, 2, 3, 1)
    bent = grid_sample(_float(images), grid, padding_mode="border", align_corners=False)
    return _uint8(bent)


def mosaic(images: Tensor, share: float) -> Tensor:
    """Two quarters of some of the images from two other images."""
    some, (y, x) = int(share * len(images)), (images.shape[2] // 2, images.shape[3] // 2)
    changed = images.clone()
    changed[:some, :, :y, x:] = images.roll(1, 0)[:some, :, :y, x:]
    changed[:some, :, y:, :x] = images.roll(2, 0)[:some, :, y:, :x]
    return changed


# ----------------------------------------------------------------------------------- the set


def mixed_in(images: Tensor, foreign: Tensor, share: float) -> Tensor:
    """A share of the images from another data set."""
    some = int(share * len(images))
    return torch.cat([foreign[:some], images[some:]])


def copies(images: Tensor, share: float) -> Tensor:
    """Only that share of the images, over and over."""
    return images[torch.arange(len(images)) % int(share * len(images))]


def _float(images: Tensor) -> Tensor:
    return images.float() / 255


def _uint8(images: Tensor) -> Tensor:
    return images.clamp(0, 1).mul(255).round().to(torch.uint8)


# ---------------------------------------------------------------------------------- the data


def fashion_mnist(data: Path) -> Real:
    """Fashion-MNIST; digits are foreign to it."""
    folder = data / "fashion-mnist"
    return _shuffled(
        _idx(folder / "train-images-idx3-ubyte.gz")[:, None],
        _idx(folder / "train-labels-idx1-ubyte.gz").long(),
        _idx(folder / "t10k-images-idx3-ubyte.gz")[:, None],
        _idx(folder / "t10k-labels-idx1-ubyte.gz").long(),
        _idx(data / "mnist" / "t10k-images-idx3-ubyte.gz")[:, None],
    )


def cifar10(data: Path) -> Real:
    """10 000 images of CIFAR-10, 4 000 as the training split; clothes are foreign to it."""
    folder = data / "cifar10"
    images = torch.cat([_tiles(path) for path in sorted(folder.glob("train_*.webp"))])
    labels = _idx(folder / "train-labels-idx1-ubyte.gz").long()
    clothes = pad(fashion_mnist(data).test, (2, 2, 2, 2)).expand(-1, 3, -1, -1)
    return _shuffled(images[:4000], labels[:4000], images[4000:], labels[4000:10_000], clothes)


def _shuffled(a: Tensor, a_labels: Tensor, b: Tensor, b_labels: Tensor, foreign: Tensor) -> Real:
    rng = torch.Generator().manual_seed(0)
    p, q = (torch.randperm(len(x), generator=rng) for x in (a, b))
    return Real(a[p], a_labels[p], b[q], b_labels[q], foreign)


def _idx(path: Path) -> Tensor:
    """The array of an idx file, images or labels."""
    raw = gzip.decompress(path.read_bytes())
    shape = np.frombuffer(raw, ">i4", count=raw[3], offset=4)
    values = np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3])
    return torch.from_numpy(values.reshape(shape).copy())


def _tiles(path: Path) -> Tensor:
    """The 32×32 images of a mosaic, row by row."""
    sheet = torch.from_numpy(np.array(Image.open(path).convert("RGB")))
    tiles: Tensor = sheet.unflatten(0, (-1, 32)).unflatten(2, (-1, 32)).permute(0, 2, 4, 1, 3)
    return tiles.flatten(0, 1).contiguous()
