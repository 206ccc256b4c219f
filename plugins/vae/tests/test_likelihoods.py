"""Against sums over all 256 levels, quadrature, and torch.distributions, in float64."""

import math

import pytest
import torch
from gentex_vae.likelihoods import Bernoulli, DiscretisedLogistic, Gaussian
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

LEVELS = (torch.arange(256) / 255).view(256, 1, 1, 1)

outputs = st.floats(-2, 2).map(lambda value: torch.full((1, 1, 1), value))
log_spreads = st.floats(math.log(5e-4), math.log(5))


def spread(likelihood: DiscretisedLogistic | Gaussian, log_spread: float) -> float:
    """Set the learned spread; returns it."""
    (theta,) = likelihood.parameters()
    with torch.no_grad():
        theta.fill_((log_spread - math.log(0.1)) / 10)
    return math.exp(log_spread)


def masses(likelihood: DiscretisedLogistic | Gaussian, output: Tensor) -> Tensor:
    """P(k) of a single pixel, (256,)."""
    return likelihood.log_prob(LEVELS, output.expand_as(LEVELS)).detach().double().exp()


@given(outputs, log_spreads)
def test_logistic_masses_add_up_to_one(output, log_spread):
    likelihood = DiscretisedLogistic(1)
    spread(likelihood, log_spread)
    assert masses(likelihood, output).sum().item() == pytest.approx(1, abs=1e-4)


@given(outputs, st.floats(math.log(0.01), math.log(5)))
def test_logistic_masses_are_differences_of_the_distribution_function(output, log_spread):
    likelihood = DiscretisedLogistic(1)
    s = spread(likelihood, log_spread)
    edges = (torch.arange(1, 256, dtype=torch.float64) - 0.5) / 255
    below = torch.sigmoid((edges - 0.5 - output.double().item()) / s)
    cdf = torch.cat([torch.zeros(1), below, torch.ones(1)])
    torch.testing.assert_close(masses(likelihood, output), cdf.diff(), rtol=1e-3, atol=1e-7)


@given(outputs, log_spreads)
def test_far_levels_keep_a_finite_log_mass(output, log_spread):
    likelihood = DiscretisedLogistic(1)
    spread(likelihood, log_spread)
    output.requires_grad_()
    log_prob = likelihood.log_prob(LEVELS, output.expand_as(LEVELS))
    log_prob.sum().backward()
    assert log_prob.isfinite().all()
    assert output.grad is not None
    assert output.grad.isfinite().all()


@given(outputs, st.floats(math.log(2e-3), math.log(5)))
def test_logistic_mean_is_that_of_the_masses(output, log_spread):
    likelihood = DiscretisedLogistic(1)
    spread(likelihood, log_spread)
    expected = (masses(likelihood, output) * LEVELS.flatten()).sum().item()
    assert likelihood.mean(output).item() == pytest.approx(expected, abs=1e-3)


@given(outputs, st.floats(math.log(2e-3), math.log(5)))
def test_gaussian_is_the_expectation_over_dequantised_values(output, log_spread):
    likelihood = Gaussian(1)
    sigma = 255 * spread(likelihood, log_spread)
    level, mu = 77, 255 * (0.5 + output.double().item())
    u = (torch.arange(10_000, dtype=torch.float64) + 0.5) / 10_000 - 0.5
    expected = torch.distributions.Normal(mu, sigma).log_prob(level + u).mean().item()
    got = likelihood.log_prob(torch.full((1, 1, 1, 1), level / 255), output[None]).item()
    assert got == pytest.approx(expected, rel=1e-4, abs=1e-4)


@given(outputs, log_spreads)
def test_gaussian_masses_stay_below_one(output, log_spread):
    """Each is a lower bound, so no spread, however small, buys more than the data hold."""
    likelihood = Gaussian(1)
    spread(likelihood, log_spread)
    assert masses(likelihood, output).sum().item() <= 1 + 1e-4


def test_bernoulli_is_the_expectation_over_binarisations():
    images, output = torch.rand(3, 2, 4, 5), torch.randn(3, 2, 4, 5)
    white = torch.distributions.Bernoulli(logits=output)
    ones = white.log_prob(torch.ones_like(images))
    zeros = white.log_prob(torch.zeros_like(images))
    expected = (images * ones + (1 - images) * zeros).sum((1, 2, 3))
    torch.testing.assert_close(Bernoulli(2).log_prob(images, output), expected)
    torch.testing.assert_close(Bernoulli(2).mean(output), white.probs)


@pytest.mark.parametrize("kind", [DiscretisedLogistic, Gaussian])
def test_the_spread_is_one_for_each_channel_and_is_learned(kind):
    """Adam at 1e-3 finds the spread of the data within a few hundred steps."""
    likelihood = kind(2)
    noise = torch.randn(64, 2, 16, 16) * torch.tensor([0.02, 0.1]).view(2, 1, 1)
    images, output = (0.5 + noise).clamp(0, 1), torch.zeros(64, 2, 16, 16)
    optimizer = torch.optim.Adam(likelihood.parameters(), lr=1e-3)
    for _ in range(300):
        optimizer.zero_grad()
        (-likelihood.log_prob(images, output).mean()).backward()
        optimizer.step()
    (module,) = likelihood.children()
    deviation = module().flatten()
    if kind is DiscretisedLogistic:
        deviation = deviation * math.pi / math.sqrt(3)
    torch.testing.assert_close(deviation, torch.tensor([0.02, 0.1]), rtol=0.1, atol=0)
