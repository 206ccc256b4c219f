"""Relative total variation and L0, against scipy on the same equations."""

import numpy as np
import pytest
import scipy.fft
import scipy.ndimage
import scipy.sparse
import scipy.sparse.linalg
import torch
from gentex_separation.classic.l0 import l0
from gentex_separation.classic.rtv import conjugate_gradients, rtv
from skimage import data


def picture(channels: int, height: int, width: int) -> np.ndarray:
    image = data.astronaut()[20 : 20 + height, 200 : 200 + width] / 255.0
    return image[..., :channels].transpose(2, 0, 1)


def difference(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.diff(u, axis=-1, append=u[..., -1:]), np.diff(u, axis=-2, append=u[..., -1:, :])


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    radius = int(np.ceil(4 * sigma))
    return np.stack(
        [scipy.ndimage.gaussian_filter(c, sigma, mode="reflect", radius=radius) for c in image]
    )


def rtv_by_sparse_solves(image, strength, sigma, rounds=4):
    """Equations 8 to 11 of Xu et al. (2012) with assembled matrices and direct solves."""
    height, width = image.shape[1:]
    n = height * width
    d_x = scipy.sparse.kron(
        scipy.sparse.eye(height), scipy.sparse.diags([-1.0, 1.0], [0, 1], (width,) * 2)
    )
    d_y = scipy.sparse.kron(
        scipy.sparse.diags([-1.0, 1.0], [0, 1], (height,) * 2), scipy.sparse.eye(width)
    )
    structure = image
    for _ in range(rounds):
        matrix = scipy.sparse.eye(n)
        for d, slope, last in zip(
            (d_x, d_y), difference(structure), (np.s_[:, -1], np.s_[-1]), strict=True
        ):
            u = blur(1 / (np.abs(blur(slope, sigma)).mean(0, keepdims=True) + 1e-3), sigma)[0]
            weight = u / (np.abs(slope).mean(0) + 0.02)
            weight[last] = 0
            matrix = matrix + strength * d.T @ scipy.sparse.diags(weight.ravel()) @ d
        solve = scipy.sparse.linalg.factorized(matrix.tocsc())
        structure = np.stack([solve(c.ravel()).reshape(height, width) for c in image])
        sigma = max(sigma / 2, 0.5)
    return structure


def psnr(a, b) -> float:
    return -10 * np.log10(np.mean((np.asarray(a) - np.asarray(b)) ** 2))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("strength", [0.005, 0.03])
def test_rtv_is_the_direct_solution(channels, strength):
    image = picture(channels, 50, 47)
    expected = rtv_by_sparse_solves(image, strength, 3.0)
    exact = rtv(torch.tensor(image)[None], strength, 3.0, 4, 1e-10)
    assert psnr(exact.structure[0], expected) > 150
    usual = rtv(torch.tensor(image, dtype=torch.float32)[None], strength)
    assert psnr(usual.structure[0], expected) > 80
    assert 0 < usual.residual.item() <= 3e-4
    assert usual.iterations.item() < exact.iterations.item()


def test_rtv_takes_waves_and_keeps_a_step_of_the_same_height():
    x = torch.arange(64.0)
    step, wave = 0.3 + 0.2 * (x >= 32), 0.1 * torch.sin(2 * torch.pi * x / 4)
    found = rtv((step + wave).expand(1, 1, 64, 64), 0.02).structure[0, 0, 32]
    assert (found - step)[8:24].abs().max() < 0.02
    assert (found - step)[40:56].abs().max() < 0.02
    assert found[36] - found[27] > 0.17


def test_conjugate_gradients_solve_every_row_to_its_own_tolerance():
    generator = torch.Generator().manual_seed(0)
    factor = torch.randn(3, 12, 12, generator=generator, dtype=torch.float64)
    matrices = factor @ factor.mT + torch.eye(12) * torch.tensor([100.0, 1.0, 0.1])[:, None, None]
    b = torch.randn(3, 1, 12, 1, generator=generator, dtype=torch.float64)
    b[0] = 0

    def apply(x, out):
        out.copy_((matrices @ x[:, 0])[:, None])

    found = conjugate_gradients(apply, b, torch.zeros_like(b), 1e-9, 100)
    np.testing.assert_allclose(
        found.structure[:, 0], torch.linalg.solve(matrices, b[:, 0]), atol=1e-7
    )
    assert found.iterations[0] == 0 < found.iterations[1] < found.iterations[2]
    assert (found.residual <= 1e-9).all()


def l0_by_scipy(image, strength, growth):
    """Algorithm 1 of Xu et al. (2011), with scipy's cosine transform for free borders."""
    height, width = image.shape[1:]
    eigenvalues = (2 - 2 * np.cos(np.pi * np.arange(height) / height))[:, None]
    eigenvalues = eigenvalues + (2 - 2 * np.cos(np.pi * np.arange(width) / width))
    structure, beta = image, 2 * strength
    while beta < 1e5:
        h, v = difference(structure)
        flat = (h**2 + v**2).mean(0) <= strength / beta
        h[:, flat] = v[:, flat] = 0
        adjoint = -np.diff(h, axis=-1, prepend=0) - np.diff(v, axis=-2, prepend=0)
        right = scipy.fft.dctn(image + beta * adjoint, axes=(1, 2))
        structure = scipy.fft.idctn(right / (1 + beta * eigenvalues), axes=(1, 2))
        beta *= growth
    return structure


@pytest.mark.parametrize("size", [(1, 32, 31), (3, 20, 33), (1, 1, 9)])
@pytest.mark.parametrize("growth", [2.0, 1.3])
def test_l0_is_a_direct_transcription(size, growth):
    image = picture(*size)
    found = l0(torch.tensor(image)[None], 0.02, growth)
    np.testing.assert_allclose(found.structure[0], l0_by_scipy(image, 0.02, growth), atol=1e-9)
    assert found.residual.item() < 0.01
    single = l0(torch.tensor(image, dtype=torch.float32)[None], 0.02, growth)
    assert (single.structure - found.structure).abs().mean() < 2e-3


def test_l0_makes_regions_flat_and_keeps_steps():
    generator = torch.Generator().manual_seed(0)
    step = torch.zeros(1, 1, 30, 30)
    step[..., 15:] = 0.5
    found = l0(step + 0.03 * torch.randn(step.shape, generator=generator), 0.02).structure
    across = found.diff(dim=-1).abs()
    assert (across[..., 14] > 0.45).all()
    across[..., 14] = 0
    assert (across > 2e-3).float().mean() < 0.02
