"""Every family of structures and textures: range, reproducibility, scale, and what it should be."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from gentex.data.composites.cartoons import kuwahara, segments
from gentex.data.composites.fields import blurred, mirrored, smooth_noise, standardized
from gentex.data.composites.sources import texture_window
from gentex.data.composites.structures import STRUCTURES, Structure
from gentex.data.composites.textures import TEXTURES, Texture

STRUCTURE = {name: f for split in STRUCTURES.values() for name, f in split.items()}
TEXTURE = {name: f for split in TEXTURES.values() for name, f in split.items()}


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("make", STRUCTURE.values(), ids=STRUCTURE)
@pytest.mark.parametrize("channels", [1, 3])
def test_structures_are_flat_with_sharp_edges(make: Structure, channels: int) -> None:
    images = make(6, 48, 56, channels, seeded(0))
    assert images.shape == (6, channels, 48, 56)
    assert images.dtype == torch.float32
    assert images.min() >= 0
    assert images.max() <= 1
    assert torch.equal(images, make(6, 48, 56, channels, seeded(0)))
    assert not torch.equal(images, make(6, 48, 56, channels, seeded(1)))
    assert all(not torch.equal(a, b) for a, b in itertools.pairwise(images))
    steps = images.diff(dim=3).abs().amax(1)
    assert steps.median() < 0.02, "mostly flat"
    assert (steps.amax((1, 2)) > 0.05).float().mean() > 0.5, "with edges"


def wavelength_of(field: Tensor) -> Tensor:
    """One over the mean frequency of the power spectrum."""
    power = torch.fft.rfft2(standardized(field)).abs().square()
    fy = torch.fft.fftfreq(field.shape[-2])[:, None]
    fx = torch.fft.rfftfreq(field.shape[-1])[None]
    radius = (fy.square() + fx.square()).sqrt()
    return power.sum((1, 2)) / (power * radius).sum((1, 2))


@pytest.mark.parametrize("make", TEXTURE.values(), ids=TEXTURE)
def test_textures_follow_their_wavelength(make: Texture) -> None:
    n, size = 12, 64
    found = []
    for wavelength in (5.0, 10.0):
        asked = torch.full((n, 1, 1), wavelength)
        field = make(asked, size, size + 3, seeded(0))
        assert field.shape == (n, size, size + 3)
        assert torch.isfinite(field).all()
        assert torch.equal(field, make(asked, size, size + 3, seeded(0)))
        assert not torch.equal(field, make(asked, size, size + 3, seeded(1)))
        assert (field.std((1, 2)) > 1e-3).all()
        found.append(wavelength_of(field).median())
    assert 1.2 < found[1] / found[0] < 2.6
    # Its harmonics shorten the mean wavelength, what is slower lengthens it.
    assert 0.25 < found[1] / 10 < 2.5


def test_textures_of_one_batch_differ_in_wavelength() -> None:
    wavelengths = torch.tensor([4.0, 16.0]).view(2, 1, 1)
    for name, make in TEXTURE.items():
        fine, coarse = wavelength_of(make(wavelengths, 64, 64, seeded(2)))
        assert fine < coarse, name


def test_kuwahara_agrees_with_a_plain_loop() -> None:
    image = torch.rand(2, 9, 11, generator=seeded(0))
    found = kuwahara(image, radius=2, passes=1)
    padded = mirrored(image[None], 2)[0]
    for y in range(9):
        for x in range(11):
            quadrants = [
                padded[:, y + a : y + a + 3, x + b : x + b + 3] for a in (0, 2) for b in (0, 2)
            ]
            evenest = min(quadrants, key=lambda q: float(q.var((1, 2), correction=0).sum()))
            assert torch.allclose(found[:, y, x], evenest.mean((1, 2)), atol=1e-5)


def test_segments_keep_regions_and_drop_texture() -> None:
    y, x = torch.meshgrid(torch.arange(60.0), torch.arange(80.0), indexing="ij")
    clean = torch.where(x < 40, 0.2 + 0.002 * y, 0.8 - 0.003 * y).expand(3, -1, -1)
    texture = 0.02 * torch.randn(3, 60, 80, generator=seeded(0))
    cartoon = segments(clean + texture)
    assert (cartoon - clean).square().mean().sqrt() < 0.004
    assert (cartoon - clean).abs().max() < 0.05


def test_texture_windows_are_high_passed_and_hold_what_there_is() -> None:
    period = 6
    x = torch.arange(200.0)
    wave = (0.5 + 0.2 * torch.sin(2 * math.pi * x / period)).expand(1, 200, 200)
    slope = wave + torch.linspace(-0.2, 0.2, 200)
    # So wide that it is not shrunk: 4 px of sigma at least.
    window = texture_window(slope, 8.0, 150, 150, seeded(0))
    assert window.shape == (150, 150)
    assert abs(window.mean()) < 1e-3
    assert window.square().mean().sqrt() == pytest.approx(0.2 / math.sqrt(2), rel=0.02)
    assert wavelength_of(window[None]) == pytest.approx(period, rel=0.05)
    assert blurred(window, 8.0).abs().max() < 0.01
    small = texture_window(wave[:, :33, :40], 2.0, 64, 64, seeded(0))
    assert small.shape == (64, 64)
    assert small.std() > 0.05


def test_flat_windows_are_passed_over() -> None:
    sky = torch.full((1, 400, 400), 0.6)
    sky[:, :, 300:] += 0.2 * torch.randn(1, 400, 100, generator=seeded(0))
    found = [texture_window(sky, 3.0, 32, 32, seeded(i)).std() > 0.02 for i in range(30)]
    assert sum(map(bool, found)) > 15  # a quarter of single windows would


def test_smooth_noise_has_the_correlation_it_says() -> None:
    field = smooth_noise(64, 64, 64, 4.0, seeded(0))
    assert field.square().mean() == pytest.approx(1, abs=1e-4)
    shifted = (field * field.roll(4, 2)).mean()
    assert float(shifted) == pytest.approx(math.exp(-0.5), abs=0.05)


def test_mirroring_reaches_farther_than_the_image() -> None:
    image = torch.arange(3.0).view(1, 1, 1, 3).expand(1, 1, 3, 3)
    row = mirrored(image, 5)[0, 0, 0]
    assert row.tolist() == [1, 0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1]
