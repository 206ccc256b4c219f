"""The transformations of adaptive discriminator augmentation.

Karras, Aittala, Hellsten, Laine, Lehtinen & Aila 2020, «Training Generative Adversarial Networks
with Limited Data» (arXiv 2006.06676), appendix B: pixel blitting, geometric and colour
transformations, each for each image with probability p. All geometric ones are combined into one
affine map and resampled once, all colour ones into one matrix. Images are resampled bilinearly,
where the paper filters with a wavelet.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample


def adaptive(images: Tensor, p: Tensor) -> Tensor:
    """Images (N, C, H, W) in [-1, 1], each transformation having happened with probability `p`.

    In float32 whatever autocast says: half precision would move pixels by whole places.
    """
    n, channels, height, width = images.shape
    with torch.autocast(images.device.type, enabled=False):
        images = warp(images.float(), geometric(n, height, width, p))
        return recolour(images, *colour(n, channels, p))


def warp(images: Tensor, matrices: Tensor) -> Tensor:
    """Images pulled back through matrices (N, 3, 3): (x, y, 1) in the result to where it came from.

    Coordinates are pixels from the centre of the image; beyond its border it is mirrored.
    """
    _, _, height, width = images.shape
    scale = matrices.new_tensor([width / 2, height / 2, 1])
    unit = matrices * scale / scale[:, None]  # from pixels to the [-1, 1] of grid_sample
    grid = affine_grid(unit[:, :2], list(images.shape), align_corners=False)
    return grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def recolour(images: Tensor, matrices: Tensor, shift: Tensor) -> Tensor:
    """Each pixel's channels times a matrix (N, C, C), plus a shift (N, 1)."""
    return torch.einsum("nij,njhw->nihw", matrices, images) + shift[:, :, None, None]


def geometric(n: int, height: int, width: int, p: Tensor) -> Tensor:
    """Inverse affine maps (n, 3, 3), in the order of the paper: blitting first, then the rest."""
    one, none = p.new_ones(n), p.new_zeros(n)
    matrices = _linear(happens(1 - 2 * torch.randint(0, 2, (n,), device=p.device), one, p), one)
    if height == width:  # other images would not fit their frame after a quarter turn
        quarters = torch.randint(0, 4, (n,), device=p.device)
        matrices = matrices @ _rotation(happens(quarters * (math.pi / 2), none, p))
    matrices = matrices @ _translation(
        happens((uniform(one) * width / 8).round(), none, p),
        happens((uniform(one) * height / 8).round(), none, p),
    )
    size = happens(torch.exp2(torch.randn_like(one) * 0.2), one, p)
    matrices = matrices @ _linear(size, size)
    turn = 1 - (1 - p).sqrt()  # there are two: before and after the stretch
    matrices = matrices @ _rotation(happens(uniform(one) * math.pi, none, turn))
    stretch = happens(torch.exp2(torch.randn_like(one) * 0.2), one, p)
    matrices = matrices @ _linear(stretch, 1 / stretch)
    matrices = matrices @ _rotation(happens(uniform(one) * math.pi, none, turn))
    return matrices @ _translation(
        happens(torch.randn_like(one) * width / 8, none, p),
        happens(torch.randn_like(one) * height / 8, none, p),
    )


def colour(n: int, channels: int, p: Tensor) -> tuple[Tensor, Tensor]:
    """Matrices (n, C, C) and shifts (n, 1): brightness, contrast, luma flip, hue, saturation.

    Hue and saturation are there for three channels only.
    """
    one, none = p.new_ones(n), p.new_zeros(n)
    identity = torch.eye(channels, device=p.device)
    luma = p.new_full((channels, channels), 1 / channels)  # the projection onto grey
    shift = happens(torch.randn_like(one) * 0.2, none, p)
    contrast = happens(torch.exp2(torch.randn_like(one) * 0.5), one, p)
    matrices, shift = contrast[:, None, None] * identity, contrast * shift
    flip = happens(torch.randint(0, 2, (n,), device=p.device).to(p.dtype), none, p)
    matrices = (identity - 2 * flip[:, None, None] * luma) @ matrices
    shift = (1 - 2 * flip) * shift
    if channels == 3:
        angle = happens(uniform(one) * math.pi, none, p)[:, None, None]
        grey = p.new_full((3,), 3**-0.5)
        cross = torch.linalg.cross(identity, grey.expand(3, 3))
        turn = luma + (identity - luma) * angle.cos() + cross * angle.sin()  # Rodrigues
        vivid = happens(torch.exp2(torch.randn_like(one)), one, p)[:, None, None]
        matrices = (luma + (identity - luma) * vivid) @ turn @ matrices
    return matrices, shift[:, None]


def happens(value: Tensor, otherwise: Tensor, p: Tensor) -> Tensor:
    """`value` (N,) where a coin with probability `p` says so, else `otherwise`."""
    return torch.where(torch.rand(len(value), device=p.device) < p, value.to(p.dtype), otherwise)


def uniform(like: Tensor) -> Tensor:
    """Numbers from U(-1, 1), as many as in `like`."""
    return 2 * torch.rand_like(like) - 1


def _linear(x: Tensor, y: Tensor) -> Tensor:
    return torch.diag_embed(torch.stack([x, y, torch.ones_like(x)], dim=1))


def _rotation(angle: Tensor) -> Tensor:
    c, s, o = angle.cos(), angle.sin(), torch.zeros_like(angle)
    return torch.stack([c, -s, o, s, c, o, o, o, o + 1], dim=1).view(-1, 3, 3)


def _translation(x: Tensor, y: Tensor) -> Tensor:
    matrices = torch.eye(3, device=x.device, dtype=x.dtype).repeat(len(x), 1, 1)
    matrices[:, 0, 2], matrices[:, 1, 2] = x, y
    return matrices
