import itertools

import pytest
import torch
from gentex_flow.flow_matching import FlowMatching, assignment
from torch import nn

import gentex
from gentex import Batch, ImageShape
from gentex.errors import HyperparameterError
from gentex.interfaces import sample_rngs

IMAGE = ImageShape(1, 8, 8)
MEAN, STD = 0.2, 0.3


def small(image: ImageShape = IMAGE, **hyperparameters) -> FlowMatching:
    return FlowMatching(image, **{"width": 16} | hyperparameters)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Gaussian(nn.Module):
    """The velocity in closed form for images N(MEAN, STD²): E[x₁ - x₀ | x_t = x]."""

    def forward(self, x, t):
        t = t.view(-1, 1, 1, 1)
        variance = (1 - t) ** 2 + t**2 * STD**2
        return MEAN + (t * STD**2 - (1 - t)) / variance * (x - t * MEAN)


def test_the_closed_form_has_the_least_loss():
    """Its loss is the variance of x₁ - x₀ given x_t; any other velocity has a larger one."""
    model = small()
    model.network = Gaussian()
    images = (1 + MEAN + STD * torch.randn(20_000, *IMAGE)) / 2
    t = torch.linspace(0, 1, 10_001, dtype=torch.float64)
    covariance = t * STD**2 - (1 - t)
    expected = 1 + STD**2 - covariance**2 / ((1 - t) ** 2 + t**2 * STD**2)
    loss = model.loss(Batch(images))
    assert float(loss) == pytest.approx(float(expected.mean()), rel=0.02)
    for wrong in (lambda x, t: 1.2 * Gaussian()(x, t), lambda x, t: 0.1 + Gaussian()(x, t)):
        model.network.forward = wrong
        assert model.loss(Batch(images)) > 1.005 * loss


@pytest.mark.parametrize(
    ("hyperparameters", "gap"),
    [
        ({"solver": "euler", "evaluations": 400}, 5e-3),
        ({"solver": "midpoint", "evaluations": 100}, 1e-3),
        ({"solver": "adaptive", "tolerance": 1e-5}, 1e-4),
    ],
    ids=str,
)
def test_the_closed_form_carries_noise_to_the_images(hyperparameters, gap):
    """The flow between two Gaussians is x₁ = MEAN + STD x₀."""
    model = small(**hyperparameters)
    model.network = Gaussian()
    noise = torch.randn(16, *IMAGE, generator=rng())
    expected = (1 + MEAN + STD * noise) / 2
    assert (model.sample(16, rng=rng()) - expected.clamp(0, 1)).abs().max() < gap


def test_it_learns_the_closed_form(noise):
    model = small(lr=3e-3)
    gentex.train(model, noise, steps=150, batch_size=64, device="cpu", ema=0.98)
    model.eval()
    for time in (0.1, 0.5, 0.9):
        t = torch.full((64,), time)
        spread = ((1 - time) ** 2 + (time * STD) ** 2) ** 0.5
        x = time * MEAN + spread * torch.randn(64, *IMAGE)
        expected = Gaussian()(x, t)
        with torch.no_grad():
            gap = (model.velocity(x, t) - expected).square().mean()
        assert gap < 0.015 * (1 + STD**2)  # the variance of what it is trained on


@pytest.mark.parametrize("coupling", ["independent", "ot"])
def test_it_learns(bars, coupling):
    model = small(lr=3e-3, coupling=coupling, evaluations=16)
    history = gentex.train(model, bars, steps=200, batch_size=32, device="cpu", ema=0.98)
    (curve,) = history.curves.values()
    assert curve[-1][1] < 0.5 * curve[0][1]
    images, samples = bars.batch(torch.arange(64)).images, model.eval().sample(128, rng=rng())
    assert (samples.mean(0) - images.mean(0)).abs().mean() < 0.25 * images.std()
    # Each is one of the twelve bars, or nearly.
    distances = torch.cdist(samples.flatten(1), images.flatten(1))
    assert distances.amin(1).median() < 0.3 * torch.pdist(images[:12].flatten(1)).min()


def test_the_assignment_is_the_cheapest():
    noise, images = torch.randn(5, *IMAGE), torch.rand(5, *IMAGE)

    def cost(order):
        return float((noise[list(order)] - images).square().sum())

    best = min(map(cost, itertools.permutations(range(5))))
    found = assignment(noise, images).tolist()
    assert sorted(found) == [*range(5)]
    assert cost(found) == pytest.approx(best)


def test_transport_shortens_the_paths():
    """A network that says 0, as it does at first, loses the mean squared length of the paths."""
    batch = Batch(torch.rand(64, 1, 2, 2))
    lengths = {}
    for coupling in ("independent", "ot"):
        torch.manual_seed(1)
        lengths[coupling] = small(ImageShape(1, 2, 2), coupling=coupling).loss(batch).item()
    torch.manual_seed(1)
    small(ImageShape(1, 2, 2))  # draws what the weights of the others drew
    x1, x0 = 2 * batch.images - 1, torch.randn(64, 1, 2, 2)
    squares = (x1[:, None] - x0[None]).square().flatten(2).mean(2)
    assert lengths["independent"] == pytest.approx(float(squares.diagonal().mean()), rel=1e-5)
    assert float(squares.amin(1).mean()) < lengths["ot"] < 0.6 * lengths["independent"]


def test_times_to_train_at():
    quantiles = torch.tensor([0.1, 0.25, 0.5, 0.75, 0.9])
    uniform = small().times(100_000)
    torch.testing.assert_close(uniform.quantile(quantiles), quantiles, rtol=0, atol=0.01)
    normal = small(time="logit-normal").times(100_000).logit()
    expected = torch.special.ndtri(quantiles)
    torch.testing.assert_close(normal.quantile(quantiles), expected, rtol=0, atol=0.02)


@pytest.mark.parametrize(
    ("solver", "evaluations", "spent"),
    [("euler", 1, 1), ("euler", 7, 7), ("midpoint", 2, 2), ("midpoint", 7, 6)],
)
def test_evaluations(solver, evaluations, spent):
    model = small(solver=solver, evaluations=evaluations)
    rows = []
    model.network.register_forward_hook(lambda _, x, y: rows.append(len(y)))
    model.sample(3)
    assert model.spent.tolist() == [spent] * 3
    assert rows == [3] * spent


def test_evaluations_of_the_adaptive_solver_are_those_of_each_image(awaken):
    model = awaken(small(solver="adaptive", tolerance=1e-4))
    rows = []
    model.network.register_forward_hook(lambda _, x, y: rows.append(len(y)))
    model.sample(6, rng=rng())
    assert sum(rows) == model.spent.sum()
    assert len(rows) >= model.spent.max()


@pytest.mark.parametrize("solver", ["euler", "midpoint", "adaptive"])
def test_an_image_does_not_depend_on_those_beside_it(awaken, solver):
    model = awaken(small(solver=solver, evaluations=8))
    together = model.sample(5, rng=sample_rngs(3, range(5)))
    spent = model.spent
    for i in (0, 4):
        alone = model.sample(1, rng=sample_rngs(3, [i]))
        torch.testing.assert_close(alone[0], together[i], rtol=0, atol=1e-5)
        assert model.spent == spent[i]


def test_solvers_agree_on_a_network(awaken):
    model = awaken(small(solver="adaptive", tolerance=1e-5))
    reference = model.sample(4, rng=rng())
    model.solver, model.evaluations = "midpoint", 200
    torch.testing.assert_close(model.sample(4, rng=rng()), reference, rtol=0, atol=1e-3)
    assert (reference - small(evaluations=2).sample(4, rng=rng())).abs().max() > 0.01


def test_bf16(bars):
    model = small()
    history = gentex.train(model, bars, steps=2, batch_size=4, device="cpu", precision="bf16")
    assert history.steps == 2
    assert model.loss(bars.batch(torch.arange(4))).dtype is torch.float32


def test_errors():
    with pytest.raises(HyperparameterError, match="did you mean 'ot'"):
        small(coupling="otr")
    with pytest.raises(HyperparameterError, match="no time 'beta'"):
        small(time="beta")
    with pytest.raises(HyperparameterError, match="did you mean 'midpoint'"):
        small(solver="middlepoint")
    with pytest.raises(HyperparameterError, match="at least 2"):
        small(evaluations=1)
    with pytest.raises(HyperparameterError, match="tolerance=0"):
        small(tolerance=0.0)
    model = small()
    model.solver = "Euler"  # on a trained model
    with pytest.raises(HyperparameterError, match="did you mean 'euler'"):
        model.sample(1)
    with pytest.raises(TypeError, match="not class-conditional"):
        small().sample(2, condition=torch.zeros(2, dtype=torch.int64))
