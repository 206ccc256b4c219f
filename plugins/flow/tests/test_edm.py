import math

import pytest
import torch
from gentex_flow.edm import EDM, SIGMA_DATA, levels, precondition
from hypothesis import given
from hypothesis import strategies as st

import gentex
from gentex import Batch, ImageShape
from gentex.errors import HyperparameterError
from gentex.interfaces import sample_rngs

IMAGE = ImageShape(1, 8, 8)
MEAN, STD = 0.2, 0.3

log_sigmas = st.floats(math.log(0.002), math.log(80))


def small(image: ImageShape = IMAGE, **hyperparameters) -> EDM:
    return EDM(image, **{"width": 16} | hyperparameters)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def gaussian(x, sigma):
    """The best denoiser in closed form for images N(MEAN, STD²): E[y | y + σ n = x]."""
    sigma = sigma.view(-1, 1, 1, 1)
    return MEAN + STD**2 / (STD**2 + sigma**2) * (x - MEAN)


@given(log_sigmas)
def test_preconditioning_against_table_1(log_sigma):
    sigma, data = math.exp(log_sigma), 0.5
    c = precondition(torch.tensor([sigma], dtype=torch.float64))
    assert c.skip.item() == pytest.approx(data**2 / (sigma**2 + data**2))
    assert c.out.item() == pytest.approx(sigma * data / math.sqrt(sigma**2 + data**2))
    assert c.into.item() == pytest.approx(1 / math.sqrt(sigma**2 + data**2))
    assert c.noise.item() == pytest.approx(math.log(sigma) / 4)


@given(log_sigmas)
def test_preconditioning_gives_unit_variance(log_sigma):
    """Of the network's input c_in (y + n), and of its target (y - c_skip (y + n)) / c_out."""
    sigma = math.exp(log_sigma)
    c = precondition(torch.tensor([sigma], dtype=torch.float64))
    assert (c.into**2 * (SIGMA_DATA**2 + sigma**2)).item() == pytest.approx(1)
    target = ((1 - c.skip) ** 2 * SIGMA_DATA**2 + c.skip**2 * sigma**2) / c.out**2
    assert target.item() == pytest.approx(1)


@pytest.mark.parametrize("sigma", [0.002, 0.3, 80.0])
def test_every_noise_level_starts_with_the_same_loss(sigma):
    """The target has unit variance and the network says 0 at first, so the weighted loss is 1."""
    model = small(log_sigma_mean=math.log(sigma), log_sigma_std=1e-6)
    images = (1 + SIGMA_DATA * torch.randn(500, *IMAGE)) / 2
    assert model.loss(Batch(images)).item() == pytest.approx(1, rel=0.03)


def test_the_loss_is_that_of_the_best_denoiser():
    """Its squared error at σ is the posterior variance σ² STD² / (σ² + STD²)."""
    model = small()
    model.denoise = gaussian
    images = (1 + MEAN + STD * torch.randn(20_000, *IMAGE)) / 2
    u = torch.linspace(1e-5, 1 - 1e-5, 10_001, dtype=torch.float64)
    square = (-1.2 + 1.2 * torch.special.ndtri(u)).exp() ** 2
    weight = (square + 0.25) / (square * 0.25)
    expected = (weight * square * STD**2 / (square + STD**2)).mean()
    assert model.loss(Batch(images)).item() == pytest.approx(float(expected), rel=0.02)


def test_noise_levels():
    sigmas = levels(18, 0.002, 80, 7)
    assert len(sigmas) == 19
    assert sigmas[0] == pytest.approx(80)
    assert sigmas[17] == pytest.approx(0.002)
    assert sigmas[18] == 0
    assert sigmas == sorted(sigmas, reverse=True)
    halfway = (80 ** (1 / 7) + 8.5 / 17 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
    assert sigmas[8] > halfway > sigmas[9]
    roots = torch.tensor(sigmas[:18]).double() ** (1 / 7)
    torch.testing.assert_close(roots.diff(), roots.diff().mean().expand(17))


def test_the_sampler_is_of_order_two():
    """The flow between two Gaussians scales x - MEAN by √(STD² + σ²)."""
    start = 80 * torch.randn(64, *IMAGE, generator=rng())
    scale = STD / math.hypot(STD, 80)
    expected = (1 + MEAN + scale * (start - MEAN)) / 2
    errors = []
    for steps in (36, 72):
        model = small(steps=steps)
        model.denoise = gaussian
        errors.append(float((model.sample(64, rng=rng()) - expected.clamp(0, 1)).abs().max()))
    assert errors[0] < 0.01
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.1)


@pytest.mark.parametrize(("steps", "spent"), [(1, 1), (2, 3), (18, 35)])
def test_evaluations(steps, spent):
    model = small(steps=steps)
    rows = []
    model.network.register_forward_hook(lambda _, x, y: rows.append(len(y)))
    model.sample(3)
    assert rows == [3] * spent
    assert model.spent.tolist() == [spent] * 3


def test_an_image_does_not_depend_on_those_beside_it(awaken):
    model = awaken(small(steps=4))
    together = model.sample(5, rng=sample_rngs(3, range(5)))
    alone = model.sample(1, rng=sample_rngs(3, [4]))
    torch.testing.assert_close(alone[0], together[4], rtol=0, atol=1e-4)


def test_it_learns_the_closed_form(noise):
    model = small(lr=3e-3)
    gentex.train(model, noise, steps=150, batch_size=64, device="cpu", ema=0.98)
    model.eval()
    for level in (0.1, 0.3, 1.0):
        sigma = torch.full((64,), level)
        y = MEAN + STD * torch.randn(64, *IMAGE)
        x = y + level * torch.randn_like(y)
        with torch.no_grad():
            gap = (model.denoise(x, sigma) - gaussian(x, sigma)).square().mean()
        assert gap < 0.1 * STD**2 * level**2 / (STD**2 + level**2)  # of what cannot be known


def test_it_learns(bars):
    model = small(lr=3e-3)
    history = gentex.train(model, bars, steps=250, batch_size=32, device="cpu", ema=0.98)
    (curve,) = history.curves.values()
    assert curve[-1][1] < 0.5 * curve[0][1]
    images, samples = bars.batch(torch.arange(64)).images, model.eval().sample(128, rng=rng())
    assert (samples.mean(0) - images.mean(0)).abs().mean() < 0.25 * images.std()
    distances = torch.cdist(samples.flatten(1), images.flatten(1))
    assert distances.amin(1).median() < 0.3 * torch.pdist(images[:12].flatten(1)).min()


def test_errors():
    with pytest.raises(HyperparameterError, match="steps=0"):
        small(steps=0)
    with pytest.raises(HyperparameterError, match="sigma_min=0"):
        small(sigma_min=0.0)
    with pytest.raises(TypeError, match="not class-conditional"):
        small().sample(2, condition=torch.zeros(2, dtype=torch.int64))
