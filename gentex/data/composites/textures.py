"""Procedural textures, one function a family: `(wavelength, h, w, rng) -> (n, h, w)`.

wavelength: (n, 1, 1) float, px: the distance over which the texture roughly repeats. Contrast, mean
and what is slower than the stated scale are settled afterwards (`gentex.data.composites.bank`), so
the fields come in any range.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from gentex.data.composites.fields import (
    filtered,
    frequencies,
    grid,
    lattice,
    smooth_noise,
    uniform,
)

Texture = Callable[[Tensor, int, int, torch.Generator], Tensor]


def gabor(wavelength: Tensor, h: int, w: int, rng: torch.Generator) -> Tensor:
    """Gabor noise: sparse random impulses through one or two oriented bands (Lagae et al. 2009)."""
    n = len(wavelength)
    spread = uniform(0.12, 0.45, n, 1, 1, rng=rng) / wavelength
    angle = uniform(0, math.pi, n, 1, 1, rng=rng)
    second = torch.rand(n, 1, 1, generator=rng).lt(0.5)
    response = _band(h, w, wavelength, angle, spread)
    turned = _band(h, w, wavelength, angle + uniform(0.5, 2.6, n, 1, 1, rng=rng), spread)
    return filtered(_impulses(wavelength, h, w, rng), response + second * turned)


def fbm(wavelength: Tensor, h: int, w: int, rng: torch.Generator) -> Tensor:
    """Fractional Brownian motion, plain, as turbulence |·|, or ridged (Perlin 1985)."""
    n = len(wavelength)
    fy, fx = frequencies(h, w)
    slope = uniform(1.0, 3.0, n, 1, 1, rng=rng)
    response = (fy.square() + fx.square() + wavelength**-2).pow(-slope / 2)
    field = filtered(torch.randn(n, h, w, generator=rng), response)
    kind = torch.randint(3, (n, 1, 1), generator=rng)
    return torch.where(kind == 0, field, torch.where(kind == 1, field.abs(), -field.abs().sqrt()))


def periodic(wavelength: Tensor, h: int, w: int, rng: torch.Generator) -> Tensor:
    """A few random harmonics of an oblique lattice: exactly periodic up to a gentle bending."""
    n = len(wavelength)
    u, v = lattice(wavelength, h, w, rng, warp=0.15)
    v = v * uniform(0.6, 1.2, n, 1, 1, rng=rng) + u * uniform(-0.5, 0.5, n, 1, 1, rng=rng)
    field = torch.zeros(n, h, w)
    for p, q in ((1, 0), (0, 1), (1, 1), (1, -1), (2, 0), (0, 2), (2, 1), (1, 2)):
        weight = torch.randn(n, 1, 1, generator=rng) / (p * p + q * q)
        phase = torch.rand(n, 1, 1, generator=rng)
        field += weight * torch.cos(2 * math.pi * (p * u + q * v + phase))
    return field


def stripes(wavelength: Tensor, h: int, w: int, rng: torch.Generator) -> Tensor:
    """Bands of uneven width and tone that bend, straight like cloth or ringed like wood."""
    n = len(wavelength)
    u, v = lattice(wavelength, h, w, rng, warp=0.6)
    rings = (
        (u - u.mean((1, 2), keepdim=True)) ** 2 + (0.3 * (v - v.mean((1, 2), keepdim=True))) ** 2
    ).sqrt()
    u = torch.where(torch.rand(n, 1, 1, generator=rng) < 0.4, rings, u)
    sharpness = uniform(0.5, 4, n, 1, 1, rng=rng)
    wave = torch.tanh(
        sharpness * (torch.cos(2 * math.pi * u) - uniform(-0.6, 0.6, n, 1, 1, rng=rng))
    )
    return wave * (1 + 0.5 * _toned(u.floor(), torch.zeros_like(u), rng))


def mottle(wavelength: Tensor, h: int, w: int, rng: torch.Generator) -> Tensor:
    """Blotches: isotropic band-pass noise through a soft threshold."""
    n = len(wavelength)
    fy, fx = frequencies(h, w)
    radius = (fy.square() + fx.square()).sqrt()
    width = uniform(0.15, 0.6, n, 1, 1, rng=rng)
    field = filtered(
        torch.randn(n, h, w, generator=rng), torch.exp(-(((radius * wavelength - 1) / width) ** 2))
    )
    gain = uniform(0.5, 5, n, 1, 1, rng=rng)
    return torch.tanh(gain * (field - uniform(-1, 1, n, 1, 1, rng=rng)))


def worley(wavelength: Tensor, h: int, w: int, rng: torch.Generator) -> Tensor:
    """Distances to scattered points: cells, or the cracks between them (Worley 1996)."""
    n = len(wavelength)
    first, second, _ = _points(*lattice(wavelength, h, w, rng), rng)
    cracks = torch.exp(-((second - first) / uniform(0.05, 0.3, n, 1, 1, rng=rng)))
    return torch.where(torch.rand(n, 1, 1, generator=rng) < 0.5, first, cracks)


def grains(wavelength: Tensor, h: int, w: int, rng: torch.Generator) -> Tensor:
    """Packed grains, each with a tone of its own, domed, and lit from one side."""
    n = len(wavelength)
    u, v = lattice(wavelength, h, w, rng)
    first, second, tone = _points(u, v, rng)
    dome = (second - first).clamp(max=0.5).sqrt()
    field = uniform(0, 1, n, 1, 1, rng=rng) * tone + uniform(0.3, 2, n, 1, 1, rng=rng) * dome
    light = uniform(0, 2 * math.pi, n, 1, 1, rng=rng)
    dy, dx = torch.gradient(dome, dim=(1, 2))
    slope = (light.cos() * dx + light.sin() * dy) * wavelength
    return field + uniform(0, 0.6, n, 1, 1, rng=rng) * slope.clamp(-2, 2)


def speckle(wavelength: Tensor, h: int, w: int, rng: torch.Generator) -> Tensor:
    """Scattered dots, soft or hard, light, dark or both."""
    n = len(wavelength)
    fy, fx = frequencies(h, w)
    size = uniform(0.12, 0.3, n, 1, 1, rng=rng) * wavelength
    response = torch.exp(-2 * (math.pi * size) ** 2 * (fy.square() + fx.square()))
    impulses = _impulses(wavelength, h, w, rng)
    impulses = torch.where(torch.rand(n, 1, 1, generator=rng) < 0.5, impulses.abs(), impulses)
    field = filtered(impulses, response)
    hard = torch.tanh(3 * (field - 1)) + torch.tanh(3 * (field + 1))
    return torch.where(torch.rand(n, 1, 1, generator=rng) < 0.5, hard, field)


def hatch(wavelength: Tensor, h: int, w: int, rng: torch.Generator) -> Tensor:
    """Scattered strokes in one direction, or crossed in two."""
    n = len(wavelength)
    angle = uniform(0, math.pi, n, 1, 1, rng=rng)
    crossing = uniform(0.6, 2.5, n, 1, 1, rng=rng)
    length = uniform(0.8, 3, n, 1, 1, rng=rng) * wavelength
    field = torch.zeros(n, h, w)
    crossed = torch.rand(n, 1, 1, generator=rng).lt(0.5).float()
    for turn, share in ((angle, torch.ones(n, 1, 1)), (angle + crossing, crossed)):
        response = _stroke(h, w, turn, length, 0.12 * wavelength)
        field += share * filtered(_impulses(wavelength / 2, h, w, rng), response)
    return torch.where(torch.rand(n, 1, 1, generator=rng) < 0.3, field.abs(), field)


def tiling(wavelength: Tensor, h: int, w: int, rng: torch.Generator) -> Tensor:
    """Regular tiles with toned faces: chequers, hexagons, round studs or diamonds with joints."""
    n = len(wavelength)
    u, v = lattice(wavelength, h, w, rng, warp=0.2)
    edge = 4 * wavelength / 3  # a transition of about a pixel and a half, whatever the scale
    a, b = u - u.round(), v - v.round()
    tone = _toned(u.round(), v.round(), rng)
    parity = 1 - 2 * ((u.round() + v.round()) % 2)
    chequers = parity * torch.tanh(edge * (0.5 - a.abs())) * torch.tanh(edge * (0.5 - b.abs()))
    studs = torch.tanh(edge * (uniform(0.2, 0.42, n, 1, 1, rng=rng) - (a * a + b * b).sqrt()))
    diamonds = torch.tanh(edge * (uniform(0.3, 0.47, n, 1, 1, rng=rng) - (a.abs() + b.abs()) / 2))
    # Hexagons: the nearer centre of the two rectangular lattices that make up a triangular one.
    v3 = v / math.sqrt(3)
    p = (a, (v3 - v3.round()) * math.sqrt(3))
    q = (u - u.floor() - 0.5, (v3 - v3.floor() - 0.5) * math.sqrt(3))
    near = (p[0] ** 2 + p[1] ** 2) < (q[0] ** 2 + q[1] ** 2)
    x, y = torch.where(near, p[0], q[0]).abs(), torch.where(near, p[1], q[1]).abs()
    hexagons = torch.tanh(edge * (0.44 - torch.maximum(x, x / 2 + y * math.sqrt(3) / 2)))
    kind = torch.randint(4, (n, 1, 1), generator=rng)
    field = torch.where(kind == 0, chequers, torch.where(kind == 1, hexagons, studs))
    field = torch.where(kind == 3, diamonds, field)
    return field * (1 + uniform(0, 0.5, n, 1, 1, rng=rng) * tone)


def woven(wavelength: Tensor, h: int, w: int, rng: torch.Generator) -> Tensor:
    """Cloth: round threads of two tones that pass over and under, in plain weave or twill."""
    n = len(wavelength)
    u, v = lattice(wavelength / 2, h, w, rng, warp=0.15)
    i, j = u.floor(), v.floor()
    a, b = u - i - 0.5, v - j - 0.5
    period = torch.randint(2, 5, (n, 1, 1), generator=rng)  # 2 is plain weave, more are twills
    over = (i + j) % period < (period + 1) // 2
    warp = torch.cos(math.pi * a) * (0.7 + 0.3 * torch.cos(math.pi * b))
    weft = torch.cos(math.pi * b) * (0.7 + 0.3 * torch.cos(math.pi * a))
    tones = uniform(0.5, 1, 2, n, 1, 1, rng=rng)
    uneven = 1 + 0.15 * _toned(torch.where(over, i, j), over.float(), rng)
    return torch.where(over, tones[0] * warp, tones[1] * weft) * uneven


def reaction_diffusion(wavelength: Tensor, h: int, w: int, rng: torch.Generator) -> Tensor:
    """Spots, stripes and labyrinths of short activation and long inhibition (Young 1984)."""
    n = len(wavelength)
    fy, fx = frequencies(h, w)
    angle, stretch = uniform(0, math.pi, n, 1, 1, rng=rng), uniform(1, 1.5, n, 1, 1, rng=rng)
    along, across = angle.cos() * fx + angle.sin() * fy, angle.cos() * fy - angle.sin() * fx
    radius2 = (along.square() + (stretch * across).square()) * wavelength**2
    activator, inhibitor = torch.exp(-0.49 * radius2), torch.exp(-1.78 * radius2)
    bias = uniform(-0.45, 0.45, n, 1, 1, rng=rng)
    field = 0.1 * torch.randn(n, h, w, generator=rng)
    for _ in range(24):
        drive = torch.fft.irfft2(torch.fft.rfft2(field) * (activator - inhibitor), s=(h, w))
        field = torch.tanh(6 * drive + bias)
    return field


def flow(wavelength: Tensor, h: int, w: int, rng: torch.Generator) -> Tensor:
    """Fur: noise smeared along a smooth vector field (line integrals, Cabral and Leedom 1993)."""
    n = len(wavelength)
    noise = smooth_noise(n, h, w, wavelength / 6, rng)[:, None]
    turn = uniform(0, 2 * math.pi, n, 1, 1, rng=rng) + 0.8 * smooth_noise(n, h, w, h / 4, rng)
    field = torch.stack([turn.cos(), turn.sin()], 1)
    y, x = grid(h, w)
    total = torch.zeros(n, h, w)
    for sign in (1, -1):
        px, py = x.expand(n, h, w), y.expand(n, h, w)
        for _ in range(8):
            total += _at(noise, px, py)[:, 0]
            step = _at(field, px, py) * sign * wavelength[:, None] / 4
            px, py = px + step[:, 0], py + step[:, 1]
    return total


def _band(h: int, w: int, wavelength: Tensor, angle: Tensor, spread: Tensor) -> Tensor:
    """A Gaussian of width `spread` around the frequency 1 / wavelength at `angle`, made even."""
    fy, fx = frequencies(h, w)
    cy, cx = angle.sin() / wavelength, angle.cos() / wavelength
    bumps = [
        torch.exp(-((fy - s * cy).square() + (fx - s * cx).square()) / (2 * spread**2))
        for s in (1, -1)
    ]
    return bumps[0] + bumps[1]


def _stroke(h: int, w: int, angle: Tensor, length: Tensor, width: Tensor) -> Tensor:
    """The response of a Gaussian stroke of this length and width (standard deviations, px)."""
    fy, fx = frequencies(h, w)
    along, across = angle.cos() * fx + angle.sin() * fy, angle.cos() * fy - angle.sin() * fx
    squares = (length * along).square() + (width * across).square()
    return torch.exp(-2 * math.pi**2 * squares)


def _impulses(wavelength: Tensor, h: int, w: int, rng: torch.Generator) -> Tensor:
    """About one impulse of random sign and height in every square of a wavelength."""
    n = len(wavelength)
    there = torch.rand(n, h, w, generator=rng) < wavelength.clamp_min(1.2) ** -2
    return there * torch.randn(n, h, w, generator=rng)


_PERIOD = 32  # cells after which the tables below repeat


def _look_up(table: Tensor, i: Tensor, j: Tensor) -> Tensor:
    """Values (n, h, w) of a (n, 32, 32) table at integer cells, periodically."""
    index = (i.long() % _PERIOD) * _PERIOD + j.long() % _PERIOD
    return table.flatten(1).gather(1, index.flatten(1)).reshape(i.shape)


def _toned(i: Tensor, j: Tensor, rng: torch.Generator) -> Tensor:
    """A random tone in [-1, 1) for every integer cell (i, j)."""
    return _look_up(uniform(-1, 1, len(i), _PERIOD, _PERIOD, rng=rng), i, j)


def _points(u: Tensor, v: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Distances to the nearest and second nearest of jittered points, and the nearest's tone."""
    n = len(u)
    jitter = uniform(0.4, 1, n, 1, 1, rng=rng)
    offset_u, offset_v = (
        0.5 + jitter * uniform(-0.5, 0.5, n, _PERIOD, _PERIOD, rng=rng) for _ in range(2)
    )
    tones = uniform(-1, 1, n, _PERIOD, _PERIOD, rng=rng)
    first, second = torch.full_like(u, 9.0), torch.full_like(u, 9.0)
    tone = torch.zeros_like(u)
    for di in (-1, 0, 1):
        for dj in (-1, 0, 1):
            i, j = u.floor() + di, v.floor() + dj
            du, dv = i + _look_up(offset_u, i, j) - u, j + _look_up(offset_v, i, j) - v
            distance = (du.square() + dv.square()).sqrt()
            nearer = distance < first
            second = torch.where(nearer, first, torch.minimum(second, distance))
            tone = torch.where(nearer, _look_up(tones, i, j), tone)
            first = torch.where(nearer, distance, first)
    return first, second, tone


def _at(planes: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Values of (n, c, h, w) planes at positions (n, h, w) in px, mirrored outside."""
    h, w = planes.shape[-2:]
    position = torch.stack([(2 * x + 1) / w - 1, (2 * y + 1) / h - 1], -1)
    return functional.grid_sample(planes, position, padding_mode="reflection", align_corners=False)


TEXTURES: dict[str, dict[str, Texture]] = {
    "train": {
        "gabor": gabor,
        "fbm": fbm,
        "periodic": periodic,
        "stripes": stripes,
        "mottle": mottle,
        "worley": worley,
        "grains": grains,
        "speckle": speckle,
        "hatch": hatch,
        "tiling": tiling,
    },
    "test": {"woven": woven, "reaction-diffusion": reaction_diffusion, "flow": flow},
}
"""The families of each split; none is in both."""
