"""Separation of images too large to be separated whole."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor

from gentex.errors import HyperparameterError
from gentex.interfaces import Layers, Separator

ALIGNMENT = 16
"""Tiles begin at multiples of so many pixels: networks that halve their maps look at blocks."""


def separate_tiled(
    separator: Separator, image: Tensor, *, tile: int = 1024, overlap: int = 64
) -> Layers:
    """Layers of images (N, C, H, W), separated tile by tile and blended without seams.

    Each tile is separated where the separator lives; image and layers stay where the image is, so
    that a GPU needs memory for one tile only. For a method that looks no further than `overlap` / 4
    pixels the result is that of the whole image; others differ by what they carry further.

    tile: side of the tiles, pixels, the last up to 15 less; images no larger are separated whole.
    overlap: by how much neighbouring tiles overlap at least, pixels, less than `tile`. The outer
        quarter of it is thrown away on each side, the middle half is blended smoothly.
    Raises HyperparameterError for other values.
    """
    if not 0 <= overlap < tile:
        raise HyperparameterError(f"tile={tile}, overlap={overlap}: allowed are 0 ≤ overlap < tile")
    dtype = torch.promote_types(image.dtype, torch.float32)
    structure = torch.zeros_like(image, dtype=dtype, memory_format=torch.contiguous_format)
    height, width = image.shape[-2:]
    with torch.no_grad():
        for (rows, fade_rows), (columns, fade_columns) in itertools.product(
            _tiles(height, tile, overlap), _tiles(width, tile, overlap)
        ):
            part = image[..., rows, columns].to(separator.device)
            found = separator.separate(part).structure.to(structure)
            fade = (fade_rows[:, None] * fade_columns).to(structure)
            structure[..., rows, columns] += found * fade
    return Layers(structure, image.to(dtype) - structure)


def _tiles(size: int, tile: int, overlap: int) -> list[tuple[slice, Tensor]]:
    """Where the tiles lie along one side, with their weights, which add up to one everywhere."""
    align = ALIGNMENT if tile - overlap >= ALIGNMENT else 1
    steps, longest = math.ceil(max(size - tile, 0) / align), (tile - overlap) // align
    count = math.ceil(steps / longest)  # tiles after the first
    starts = [(2 * i * steps + count) // max(2 * count, 1) * align for i in range(count + 1)]
    places = [slice(start, min(start + tile, size)) for start in starts]
    weights = [torch.ones(place.stop - place.start, dtype=torch.float64) for place in places]
    for (one, before), (other, after) in itertools.pairwise(zip(places, weights, strict=True)):
        shared = one.stop - other.start
        inside = torch.arange(shared, dtype=torch.float64) + 0.5  # how far from its start
        rise = ((inside - shared / 4) / max(shared / 2, 1)).clamp(0, 1)
        rise = torch.sin(math.pi / 2 * rise).square()
        before[len(before) - shared :] *= rise.flip(0)
        after[:shared] *= rise
    total = torch.zeros(size, dtype=torch.float64)
    for place, weight in zip(places, weights, strict=True):
        total[place] += weight
    return [(place, weight / total[place]) for place, weight in zip(places, weights, strict=True)]
