import numpy as np
import pytest
import scipy.fft
import scipy.ndimage
import torch
from gentex_separation.operators import (
    dct2,
    divergence,
    gaussian_blur,
    gradient,
    idct2,
    in_bands,
    laplacian_eigenvalues,
    pad,
    window_mean,
)
from gentex_separation.total_variation import Field, halved, slope
from hypothesis import given
from hypothesis import strategies as st

sides = st.integers(1, 17)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(*shape, generator=generator, dtype=torch.float64)


@given(sides, sides)
def test_divergence_is_the_negative_adjoint_of_the_gradient(height, width):
    u, p, q = (noise(2, height, width, seed=k) for k in range(3))
    across, down = gradient(u)
    assert across[..., -1].abs().max() == down[..., -1, :].abs().max() == 0
    inner = (across * p + down * q).sum()
    assert inner == pytest.approx(-(u * divergence(p, q)).sum().item(), abs=1e-12)


@given(sides, sides)
def test_cosine_transform_is_scipys_and_inverts(height, width):
    x = noise(2, height, width)
    expected = scipy.fft.dctn(x.numpy(), axes=(1, 2)) / 4  # scipy's has a factor 2 a dimension
    np.testing.assert_allclose(dct2(x), expected, atol=1e-11)
    np.testing.assert_allclose(idct2(dct2(x)), x, atol=1e-13)


@given(sides, sides)
def test_cosine_transform_diagonalises_the_laplacian(height, width):
    x = noise(height, width)
    by_transform = idct2(dct2(x) * laplacian_eigenvalues(x))
    np.testing.assert_allclose(by_transform, -divergence(*gradient(x)), atol=1e-12)


@given(sides, sides, st.integers(0, 40))
def test_borders_are_reflected_however_far(height, width, radius):
    x = noise(2, height, width)
    reflected = np.pad(x.numpy(), ((0, 0), (radius, radius), (radius, radius)), "symmetric")
    np.testing.assert_array_equal(pad(x, radius), reflected)


@pytest.mark.parametrize("sigma", [0.5, 1.3, 4.0])
@pytest.mark.parametrize("size", [(1, 1), (5, 30), (23, 16)])
def test_gaussian_is_scipys(sigma, size):
    x = noise(*size)
    radius = max(1, int(np.ceil(4 * sigma)))
    expected = scipy.ndimage.gaussian_filter(x.numpy(), sigma, mode="reflect", radius=radius)
    np.testing.assert_allclose(gaussian_blur(x, sigma), expected, atol=1e-12)


@given(sides, sides, st.integers(1, 9))
def test_window_mean_is_scipys(height, width, radius):
    x = noise(height, width)
    expected = scipy.ndimage.uniform_filter(x.numpy(), 2 * radius + 1, mode="reflect")
    np.testing.assert_allclose(window_mean(pad(x, radius), radius), expected, atol=1e-12)


@given(sides, sides, st.integers(1, 60))
def test_bands_change_nothing(height, width, pixels):
    x, weight = noise(2, 3, height, width), noise(2, 1, height, width, seed=1)

    def filtered(x, weight):
        return window_mean(x * weight, 2)

    banded = in_bands(filtered, x, weight, radius=2, pixels=pixels)
    np.testing.assert_allclose(banded, window_mean(pad(x * weight, 2), 2), atol=1e-12)


@given(sides, sides, st.integers(1, 3))
def test_field_stays_in_the_ball_and_agrees_with_the_operators(height, width, channels):
    u, zero = noise(2, channels, height, width), torch.zeros(2, channels, height, width).double()
    p = Field(u)
    for k in range(3):
        p.ascend(noise(2, channels, height, width, seed=k), 1.5, torch.empty_like(u))
    length = (p.across.square() + p.down.square()).sum(1)
    assert length.max() <= 1 + 1e-12
    divergence_p = p.divergence(zero, 2.0, out=torch.empty_like(u))
    np.testing.assert_allclose(divergence_p, 2 * divergence(p.across, p.down), atol=1e-12)
    variation = channels**0.5 * slope(u).sum((1, 2))
    expected = variation + (u * divergence(p.across, p.down)).sum((1, 2, 3))
    np.testing.assert_allclose(p.deficit(u), expected, atol=1e-11)


def test_variation_of_an_edge_is_its_length_times_its_height():
    u = torch.zeros(1, 3, 10, 20)
    u[..., 8:] = 0.5
    assert slope(u).sum().item() == pytest.approx(10 * 0.5)


def test_half_the_size_of_an_odd_image():
    x = torch.arange(15.0).reshape(1, 1, 3, 5)
    assert halved(x).tolist() == [[[[3, 5, 6.5], [10.5, 12.5, 14]]]]
