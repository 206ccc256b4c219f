"""The filters, against scipy and against loops over every pixel."""

import itertools

import numpy as np
import pytest
import scipy.ndimage
import torch
from gentex_separation.classic.bilateral import joint_bilateral
from gentex_separation.classic.guided import guided
from gentex_separation.classic.median import median
from gentex_separation.classic.rolling_guidance import rolling_guidance

SIZES = [(1, 9, 11), (3, 8, 7), (2, 1, 5), (1, 1, 1)]


def picture(channels: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((channels, height, width))


def reflected(image: np.ndarray, radius: int) -> np.ndarray:
    return np.pad(image, ((0, 0), (radius, radius), (radius, radius)), "symmetric")


def pixels(image: np.ndarray):
    return itertools.product(range(image.shape[1]), range(image.shape[2]))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("radius", [1, 3])
def test_median_is_scipys(size, radius):
    image = picture(*size)
    side = 2 * radius + 1
    expected = [scipy.ndimage.median_filter(c, size=side, mode="reflect") for c in image]
    np.testing.assert_array_equal(median(torch.tensor(image)[None], radius)[0], expected)


def bilateral_by_loops(image, guide, scale, contrast):
    radius = max(1, round(2.5 * scale))
    image, guide = reflected(image, radius), reflected(guide, radius)
    result = np.zeros((len(image), image.shape[1] - 2 * radius, image.shape[2] - 2 * radius))
    for y, x in pixels(result):
        total = weights = 0
        for dy, dx in itertools.product(range(-radius, radius + 1), repeat=2):
            if dy * dy + dx * dx <= radius * radius:
                here, there = (radius + y, radius + x), (radius + y + dy, radius + x + dx)
                apart = ((guide[:, *there] - guide[:, *here]) ** 2).mean()
                weight = np.exp(-(dy**2 + dx**2) / (2 * scale**2) - apart / (2 * contrast**2))
                total, weights = total + weight * image[:, *there], weights + weight
        result[:, y, x] = total / weights
    return result


@pytest.mark.parametrize("size", SIZES)
def test_bilateral_is_a_loop(size):
    image, guide = picture(*size), picture(*size, seed=1)
    expected = bilateral_by_loops(image, guide, 1.2, 0.3)
    found = joint_bilateral(torch.tensor(image)[None], torch.tensor(guide)[None], 1.2, 0.3)
    np.testing.assert_allclose(found[0], expected, atol=1e-12)


@pytest.mark.parametrize("size", [(1, 9, 11), (3, 8, 7)])
def test_rolling_guidance_is_a_loop(size):
    image = picture(*size)
    expected = [scipy.ndimage.gaussian_filter(c, 1.2, mode="reflect", radius=5) for c in image]
    for _ in range(2):
        expected = bilateral_by_loops(image, np.stack(expected), 1.2, 0.2)
    found = rolling_guidance(torch.tensor(image)[None], 1.2, 0.2, rounds=2)
    np.testing.assert_allclose(found.structure[0], expected, atol=1e-12)


def test_rolling_guidance_stops_where_a_round_changes_less_than_the_tolerance():
    images = torch.tensor(np.stack([picture(3, 20, 24), 0.6 * picture(3, 20, 24, seed=1)]))
    long = [rolling_guidance(images, 1.2, 0.2, 1e-500, rounds=n).structure for n in range(1, 31)]
    changes = [(b - a).square().mean((1, 2, 3)).sqrt() for a, b in itertools.pairwise(long)]
    found = rolling_guidance(images, 1.2, 0.2, 1e-5, rounds=30)
    for i in range(2):
        taken = int(found.iterations[i])
        assert 2 < taken < 30
        assert torch.equal(found.structure[i], long[taken - 1][i])
        assert float(found.residual[i]) == pytest.approx(float(changes[taken - 2][i]))
        assert found.residual[i] <= 1e-5 < changes[taken - 3][i]
    assert found.iterations[0] != found.iterations[1]
    cut = rolling_guidance(images, 1.2, 0.2, 1e-5, rounds=2)
    assert cut.iterations.tolist() == [2, 2]
    torch.testing.assert_close(cut.residual, changes[0])


def test_rolling_guidance_takes_what_is_small_and_keeps_edges():
    image = torch.zeros(1, 1, 40, 40)
    image[..., 20:] = 0.8
    image[..., 10, 10] = 1
    found = rolling_guidance(image, 2.0, 0.1).structure
    assert found[0, 0, 10, 10] < 0.05
    assert found[0, 0, 30, 20] - found[0, 0, 30, 19] > 0.75


def guided_by_loops(image, strength, radius):
    """Equations 4 to 6 of He et al. with colours: a linear regression in every window."""
    padded = reflected(image, 2 * radius)
    channels, height, width = padded.shape
    epsilon = channels * strength**2 * np.eye(channels)
    maps = {}
    for y in range(radius, height - radius):
        for x in range(radius, width - radius):
            window = padded[:, y - radius : y + radius + 1, x - radius : x + radius + 1]
            window = window.reshape(channels, -1)
            mean, covariance = window.mean(1), np.cov(window, bias=True).reshape(channels, channels)
            slope = np.linalg.solve(covariance + epsilon, covariance)
            maps[y, x] = slope, mean - slope.T @ mean
    result = np.zeros_like(image)
    for y, x in pixels(image):
        reach = range(radius, 3 * radius + 1)
        around = [maps[y + dy, x + dx] for dy in reach for dx in reach]
        slope, offset = (np.mean([one[k] for one in around], axis=0) for k in (0, 1))
        result[:, y, x] = slope.T @ image[:, y, x] + offset
    return result


@pytest.mark.parametrize("size", SIZES)
def test_guided_is_a_loop(size):
    image = picture(*size)
    found = guided(torch.tensor(image)[None], 0.15, 2)
    np.testing.assert_allclose(found[0], guided_by_loops(image, 0.15, 2), atol=1e-10)
