"""Putting a structure and a texture together so that nothing is clipped and the truth is exact.

The texture is scaled as a whole, never bent; the structure is then compressed, as a whole, into the
room that the texture's extremes leave. So structure + texture lies in [0, 1] by construction, and
the image is defined as their float32 sum.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gentex.data.composites.draws import Draws
from gentex.interfaces import Layers

HEADROOM = 0.3
"""The largest texture value, either way: at least 0.4 of the range remains to the structure."""


def compose(
    structure: Tensor, fields: Tensor, region: Tensor, amplitude: tuple[float, float], draw: Draws
) -> Layers:
    """Layers (n, c, h, w) out of a structure (n, c, h, w) in [0, 1] and two texture fields.

    fields: (2, n, 1, h, w). Six images in ten have the first all over; the others have the first
        within regions and in half of them the second outside. Regions are level sets of `region`
        (n, 1, h, w), or of the structure's own lightness, so that they end at its edges.
    amplitude: range of the texture's root mean square where it is; less where `HEADROOM` bounds it.

    The texture of each region has mean zero in every channel.
    """
    channels = structure.shape[1]
    inside = _regions(structure, region, draw)
    everywhere, second = _column(draw() < 0.6), _column(draw() < 0.5)
    weights = (
        torch.where(everywhere, 1.0, inside),
        torch.where(everywhere | ~second, 0.0, 1 - inside),
    )
    texture = torch.zeros_like(structure)
    for field, weight in zip(fields, weights, strict=True):
        coloured = _coloured(field, channels, draw)
        texture += _column(draw(*amplitude)) * _normalized(coloured, weight)
    peak = texture.abs().amax((1, 2, 3), keepdim=True)
    texture *= (HEADROOM / peak.clamp_min(1e-6)).clamp(max=1)
    return fitted(_contrasted(structure, draw), texture)


def fitted(structure: Tensor, texture: Tensor) -> Layers:
    """The structure compressed, image by image, so that the sum stays within [0, 1]."""
    spare = 1e-6  # more than the rounding of what follows
    low = spare - texture.amin((1, 2, 3), keepdim=True)
    high = spare + texture.amax((1, 2, 3), keepdim=True)
    return Layers(low + (1 - low - high) * structure, texture)


def _regions(structure: Tensor, region: Tensor, draw: Draws) -> Tensor:
    """Soft masks (n, 1, h, w) in [0, 1] of areas that take up a fair part of the image."""
    light = structure.mean(1, keepdim=True)
    light = (light - light.mean((2, 3), keepdim=True)) / light.std((2, 3), keepdim=True).clamp_min(
        0.02
    )
    own = _column(draw() < 0.4)
    level, softness = _column(draw(-0.5, 0.5)), _column(draw(0.02, 0.15))
    return torch.sigmoid((torch.where(own, light, region) - level) / softness)


def _coloured(field: Tensor, channels: int, draw: Draws) -> Tensor:
    """A field (n, 1, h, w) in colour: mostly lightness, in part with a hue that varies over it."""
    if channels == 1:
        return field
    tint = torch.stack([draw(0.7, 1.3) for _ in range(channels)], 1)[:, :, None, None]
    hue = torch.stack([draw(-1, 1) for _ in range(channels)], 1)[:, :, None, None]
    hue = hue - hue.mean(1, keepdim=True)
    coloured, only = _column(draw() < 0.5), _column(draw() < 0.1)
    chroma = torch.where(coloured, _column(draw(0, 0.8)), 0.0)
    # Turned by half, the field is its own stranger: chroma with the same statistics, elsewhere.
    varied = tint * field + chroma * hue * field.flip(2, 3)
    return torch.where(only, hue * field, varied)


def _normalized(texture: Tensor, weight: Tensor) -> Tensor:
    """A texture times a weight (n, 1, h, w): mean 0 in every channel, RMS 1 in that region."""
    area = weight.sum((2, 3), keepdim=True).clamp_min(1)
    texture = weight * (texture - (weight * texture).sum((2, 3), keepdim=True) / area)
    power = texture.square().mean(1, keepdim=True).sum((2, 3), keepdim=True) / area
    return texture / power.sqrt().clamp_min(1e-6)


def _contrasted(structure: Tensor, draw: Draws) -> Tensor:
    """A structure at 0.75 to 1 of its contrast, anywhere in the range that this leaves."""
    contrast = _column(draw(0.75, 1))
    return contrast * structure + (1 - contrast) * _column(draw())


def _column(values: Tensor) -> Tensor:
    return values[:, None, None, None]
