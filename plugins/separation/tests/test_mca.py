"""Morphological component analysis, against transforms written out with loops."""

import numpy as np
import pytest
import scipy.fft
import torch
from gentex_separation.classic.mca import LEVELS, cosine_thresholded, haar_thresholded, mca


def picture(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape)


def hard(coefficients: np.ndarray, threshold: float) -> np.ndarray:
    """Channels first."""
    strong = (coefficients**2).mean(0, keepdims=True) >= threshold**2
    return coefficients * strong


def haar_by_loops(image: np.ndarray, threshold: float) -> np.ndarray:
    """Transforms of 2×2 pixels a step apart, at every place; means of what the places say."""
    haar = np.array([[1, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]]) / 2

    def level(image: np.ndarray, k: int) -> np.ndarray:
        if k == LEVELS:
            return image
        step = 2**k
        padded = np.pad(image, ((0, 0), (step, step), (step, step)), "symmetric")
        height, width = padded.shape[1] - step, padded.shape[2] - step
        corners = [(0, 0), (0, step), (step, 0), (step, step)]
        values = np.stack([padded[:, y : y + height, x : x + width] for y, x in corners])
        bands = np.einsum("bp,pcyx->bcyx", haar, values)
        scale = 2.0**k  # unit energy: pixels of the low pass stand for 4^k of the image
        details = [hard(scale * band, threshold) / scale for band in bands[1:]]
        bands = np.stack([2 * level(bands[0] / 2, k + 1), *details])
        places = np.einsum("bp,bcyx->pcyx", haar, bands)
        height, width = image.shape[1:]
        return np.mean(
            [
                place[:, step - y : step - y + height, step - x : step - x + width]
                for place, (y, x) in zip(places, corners, strict=True)
            ],
            axis=0,
        )

    return level(image, 0)


def cosines_by_loops(image: np.ndarray, threshold: float, block: int) -> np.ndarray:
    height, width = image.shape[1:]
    padded = np.pad(image, ((0, 0), (block, block), (block, block)), "symmetric")
    result = np.zeros_like(padded)
    window = np.sin(np.pi * (np.arange(block) + 0.5) / block)
    window = window[:, None] * window
    for y in range(0, padded.shape[1] - block + 1, block // 2):
        for x in range(0, padded.shape[2] - block + 1, block // 2):
            area = np.s_[:, y : y + block, x : x + block]
            c = scipy.fft.dctn(window * padded[area], axes=(1, 2), norm="ortho")
            c[:, :4, :4] = 0
            c = hard(c, threshold / 2)
            result[area] += window * scipy.fft.idctn(c, axes=(1, 2), norm="ortho")
    return result[:, block : block + height, block : block + width]


def one(threshold: float) -> torch.Tensor:
    return torch.full((1, 1, 1, 1), threshold, dtype=torch.float64)


@pytest.mark.parametrize("size", [(1, 16, 19), (3, 7, 5), (1, 1, 1)])
@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.6])
def test_transforms_are_loops(size, threshold):
    image = picture(*size)
    tensor = torch.tensor(image)[None]
    np.testing.assert_allclose(
        haar_thresholded(tensor, one(threshold))[0], haar_by_loops(image, threshold), atol=1e-12
    )
    np.testing.assert_allclose(
        cosine_thresholded(tensor, one(threshold), 8)[0],
        cosines_by_loops(image, threshold, 8),
        atol=1e-12,
    )


def test_mca_is_the_alternation_of_the_two():
    image, strength, block, rounds = picture(2, 13, 12), 0.2, 8, 4
    start = (image.max() - image.min()) * block / 4
    texture = np.zeros_like(image)
    for k in range(rounds):
        threshold = start * (strength / start) ** (k / (rounds - 1))
        structure = haar_by_loops(image - texture, threshold)
        texture = cosines_by_loops(image - structure, threshold, block)
    found = mca(torch.tensor(image)[None], strength, block, rounds)
    np.testing.assert_allclose(found.structure[0], structure, atol=1e-12)
    left = np.sqrt(((image - structure - texture) ** 2).mean())
    assert found.residual.item() == pytest.approx(left)


def test_without_threshold_the_haar_transform_is_inverted_and_cosines_lack_the_slow():
    image = torch.tensor(picture(1, 40, 37))[None]
    np.testing.assert_allclose(haar_thresholded(image, one(0)), image, atol=1e-12)
    ramp = torch.linspace(0.2, 0.7, 37).expand(1, 1, 40, 37).double()
    wave = torch.cos(2 * torch.pi * torch.arange(37.0) / 4).expand(1, 1, 40, 37).double()
    taken = cosine_thresholded(ramp + wave, one(0), 16)
    assert (taken - wave).square().mean() < 0.03 * ramp.square().mean()


def test_mca_takes_a_disc_and_a_wave_apart():
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    disc = 0.3 + 0.4 * ((y - 48) ** 2 + (x - 48) ** 2 < 30**2)
    wave = 0.15 * torch.sin(2 * torch.pi * (x + 0.5 * y) / 5)
    found = mca((disc + wave)[None, None], 0.1).structure[0, 0]
    assert (found - disc).square().mean() < 0.05 * wave.square().mean()
