"""Structures, one function a family: `(n, h, w, channels, rng) -> (n, channels, h, w)` in [0, 1].

Flat or gently shaded areas that end at sharp, antialiased edges, and nothing that repeats finely.
Cartoons of photographs are in `gentex.data.composites.cartoons`, more drawings in `drawings`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from gentex.data.composites import cartoons, drawings
from gentex.data.composites.fields import colours, grid, ramp, shaded, smooth_noise, uniform

Structure = Callable[[int, int, int, int, torch.Generator], Tensor]


def dead_leaves(n: int, h: int, w: int, channels: int, rng: torch.Generator) -> Tensor:
    """Lobed leaves that hide each other, radii by the scale-invariant law r⁻³ (Lee et al. 2001)."""
    canvas = colours(n, channels, rng).expand(-1, -1, h, w).clone()
    smallest = float(uniform(5, 14, 1, rng=rng))
    largest = max(min(h, w) / 2.5, 1.5 * smallest)
    # A mean leaf covers 2π r₀² ln(r₁ / r₀); three layers of leaves hide nearly all background.
    count = 3 * h * w / (2 * math.pi * smallest**2 * math.log(largest / smallest))
    share = torch.rand(max(8, math.ceil(count)), generator=rng)
    radii = (smallest**-2 - share * (smallest**-2 - largest**-2)).rsqrt()
    for radius in radii.tolist():
        half = math.ceil(1.6 * radius) + 1
        y, x = grid(2 * half, 2 * half)
        y, x = y - half + 0.5, x - half + 0.5
        angle = torch.atan2(y, x)
        outline = torch.ones(n, 1, 1)
        for lobes in (2, 3, 5):
            size = uniform(0, 0.5 / lobes, n, 1, 1, rng=rng)
            phase = uniform(0, 2 * math.pi, n, 1, 1, rng=rng)
            outline = outline + size * torch.cos(lobes * angle + phase)
        alpha = (0.5 + radius * outline - (x * x + y * y).sqrt()).clamp(0, 1)
        leaf = shaded(colours(n, channels, rng), y / radius, x / radius, rng)
        top = (uniform(-half, h - half, n, rng=rng)).long().tolist()
        left = (uniform(-half, w - half, n, rng=rng)).long().tolist()
        for i in range(n):
            rows = slice(max(top[i], 0), min(top[i] + 2 * half, h))
            columns = slice(max(left[i], 0), min(left[i] + 2 * half, w))
            inside = (
                slice(rows.start - top[i], rows.stop - top[i]),
                slice(columns.start - left[i], columns.stop - left[i]),
            )
            canvas[i, :, rows, columns].lerp_(leaf[i][:, *inside], alpha[i][inside])
    return canvas


def ramps(n: int, h: int, w: int, channels: int, rng: torch.Generator) -> Tensor:
    """Shading ramps that meet along a few straight and curved edges."""
    y, x = grid(h, w)
    canvas = ramp(n, h, w, channels, rng)
    for _ in range(9):
        angle = uniform(0, 2 * math.pi, n, 1, 1, rng=rng)
        across = angle.cos() * (x - w / 2) + angle.sin() * (y - h / 2)
        bow = uniform(0, 8, n, 1, 1, rng=rng) * smooth_noise(n, h, w, min(h, w) / 5, rng)
        alpha = (0.5 + across + bow - uniform(-0.1, 0.7, n, 1, 1, rng=rng) * max(h, w) / 2).clamp(
            0, 1
        )
        canvas = canvas.lerp(ramp(n, h, w, channels, rng), alpha[:, None])
    return canvas


def islands(n: int, h: int, w: int, channels: int, rng: torch.Generator) -> Tensor:
    """Level sets of a smooth random field, like a map coloured by height, shaded by another."""
    length = uniform(0.05, 0.13, n, 1, 1, rng=rng) * min(h, w)
    height = smooth_noise(n, h, w, length, rng)
    height = functional.interpolate(height[:, None], scale_factor=2, mode="bicubic")[:, 0]
    canvas = colours(n, channels, rng).expand(-1, -1, 2 * h, 2 * w)
    level = torch.full((n, 1, 1), -1.8)
    for _ in range(5):
        level = level + uniform(0.3, 1.2, n, 1, 1, rng=rng)
        canvas = torch.where((height > level)[:, None], colours(n, channels, rng), canvas)
    shade = 0.1 * smooth_noise(n, h, w, min(h, w) / 3, rng)
    shade = shade * torch.rand(n, 1, 1, generator=rng)
    return (functional.avg_pool2d(canvas, 2) + shade[:, None]).clamp(0, 1)


def polygons(n: int, h: int, w: int, channels: int, rng: torch.Generator) -> Tensor:
    """Triangles, boxes and thin bars of any direction that hide each other."""
    y, x = grid(h, w)
    canvas = ramp(n, h, w, channels, rng)
    for _ in range(30):
        cy, cx = uniform(0, h, n, 1, 1, rng=rng), uniform(0, w, n, 1, 1, rng=rng)
        angle = uniform(0, 2 * math.pi, n, 1, 1, rng=rng)
        size = min(h, w) * uniform(0.05, 0.25, n, 1, 1, rng=rng)
        thin = torch.rand(n, 1, 1, generator=rng) < 0.4
        width = torch.where(
            thin, uniform(1.2, 4, n, 1, 1, rng=rng), size * uniform(0.3, 1, n, 1, 1, rng=rng)
        )
        sides = torch.where(torch.rand(n, 1, 1, generator=rng) < 0.6, math.pi / 2, 2 * math.pi / 3)
        inside = torch.full((n, h, w), math.inf)
        for side in range(4):
            turn = angle + side * sides
            across = turn.cos() * (x - cx) + turn.sin() * (y - cy)
            inside = torch.minimum(inside, (width if side % 2 else size) - across)
        shape = shaded(colours(n, channels, rng), (y - cy) / size, (x - cx) / size, rng)
        canvas = canvas.lerp(shape, (0.5 + inside).clamp(0, 1)[:, None])
    return canvas


def voronoi(n: int, h: int, w: int, channels: int, rng: torch.Generator) -> Tensor:
    """Voronoi cells of a ramp each, one image in three with drawn borders."""
    cells = 24
    y, x = grid(2 * h, 2 * w)  # twice the resolution, averaged at the end
    py = 2 * h * uniform(-0.1, 1.1, cells, n, 1, 1, rng=rng)
    px = 2 * w * uniform(-0.1, 1.1, cells, n, 1, 1, rng=rng)
    first, second = torch.full((n, 2 * h, 2 * w), math.inf), torch.full((n, 2 * h, 2 * w), math.inf)
    canvas = torch.zeros(n, channels, 2 * h, 2 * w)
    for cell in range(cells):
        distance = ((y - py[cell]).square() + (x - px[cell]).square()).sqrt()
        nearer = distance < first
        second = torch.where(nearer, first, torch.minimum(second, distance))
        first = torch.where(nearer, distance, first)
        colour = shaded(colours(n, channels, rng), (y - py[cell]) / h, (x - px[cell]) / h, rng)
        canvas = torch.where(nearer[:, None], colour, canvas)
    drawn = torch.rand(n, 1, 1, generator=rng) < 1 / 3
    width = uniform(3, 8, n, 1, 1, rng=rng)
    border = drawn & (second - first < width)
    canvas = torch.where(border[:, None], colours(n, channels, rng), canvas)
    return functional.avg_pool2d(canvas, 2)


def discs_and_curves(n: int, h: int, w: int, channels: int, rng: torch.Generator) -> Tensor:
    """Shaded discs under and over curved strokes of even width."""
    y, x = grid(h, w)
    canvas = ramp(n, h, w, channels, rng)
    for layer in range(12):
        cy, cx = uniform(0, h, n, 1, 1, rng=rng), uniform(0, w, n, 1, 1, rng=rng)
        radius = min(h, w) * uniform(0.05, 0.28, n, 1, 1, rng=rng)
        distance = ((y - cy).square() + (x - cx).square()).sqrt()
        disc = shaded(colours(n, channels, rng), (y - cy) / radius, (x - cx) / radius, rng)
        canvas = canvas.lerp(disc, (0.5 + radius - distance).clamp(0, 1)[:, None])
        if layer % 3 == 2:
            width = uniform(0.8, 3.5, n, 1, 1, rng=rng)
            alpha = (0.5 + width - _curve_distance(n, h, w, rng)).clamp(0, 1)
            canvas = canvas.lerp(colours(n, channels, rng).expand_as(canvas), alpha[:, None])
    return canvas


def _curve_distance(n: int, h: int, w: int, rng: torch.Generator) -> Tensor:
    """Distances (n, h, w) to a random cubic Bézier curve, as a chain of 24 segments."""
    y, x = grid(h, w)
    control = uniform(-0.2, 1.2, 4, 2, n, 1, 1, rng=rng) * torch.tensor([h, w]).view(2, 1, 1, 1)
    nearest = torch.full((n, h, w), math.inf)
    points = []
    for t in torch.linspace(0, 1, 25).tolist():
        s = 1 - t
        weights = torch.tensor([s**3, 3 * s * s * t, 3 * s * t * t, t**3])
        points.append((weights.view(4, 1, 1, 1, 1) * control).sum(0))
    for (ay, ax), (by, bx) in itertools.pairwise(points):
        dy, dx = by - ay, bx - ax
        along = ((y - ay) * dy + (x - ax) * dx) / (dy * dy + dx * dx).clamp_min(1e-6)
        along = along.clamp(0, 1)
        squared = (y - ay - along * dy).square() + (x - ax - along * dx).square()
        nearest = torch.minimum(nearest, squared)
    return nearest.sqrt()


STRUCTURES: dict[str, dict[str, Structure]] = {
    "train": {
        "dead-leaves": dead_leaves,
        "ramps": ramps,
        "islands": islands,
        "polygons": polygons,
        "mondrian": drawings.mondrian,
        "coasts": drawings.coasts,
        "contours": drawings.contours,
        "stars": drawings.stars,
        "kuwahara-cartoons": cartoons.kuwahara_cartoons,
    },
    "test": {
        "voronoi": voronoi,
        "discs-and-curves": discs_and_curves,
        "segment-cartoons": cartoons.segment_cartoons,
    },
}
"""The families of each split; none is in both."""
