"""What the separators are built of: differences, cosine transforms, blurs and borders.

All operators take images (..., H, W) of any size from 1×1 and continue them beyond their borders by
half-sample symmetric reflection (c b a | a b c | c b a), as the cosine transform does.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor


def gradient(u: Tensor) -> tuple[Tensor, Tensor]:
    """Forward differences (∂ₓu, ∂ᵧu); zero in the last column and the last row."""
    across, down = torch.zeros_like(u), torch.zeros_like(u)
    torch.sub(u[..., 1:], u[..., :-1], out=across[..., :-1])
    torch.sub(u[..., 1:, :], u[..., :-1, :], out=down[..., :-1, :])
    return across, down


def divergence(across: Tensor, down: Tensor) -> Tensor:
    """The negative adjoint of `gradient`: ⟨∇u, p⟩ = −⟨u, div p⟩ for every u and p.

    What `across` holds in its last column and `down` in its last row does not count.
    """
    result = torch.zeros_like(across)
    result[..., :-1] += across[..., :-1]
    result[..., 1:] -= across[..., :-1]
    result[..., :-1, :] += down[..., :-1, :]
    result[..., 1:, :] -= down[..., :-1, :]
    return result


def laplacian_eigenvalues(like: Tensor) -> Tensor:
    """Eigenvalues (H, W) of −div ∇ on images of that size, in the order of `dct2`."""

    def along(n: int) -> Tensor:
        k = torch.arange(n, dtype=torch.float64)  # on the CPU: not every device has float64
        return (2 - 2 * torch.cos(math.pi / n * k)).to(like)

    return along(like.shape[-2])[:, None] + along(like.shape[-1])


def dct2(x: Tensor) -> Tensor:
    """Two-dimensional cosine transform (type II, not normalised) of the last two dimensions.

    It diagonalises −div ∇; `idct2` inverts it. By one real Fourier transform of the same length a
    dimension: Makhoul, «A fast cosine transform in one and two dimensions», 1980.
    """
    return _dct(_dct(x).mT).mT if x.numel() else x.clone()  # MKL fails on no images


def idct2(x: Tensor) -> Tensor:
    """The inverse of `dct2`."""
    return _idct(_idct(x).mT).mT if x.numel() else x.clone()


def _twiddles(n: int, like: Tensor) -> Tensor:
    """exp(−iπk / 2n) for k = 0 … n/2."""
    angle = torch.arange(n // 2 + 1, dtype=torch.float64) * (-math.pi / (2 * n))
    factor = torch.polar(torch.ones_like(angle), angle)
    return factor.to(like.device, torch.promote_types(like.dtype, torch.complex64))


def _dct(x: Tensor) -> Tensor:
    n = x.shape[-1]
    reordered = torch.cat((x[..., ::2], x[..., 1::2].flip(-1)), -1)
    z = torch.fft.rfft(reordered).mul_(_twiddles(n, x))
    return torch.cat((z.real, -z.imag[..., 1 : (n + 1) // 2].flip(-1)), -1)


def _idct(x: Tensor) -> Tensor:
    n = x.shape[-1]
    z = x.new_zeros((*x.shape[:-1], n // 2 + 1), dtype=_twiddles(1, x).dtype)
    z.real.copy_(x[..., : n // 2 + 1])
    z.imag[..., 1:] = -x[..., n - n // 2 :].flip(-1)
    reordered = torch.fft.irfft(z.mul_(_twiddles(n, x).conj()), n=n)
    result = torch.empty_like(x)
    half = (n + 1) // 2
    result[..., ::2] = reordered[..., :half]
    result[..., 1::2] = reordered[..., half:].flip(-1)
    return result


def pad(x: Tensor, radius: int) -> Tensor:
    """Continued by `radius` pixels on every side; the radius may exceed the image."""

    def reflected(n: int) -> Tensor:
        index = torch.arange(-radius, n + radius, device=x.device) % (2 * n)
        return torch.minimum(index, 2 * n - 1 - index)

    return x.index_select(-2, reflected(x.shape[-2])).index_select(-1, reflected(x.shape[-1]))


def gaussian_blur(x: Tensor, sigma: float) -> Tensor:
    """Convolved with a Gaussian of standard deviation `sigma` pixels, cut off at 4 sigma."""
    radius = max(1, math.ceil(4 * sigma))
    taps = [math.exp(-0.5 * (k / sigma) ** 2) for k in range(-radius, radius + 1)]
    total = math.fsum(taps)
    x = pad(x, radius)
    for dim in (-1, -2):
        x = _convolved(x, [tap / total for tap in taps], dim)
    return x


def _convolved(x: Tensor, taps: list[float], dim: int) -> Tensor:
    # Shifted sums: `conv2d` may first copy a one-channel image into blocks of 8 or 16 channels.
    size = x.shape[dim] - len(taps) + 1
    result = x.narrow(dim, 0, size) * taps[0]
    for shift, tap in enumerate(taps[1:], 1):
        result.add_(x.narrow(dim, shift, size), alpha=tap)
    return result


def window_mean(x: Tensor, radius: int) -> Tensor:
    """Means over windows of (2 `radius` + 1)² pixels: (..., H + 2r, W + 2r) to (..., H, W)."""
    side = 2 * radius + 1
    return _window_sum(_window_sum(x, side, -1), side, -2).div_(side * side)


def _window_sum(x: Tensor, side: int, dim: int) -> Tensor:
    # Sums of 1, 2, 4, ... neighbours, of which the binary digits of `side` say which to add: as
    # cheap as running sums for the windows in use, and without their cancellation.
    out = x.shape[dim] - side + 1
    total = torch.zeros_like(x.narrow(dim, 0, out))
    offset, power = 0, 1
    while True:
        if side & power:
            total.add_(x.narrow(dim, offset, out))
            offset += power
        if 2 * power > side:
            return total
        size = x.shape[dim] - power
        x = x.narrow(dim, 0, size) + x.narrow(dim, power, size)
        power *= 2


def group_size(images: Tensor) -> int:
    """How many of the images to work on at once: one on the CPU, for its caches, or all."""
    return 1 if images.device.type == "cpu" else max(1, len(images))


def in_bands(
    filtered: Callable[..., Tensor], *inputs: Tensor, radius: int, pixels: int = 1 << 16
) -> Tensor:
    """A local filter of images (N, C, H, W), applied to one horizontal band after the other.

    On the CPU also image by image: what the filter needs besides its inputs then fits the cache.
    Nowhere does that memory grow with the height of the image.

    filtered: takes `inputs` continued by `radius` on every side, (n, C, h + 2r, W + 2r), and gives
        (n, C, h, W) of the first.
    pixels: about how many pixels a band holds on the CPU; on a GPU 256 times as many.
    """
    height, width = inputs[0].shape[-2:]
    group = group_size(inputs[0])
    if inputs[0].device.type != "cpu":
        pixels *= 256
    rows = max(1, pixels // (group * (width + 2 * radius)))
    result = torch.empty_like(inputs[0], memory_format=torch.contiguous_format)
    for first in range(0, len(inputs[0]), group):
        padded = [pad(x[first : first + group], radius) for x in inputs]
        for top in range(0, height, rows):
            bottom = min(top + rows, height)
            bands = [x[..., top : bottom + 2 * radius, :] for x in padded]
            result[first : first + group, :, top:bottom] = filtered(*bands)
    return result
