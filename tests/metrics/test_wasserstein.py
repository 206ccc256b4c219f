from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import torch
from scipy.stats import wasserstein_distance
from torch import Tensor

from gentex.errors import DataError
from gentex.metrics import sliced_wasserstein
from gentex.metrics.wasserstein import laplacian_pyramid


def images(n: int, *shape: int, seed: int = 0) -> Tensor:
    """Smooth random images, uint8 (n, *shape)."""
    rng = np.random.default_rng(seed)
    smooth = scipy.ndimage.gaussian_filter(rng.normal(size=(n, *shape)), (0, 0, 1.5, 1.5))
    return torch.from_numpy((128 + 150 * smooth).clip(0, 255).astype(np.uint8))


def distance(real: Tensor, fake: Tensor, **options: int) -> float:
    return sliced_wasserstein(real, fake, **{"patches": 2**12, "directions": 32, **options})


@pytest.mark.parametrize("shape", [(3, 33, 28), (1, 64, 30), (2, 16, 16)])
def test_pyramid_is_burt_and_adelson(shape: tuple[int, int, int]) -> None:
    image = torch.rand(1, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    *fine, rest = laplacian_pyramid(image)
    binomial = np.array([1, 4, 6, 4, 1]) / 16
    kernel = np.outer(binomial, binomial)[None, None]
    expected = image.numpy()
    for level in fine:
        smaller = scipy.ndimage.convolve(expected, kernel, mode="mirror")[..., ::2, ::2]
        sparse = np.zeros_like(expected)
        sparse[..., ::2, ::2] = smaller
        larger = scipy.ndimage.convolve(sparse, 4 * kernel, mode="mirror")
        np.testing.assert_allclose(level.numpy(), expected - larger, atol=1e-12)
        expected = smaller
    np.testing.assert_allclose(rest.numpy(), expected, atol=1e-12)
    assert min(rest.shape[2:]) >= 14


def test_two_samples_of_the_same_are_near() -> None:
    real, other = images(64, 3, 32, 32), images(64, 3, 32, 32, seed=1)
    floor = distance(real, other)
    assert 0 < floor < 0.1
    order = torch.randperm(32 * 32, generator=torch.Generator().manual_seed(0))
    shuffled = other.flatten(2)[..., order].view_as(other)
    assert distance(real, shuffled) > 2 * floor


@pytest.mark.parametrize("change", [lambda x: x / 2, lambda x: x / 2 + 0.25])
def test_one_brightness_and_contrast_for_all_images_is_not_seen(change) -> None:
    real, other = (images(64, 1, 28, 28, seed=s).float() / 255 for s in (0, 1))
    assert distance(real, change(other)) == pytest.approx(distance(real, other), rel=1e-3)


def test_a_known_distance() -> None:
    """Images of one grey level each, 7×7: a patch is c·(1, ..., 1), so W₁ is that of the whitened c
    times the mean of |Σ axis|."""
    rng = np.random.default_rng(0)
    a, b = rng.uniform(size=500), rng.uniform(size=500) ** 4
    real, fake = (torch.from_numpy(c).float().view(-1, 1, 1, 1).expand(-1, 1, 7, 7) for c in (a, b))
    axes = torch.randn(2000, 49, generator=torch.Generator().manual_seed(1))
    mean_length = float((axes.sum(1) / axes.norm(dim=1)).abs().mean())
    a, b = ((x - x.mean()) / x.std() for x in (a, b))
    expected = mean_length * wasserstein_distance(a, b)
    measured = sliced_wasserstein(real, fake, patches=500, directions=2000)
    assert measured == pytest.approx(expected, rel=0.05)


def test_seeds_and_ranges() -> None:
    real, fake = images(20, 1, 28, 28), images(30, 1, 28, 28, seed=1)
    assert distance(real, fake) == distance(real, fake)
    assert distance(real, fake) != distance(real, fake, seed=1)
    as_floats = distance(real.float() / 255, fake.float() / 255)
    assert as_floats == pytest.approx(distance(real, fake), rel=1e-5)


def test_more_images_than_a_chunk() -> None:
    real = images(8, 1, 16, 16).repeat(200, 1, 1, 1)
    assert distance(real, real) < 0.05


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (torch.zeros(2, 1, 6, 9), torch.zeros(2, 1, 6, 9), "at least 7×7 pixels"),
        (torch.zeros(2, 1, 9, 9), torch.zeros(2, 3, 9, 9), "they must be alike"),
        (torch.zeros(2, 1, 9, 9), torch.zeros(0, 1, 9, 9), "fake images have the shape"),
        (torch.zeros(2, 1, 9, 9), torch.full((2, 1, 9, 9), torch.nan), "fake .* NaN"),
    ],
)
def test_errors(real: Tensor, fake: Tensor, message: str) -> None:
    with pytest.raises(DataError, match=message):
        sliced_wasserstein(real, fake)


def test_all_of_it_is_computed_in_float64() -> None:
    """As NumPy does from the same patches, to the rounding of float64."""
    sets = images(40, 3, 16, 16), images(40, 3, 16, 16, seed=1)
    generator = torch.Generator().manual_seed(0)
    points = []
    for pixels in sets:
        y, x = (torch.randint(10, (500, 1), generator=generator)[:, 0].numpy() for _ in "yx")
        owner = np.arange(500) * 40 // 500
        patches = np.stack(
            [
                pixels[i, :, row : row + 7, column : column + 7].numpy() / 255.0
                for i, row, column in zip(owner, y, x, strict=True)
            ]
        )
        mean, deviation = (
            np.array([f(patches[:, c]) for c in range(3)])[:, None, None]
            for f in (np.mean, lambda part: np.std(part, ddof=1))
        )
        points.append(((patches - mean) / deviation).reshape(500, -1))
    axes = torch.randn(16, 147, generator=generator).double().numpy()
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    one, other = (np.sort(p @ axes.T, axis=0) for p in points)
    measured = sliced_wasserstein(*sets, patches=500, directions=16)
    assert measured == pytest.approx(np.abs(one - other).mean(), rel=1e-12)
