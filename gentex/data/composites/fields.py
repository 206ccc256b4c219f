"""What the generators of structures and textures share: draws, smooth noise, coordinates, colours.

Every function takes the `torch.Generator` that it draws from; fields are float32 (n, h, w).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def uniform(low: float, high: float, *shape: int, rng: torch.Generator) -> Tensor:
    """Uniform numbers in [low, high)."""
    return low + (high - low) * torch.rand(*shape, generator=rng)


def frequencies(h: int, w: int) -> tuple[Tensor, Tensor]:
    """Vertical (h, 1) and horizontal (1, w // 2 + 1) frequencies of `rfft2`, in cycles a pixel."""
    return torch.fft.fftfreq(h)[:, None], torch.fft.rfftfreq(w)[None]


def filtered(noise: Tensor, response: Tensor) -> Tensor:
    """Noise (n, h, w) through a real, even frequency response, scaled to unit variance."""
    field = torch.fft.irfft2(torch.fft.rfft2(noise) * response, s=noise.shape[-2:])
    return standardized(field)


def standardized(field: Tensor) -> Tensor:
    """Mean 0 and variance 1 over the last two dimensions; a constant field becomes 0."""
    centred = field - field.mean((-2, -1), keepdim=True)
    return centred / centred.square().mean((-2, -1), keepdim=True).sqrt().clamp_min(1e-6)


def smooth_noise(n: int, h: int, w: int, length: Tensor | float, rng: torch.Generator) -> Tensor:
    """Gaussian random fields of unit variance and correlation exp(−r² / 2 length²), r in px."""
    fy, fx = frequencies(h, w)
    response = torch.exp(-((math.pi * length) ** 2) * (fy.square() + fx.square()))
    return filtered(torch.randn(n, h, w, generator=rng), response)


def gaussian_kernel(sigma: float) -> Tensor:
    """A normalised Gaussian of standard deviation `sigma` px, cut at 3 sigma: (2r + 1,)."""
    radius = margin(sigma)
    weights = torch.exp(-torch.arange(-radius, radius + 1).square() / (2 * sigma**2))
    return weights / weights.sum()


def margin(sigma: float) -> int:
    """How far a Gaussian of `sigma` px reaches."""
    return math.ceil(3 * sigma)


def blurred(image: Tensor, sigma: float) -> Tensor:
    """Images (..., h, w) through a Gaussian; mirrored at the border, or as far as they reach."""
    kernel = gaussian_kernel(sigma)
    planes = image.reshape(-1, 1, *image.shape[-2:])
    planes = mirrored(planes, len(kernel) // 2)
    planes = functional.conv2d(planes, kernel[None, None, :, None])
    return functional.conv2d(planes, kernel[None, None, None]).reshape(image.shape)


def mirrored(planes: Tensor, pad: int) -> Tensor:
    """Images (n, c, h, w) continued by `pad` px on each side by reflection, however small."""
    for _ in range(pad // (min(planes.shape[-2:]) - 1) + 1):
        step = min(pad, min(planes.shape[-2:]) - 1)
        planes = functional.pad(planes, [step] * 4, mode="reflect")
        pad -= step
    return planes


def grid(h: int, w: int) -> tuple[Tensor, Tensor]:
    """Pixel coordinates: y (h, 1) and x (1, w)."""
    return torch.arange(h, dtype=torch.float32)[:, None], torch.arange(w, dtype=torch.float32)[None]


def lattice(
    wavelength: Tensor, h: int, w: int, rng: torch.Generator, *, warp: float = 0.3
) -> tuple[Tensor, Tensor]:
    """Coordinates (n, h, w) in units of the wavelength: turned, shifted and gently bent.

    wavelength: (n, 1, 1), in px. warp: the largest standard deviation of the bending, in
        wavelengths; it varies over some six wavelengths.
    """
    n = len(wavelength)
    y, x = grid(h, w)
    angle = uniform(0, 2 * math.pi, n, 1, 1, rng=rng)
    shift = 64 * torch.rand(2, n, 1, 1, generator=rng)
    bend = uniform(0, warp, n, 1, 1, rng=rng)
    u = (angle.cos() * x + angle.sin() * y) / wavelength + shift[0]
    v = (angle.cos() * y - angle.sin() * x) / wavelength + shift[1]
    return (
        u + bend * smooth_noise(n, h, w, 3 * wavelength, rng),
        v + bend * smooth_noise(n, h, w, 3 * wavelength, rng),
    )


def colours(n: int, channels: int, rng: torch.Generator) -> Tensor:
    """Colours (n, channels, 1, 1): any lightness, and a saturation as in photographs."""
    light = uniform(0.02, 0.98, n, 1, 1, 1, rng=rng)
    if channels == 1:
        return light
    chroma = torch.randn(n, channels, 1, 1, generator=rng)
    saturation = 0.2 * torch.rand(n, 1, 1, 1, generator=rng).square()
    return (light + saturation * (chroma - chroma.mean(1, keepdim=True))).clamp(0, 1)


def shaded(colour: Tensor, y: Tensor, x: Tensor, rng: torch.Generator) -> Tensor:
    """A colour (n, c, 1, 1) with a ramp of random slope over y, x in about [-1, 1]."""
    n = len(colour)
    slope = 0.2 * torch.rand(n, 1, 1, generator=rng).square()
    angle = uniform(0, 2 * math.pi, n, 1, 1, rng=rng)
    shade = slope * (angle.cos() * x + angle.sin() * y)
    return (colour + shade[:, None]).clamp(0, 1)


def ramp(n: int, h: int, w: int, channels: int, rng: torch.Generator) -> Tensor:
    """A smooth blend (n, channels, h, w) of nine random colours around one of them."""
    corners = torch.stack([colours(n, channels, rng) for _ in range(9)], -1).view(n, channels, 3, 3)
    spread = torch.rand(n, 1, 1, 1, generator=rng)
    corners = corners[:, :, 1:2, 1:2].lerp(corners, spread)
    return functional.interpolate(corners, (h, w), mode="bilinear", align_corners=True)
