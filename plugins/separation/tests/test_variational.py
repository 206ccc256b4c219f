"""The total variation models, each against another method for the same problem."""

import numpy as np
import pytest
import scipy.optimize
import torch
from gentex_separation.classic import rof as rof_module
from gentex_separation.classic import tv_g as tv_g_module
from gentex_separation.classic import tv_l1 as tv_l1_module
from gentex_separation.classic.rof import rof
from gentex_separation.classic.tv_g import tv_g
from gentex_separation.classic.tv_l1 import tv_l1
from skimage import data
from skimage.restoration import denoise_tv_chambolle

import gentex


def picture(channels: int, height: int, width: int) -> np.ndarray:
    """A disc, a ramp and noise, (C, H, W), other in every channel."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    disc = np.hypot(y - height / 2, x - width / 2) < min(height, width) / 3
    layers = [0.5 * disc + 0.3 * x / width * (c + 1) / channels for c in range(channels)]
    return np.stack(layers) + 0.1 * rng.standard_normal((channels, height, width))


def difference(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    across = np.diff(u, axis=-1, append=u[..., -1:])
    return across, np.diff(u, axis=-2, append=u[..., -1:, :])


def variation(u: np.ndarray) -> float:
    across, down = difference(u)
    return np.sqrt((across**2 + down**2).mean(0)).sum()


def rof_energy(u, f, strength):
    return ((u - f) ** 2).mean(0).sum() / 2 + strength * variation(u)


def divergence(across, down):
    across, down = across.copy(), down.copy()
    across[..., -1] = down[..., -1, :] = 0
    result = np.diff(across, axis=-1, prepend=0 * across[..., :1])
    return result + np.diff(down, axis=-2, prepend=0 * down[..., :1, :])


def chambolle(f, strength, iterations, field=None):
    """u and p by Chambolle's fixed point iteration (2004), one channel."""
    field = np.zeros((2, *f.shape)) if field is None else field
    for _ in range(iterations):
        step = 0.24 * np.stack(difference(divergence(*field) + f / strength))
        field = (field + step) / (1 + np.sqrt((step**2).sum(0)))
    return f + strength * divergence(*field), field


@pytest.mark.parametrize("strength", [0.05, 0.3])
def test_rof_is_scikit_images(strength):
    f = data.camera()[100:132, 200:230] / 255.0
    expected = denoise_tv_chambolle(f, weight=strength, eps=0, max_num_iter=12_000)
    found = rof(torch.tensor(f)[None, None], strength, 1e-7).structure[0].numpy()
    reference = rof_energy(expected[None], f[None], strength)
    assert rof_energy(found, f[None], strength) <= reference * (1 + 1e-7)
    assert np.abs(found[0] - expected).max() < 2e-3


@pytest.mark.parametrize(
    ("solver", "tolerance", "near"), [("primal-dual", 1e-9, 2e-5), ("admm", 1e-6, 1e-3)]
)
@pytest.mark.parametrize("channels", [1, 3])
def test_rof_is_the_solution_of_a_general_solver(channels, solver, tolerance, near):
    """SLSQP on the dual: the least ½‖f + √C λ div p‖² with |p|² ≤ 1 in every pixel."""
    f, strength = picture(channels, 5, 6), 0.15
    scale = strength * channels**0.5
    size = (2, *f.shape)

    def objective(p):
        u = f + scale * divergence(*p.reshape(size))
        across, down = difference(u)
        across[..., -1] = down[..., -1, :] = 0
        return (u**2).sum() / 2, -scale * np.stack([across, down]).ravel()

    def inside(p):
        return 1 - (p.reshape(size) ** 2).sum((0, 1)).ravel()

    def slopes(p):
        p, pixels = p.reshape(*size[:2], -1), f[0].size
        jacobian = np.zeros((pixels, *p.shape))
        jacobian[range(pixels), :, :, range(pixels)] = -2 * p.transpose(2, 0, 1)
        return jacobian.reshape(pixels, -1)

    solved = scipy.optimize.minimize(
        objective,
        np.zeros(np.prod(size)),
        jac=True,
        method="SLSQP",
        constraints={"type": "ineq", "fun": inside, "jac": slopes},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert solved.success
    expected = f + scale * divergence(*solved.x.reshape(size))
    found = rof(torch.tensor(f)[None], strength, tolerance, solver).structure[0].numpy()
    np.testing.assert_allclose(found, expected, atol=near)


@pytest.mark.parametrize("solver", ["primal-dual", "admm"])
@pytest.mark.parametrize("tolerance", [1e-2, 1e-4])
def test_rof_stops_within_its_tolerance(tolerance, solver):
    f = torch.tensor(data.brick()[:140, :150] / 255.0)[None, None]
    solution = rof(f, 0.1, tolerance, solver)
    best = rof_energy(rof(f, 0.1, 1e-7).structure[0].numpy(), f[0].numpy(), 0.1)
    reached = rof_energy(solution.structure[0].numpy(), f[0].numpy(), 0.1)
    assert reached <= best * (1 + tolerance)
    assert 0 <= solution.residual.item() <= tolerance
    assert rof_module.energy(solution.structure, f, 0.1).item() == pytest.approx(reached)


def test_single_precision_reaches_a_gap_of_a_millionth():
    f = torch.tensor(data.brick()[:140, :150] / 255.0)[None, None]
    single, double = rof(f.float(), 0.1, 1e-6), rof(f, 0.1, 1e-6)
    assert single.residual.item() <= 1e-6
    assert (single.structure - double.structure).abs().max() < 1e-4


def test_the_start_from_half_the_size_changes_only_the_way(monkeypatch):
    f = torch.tensor(data.brick()[:140, :150] / 255.0)[None, None]
    fast = rof(f, 0.1, 1e-5)
    monkeypatch.setattr(rof_module, "SMALLEST", 10**6)
    slow = rof(f, 0.1, 1e-5)
    assert fast.iterations < 0.8 * slow.iterations
    assert (fast.structure - slow.structure).abs().max() < 2e-3


@pytest.mark.parametrize("name", ["rof", "tv-l1", "tv-g", "rtv"])
def test_nan_is_no_solution_and_spoils_no_other_image(name):
    images = torch.tensor(np.stack([picture(1, 20, 20)] * 2))
    alone = gentex.create(name, image=(1, 20, 20)).separate(images[1:]).structure
    images[0, 0, 7, 7] = float("nan")
    structure = gentex.create(name, image=(1, 20, 20)).separate(images).structure
    assert structure[0].isnan().any()
    assert torch.equal(structure[1:], alone)
    assert rof(images, 0.1).residual[0].isnan()


def test_what_does_not_converge_says_so():
    f = torch.tensor(picture(1, 20, 20))[None]
    solution = rof(f, 0.1, 1e-12, iterations=37)
    assert solution.iterations.tolist() == [37]
    assert solution.residual.item() > 1e-12
    assert rof_energy(solution.structure[0].numpy(), f[0].numpy(), 0.1) < rof_energy(
        f[0], f[0], 0.1
    )


def smallest(energy, u):
    """The least value of a smooth function by L-BFGS."""
    options = {"maxiter": 5000, "maxfun": 10_000, "ftol": 1e-15, "gtol": 1e-10, "maxcor": 50}
    found = scipy.optimize.minimize(energy, u.ravel(), jac=True, method="L-BFGS-B", options=options)
    return found.x.reshape(u.shape)


@pytest.mark.parametrize("channels", [1, 3])
def test_tv_l1_reaches_the_energy_of_a_smoothed_problem(channels):
    f, strength = picture(channels, 12, 14), 0.9

    def energy(u, epsilon):
        u = u.reshape(f.shape)
        across, down = difference(u)
        distance = np.sqrt((u - f) ** 2 + epsilon**2)
        length = np.sqrt((across**2 + down**2).mean(0) + epsilon**2)
        value = distance.mean(0).sum() + strength * length.sum()
        gradient = (u - f) / distance - strength * divergence(across / length, down / length)
        return value, gradient.ravel() / channels

    u = f
    for epsilon in (1e-2, 1e-3, 1e-4, 1e-5):
        u = smallest(lambda u, epsilon=epsilon: energy(u, epsilon), u)
    reference = energy(u, 0.0 + 1e-12)[0]
    solution = tv_l1(torch.tensor(f)[None], strength, 1e-4)
    reached = energy(solution.structure[0].numpy(), 1e-12)[0]
    assert reached <= reference * (1 + 2e-4)
    assert reference <= reached * (1 + 2e-3)  # and the reference is no better than the gap allows
    module = tv_l1_module.energy(solution.structure, torch.tensor(f)[None], strength)
    assert module.item() == pytest.approx(reached)


def test_tv_l1_in_one_dimension_is_a_linear_program():
    rng = np.random.default_rng(1)
    f, strength = rng.random(30), 1.0
    n = len(f)
    # Variables u, |u − f| and |du|.
    cost = np.concatenate([np.zeros(n), np.ones(n), np.full(n - 1, strength)])
    d = np.diff(np.eye(n), axis=0)
    zero_f, zero_d = np.zeros((n, n - 1)), np.zeros((n - 1, n))
    above = np.block(
        [
            [np.eye(n), -np.eye(n), zero_f],
            [-np.eye(n), -np.eye(n), zero_f],
            [d, zero_d, -np.eye(n - 1)],
            [-d, zero_d, -np.eye(n - 1)],
        ]
    )
    bound = np.concatenate([f, -f, np.zeros(2 * n - 2)])
    solved = scipy.optimize.linprog(cost, above, bound, bounds=(None, None))
    found = tv_l1(torch.tensor(f)[None, None, None], strength, 1e-6)
    reached = tv_l1_module.energy(found.structure, torch.tensor(f)[None, None, None], strength)
    assert reached.item() == pytest.approx(solved.fun, rel=1e-6)


@pytest.mark.parametrize(("radius", "kept"), [(4, 0.0), (9, 1.0)])
def test_tv_l1_takes_discs_by_their_size_alone(radius, kept):
    y, x = torch.meshgrid(torch.arange(33), torch.arange(33), indexing="ij")
    f = ((y - 16) ** 2 + (x - 16) ** 2 < radius**2).float()[None, None]
    found = tv_l1(0.2 * f, 3.0, 1e-4).structure / 0.2  # 2λ = 6
    assert found[0, 0, 16, 16].item() == pytest.approx(kept, abs=0.02)


def test_tv_g_is_aujols_alternation():
    """u ← ROF_λ(f − v), v ← (f − u) − ROF_μ(f − u), by Chambolle's fixed points."""
    f, mu, lam = picture(1, 14, 13)[0], 0.1, 0.05
    v = np.zeros_like(f)
    of_u = of_v = None
    for _ in range(250):
        u, of_u = chambolle(f - v, lam, 30, of_u)
        smooth, of_v = chambolle(f - u, mu, 30, of_v)
        v = f - u - smooth
    expected = lam * variation(u[None]) + ((f - u - v) ** 2).sum() / 2
    found = tv_g(torch.tensor(f)[None, None], mu, lam, 1e-6).structure[0, 0].numpy()
    np.testing.assert_allclose(found, u, atol=3e-3)
    v = (f - found) - chambolle(f - found, mu, 5000)[0]
    reached = lam * variation(found[None]) + ((f - found - v) ** 2).sum() / 2
    assert reached == pytest.approx(expected, rel=1e-3)


def test_tv_g_keeps_a_step_and_takes_a_wave_away():
    x = torch.arange(72.0)
    step, wave = 0.3 + 0.4 * (x >= 36), 0.08 * torch.sin(2 * torch.pi * x / 6)
    image = (step + wave).expand(1, 1, 60, 72)
    found = tv_g(image, 0.1, 0.02, 3e-3).structure
    assert (found - step).abs().mean() < 0.25 * wave.abs().mean()
    assert found[0, 0, 30, 46] - found[0, 0, 30, 26] > 0.36


def test_tv_g_starts_from_half_the_size(monkeypatch):
    f = torch.tensor(data.brick()[:64, :66] / 255.0)[None, None]
    fast = tv_g(f, 0.1, 0.02, 1e-3)
    monkeypatch.setattr(tv_g_module, "SMALLEST", 10**6)
    slow = tv_g(f, 0.1, 0.02, 1e-3)
    assert fast.iterations < slow.iterations
    assert (fast.structure - slow.structure).abs().max() < 1e-2
