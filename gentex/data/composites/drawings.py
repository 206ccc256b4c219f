"""More structures to train on: partitions, coasts, lines and spikes, as `structures` makes them.

They have what a separator must not take for texture: thin lines, ragged outlines, acute corners.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from gentex.data.composites.fields import (
    colours,
    filtered,
    frequencies,
    grid,
    ramp,
    shaded,
    smooth_noise,
    uniform,
)


def mondrian(n: int, h: int, w: int, channels: int, rng: torch.Generator) -> Tensor:
    """Rectangles split again and again (Roy and Teh 2008), turned; one image in two with lines."""
    y, x = grid(2 * h, 2 * w)  # twice the resolution, averaged at the end
    angle = uniform(0, 2 * math.pi, n, 1, 1, rng=rng)
    u = angle.cos() * (x - w) + angle.sin() * (y - h)
    v = angle.cos() * (y - h) - angle.sin() * (x - w)
    reach = math.hypot(h, w)
    ground = ramp(n, 2 * h, 2 * w, channels, rng)
    ink = colours(n, channels, rng)
    drawn = torch.rand(n, 1, 1, generator=rng) < 0.5
    width = uniform(1.5, 6, n, 1, 1, rng=rng)
    # The box that a point lies in shrinks with every split, those of all points at once.
    low = [torch.full((n, 2 * h, 2 * w), -reach) for _ in range(2)]
    high = [torch.full((n, 2 * h, 2 * w), reach) for _ in range(2)]
    for _ in range(7):
        longer = (high[0] - low[0]) < (high[1] - low[1])  # the axis that is split
        share = 0.25 + 0.5 * _of_box(low, high, rng)
        whole = _of_box(low, high, rng) < 0.12  # a box that is not split this time
        for axis, place in enumerate((u, v)):
            here = (longer == bool(axis)) & ~whole & (high[axis] - low[axis] > 16)
            cut = low[axis] + share * (high[axis] - low[axis])
            above = place >= cut
            low[axis] = torch.where(here & above, cut, low[axis])
            high[axis] = torch.where(here & ~above, cut, high[axis])
    light = _of_box(low, high, rng)
    slope = 0.15 * (_of_box(low, high, rng) - 0.5) * (u - low[0]) / reach
    hue = torch.stack([_of_box(low, high, rng) for _ in range(channels)], 1)
    saturation = 0.3 * torch.rand(n, 1, 1, 1, generator=rng)
    boxes = (light + slope)[:, None] + saturation * (hue - hue.mean(1, keepdim=True))
    border = torch.minimum(
        torch.minimum(u - low[0], high[0] - u), torch.minimum(v - low[1], high[1] - v)
    )
    canvas = torch.where(
        (drawn & (border < width / 2))[:, None], ink, ground.lerp(boxes.clamp(0, 1), 0.95)
    )
    return functional.avg_pool2d(canvas, 2)


def coasts(n: int, h: int, w: int, channels: int, rng: torch.Generator) -> Tensor:
    """Level sets of a fractal field: areas with ragged outlines, each shaded."""
    fy, fx = frequencies(2 * h, 2 * w)
    knee = uniform(2, 5, n, 1, 1, rng=rng) / max(2 * h, 2 * w)
    slope = uniform(2.6, 3.6, n, 1, 1, rng=rng)
    response = (fy.square() + fx.square() + knee**2).pow(-slope / 2)
    height = filtered(torch.randn(n, 2 * h, 2 * w, generator=rng), response)
    canvas = ramp(n, 2 * h, 2 * w, channels, rng)
    y, x = grid(2 * h, 2 * w)
    level = torch.full((n, 1, 1), -1.5)
    for _ in range(4):
        level = level + uniform(0.4, 1.4, n, 1, 1, rng=rng)
        land = shaded(colours(n, channels, rng), y / h - 1, x / w - 1, rng)
        canvas = torch.where((height > level)[:, None], land, canvas)
    return functional.avg_pool2d(canvas, 2)


def contours(n: int, h: int, w: int, channels: int, rng: torch.Generator) -> Tensor:
    """Lines of equal height of smooth fields, as thin as on a map, over areas of few tones."""
    canvas = ramp(n, h, w, channels, rng)
    y, x = grid(h, w)
    for _ in range(4):
        length = uniform(0.08, 0.25, n, 1, 1, rng=rng) * min(h, w)
        height = smooth_noise(n, h, w, length, rng)
        steep = torch.stack(torch.gradient(height, dim=(1, 2))).square().sum(0).sqrt()
        distance = (height - uniform(-1, 1, n, 1, 1, rng=rng)) / steep.clamp_min(1e-3)
        area = (0.5 + distance).clamp(0, 1) * (torch.rand(n, 1, 1, generator=rng) < 0.5)
        canvas = canvas.lerp(
            shaded(colours(n, channels, rng), y / h - 0.5, x / w - 0.5, rng), area[:, None]
        )
        width = uniform(0.5, 3, n, 1, 1, rng=rng)
        line = (0.5 + width - distance.abs()).clamp(0, 1)
        canvas = canvas.lerp(colours(n, channels, rng).expand_as(canvas), line[:, None])
    return canvas


def stars(n: int, h: int, w: int, channels: int, rng: torch.Generator) -> Tensor:
    """Stars of three to nine spikes that hide each other, filled or as outlines."""
    y, x = grid(h, w)
    canvas = ramp(n, h, w, channels, rng)
    for _ in range(26):
        cy, cx = uniform(0, h, n, 1, 1, rng=rng), uniform(0, w, n, 1, 1, rng=rng)
        size = min(h, w) * 0.06 * 8 ** uniform(0, 1, n, 1, 1, rng=rng)
        spikes = torch.randint(3, 10, (n, 1, 1), generator=rng)
        depth = uniform(0.2, 0.75, n, 1, 1, rng=rng)
        turn = uniform(0, 2 * math.pi, n, 1, 1, rng=rng)
        dy, dx = y - cy, x - cx
        radius, angle = (dy.square() + dx.square()).sqrt(), torch.atan2(dy, dx) + turn
        # Between the angles of a tip and a notch the outline is the straight line that joins them.
        half = math.pi / spikes
        off = (angle % (2 * half) - half).abs()  # 0 at a notch, `half` at a tip
        notch = size * (1 - depth)
        ny, nx = size * half.sin(), size * half.cos() - notch
        normal = (ny.square() + nx.square()).sqrt()
        inside = (notch * ny - radius * (off.cos() * ny - off.sin() * nx)) / normal
        hollow = torch.rand(n, 1, 1, generator=rng) < 0.3
        rim = uniform(1, 3, n, 1, 1, rng=rng) - inside.abs()
        alpha = (0.5 + torch.where(hollow, rim, inside)).clamp(0, 1)
        star = shaded(colours(n, channels, rng), dy / size, dx / size, rng)
        canvas = canvas.lerp(star, alpha[:, None])
    return canvas


def _of_box(low: list[Tensor], high: list[Tensor], rng: torch.Generator) -> Tensor:
    """A number in [0, 1) for each box, the same at all of its points (n, h, w)."""
    # A hash of the bounds: which boxes there are is not known, only the one at each point.
    bounds = low[0] + 2 * low[1] + 3 * high[0] + 4 * high[1]
    n = len(bounds)
    wave = uniform(40, 90, n, 1, 1, rng=rng) * bounds + uniform(0, 7, n, 1, 1, rng=rng)
    return (wave.double().sin() * 43758.5453).frac().abs().float()
