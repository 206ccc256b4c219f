"""What every architecture of the plugin keeps to, whatever it is."""

import pytest
import torch

import gentex_gan
from gentex import Batch, ImageShape, interfaces
from gentex_gan.dcgan import DCGAN

SHAPES = [ImageShape(1, 16, 16), ImageShape(3, 32, 16), ImageShape(3, 28, 28)]
BUILDS = {"dcgan": lambda image: DCGAN(image, width=4, latent=8)}

each_model = pytest.mark.parametrize("build", BUILDS.values(), ids=BUILDS)
each_shape = pytest.mark.parametrize("image", SHAPES, ids=str)


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(image: ImageShape, n: int = 6) -> Batch:
    return Batch(torch.rand(n, *image), torch.arange(n) % 3)


@each_model
@each_shape
def test_samples(build, image, drive):
    model = build(image)
    drive(model, [batch(image)])
    model.eval()
    samples = model.sample(5, rng=rng(1))
    assert samples.shape == (5, *image)
    assert samples.min() >= 0
    assert samples.max() <= 1
    assert samples.std(0).max() > 1e-4  # not one image five times
    assert torch.equal(samples, model.sample(5, rng=rng(1)))
    assert not torch.equal(samples, model.sample(5, rng=rng(2)))


@each_model
def test_a_sample_depends_on_its_own_generator_alone(build, drive):
    model = build(SHAPES[0])
    drive(model, [batch(SHAPES[0])])
    model.eval()
    many = model.sample(7, rng=interfaces.sample_rngs(3, range(7)))
    few = model.sample(2, rng=interfaces.sample_rngs(3, [5, 2]))
    torch.testing.assert_close(few, many[[5, 2]])


@each_model
@each_shape
def test_every_parameter_is_trained(build, image):
    model = build(image)
    optimizers, reached = model.optimizers(), set()
    for update in model.training_step(batch(image)):
        parameters = [
            p for group in optimizers[update.optimizer].param_groups for p in group["params"]
        ]
        gradients = torch.autograd.grad(update.loss, parameters, allow_unused=True)
        reached |= {
            id(p)
            for p, gradient in zip(parameters, gradients, strict=True)
            if gradient is not None and gradient.abs().sum() > 0
        }
    unreached = [name for name, p in model.named_parameters() if id(p) not in reached]
    assert unreached == []


@each_model
def test_state_round_trip(build, drive):
    model, other = build(SHAPES[0]), build(SHAPES[0])
    drive(model, [batch(SHAPES[0])])
    other.load_state_dict(model.state_dict())
    a, b = (m.eval().sample(3, rng=rng(0)) for m in (model, other))
    assert torch.equal(a, b)


@each_model
def test_same_seed_same_training(build, drive):
    runs = []
    for _ in range(2):
        torch.manual_seed(5)
        model = build(SHAPES[0])
        drive(model, [batch(SHAPES[0]) for _ in range(2)])
        runs.append(model.eval().sample(3, rng=rng(0)))
    assert torch.equal(*runs)


@pytest.mark.parametrize("card", gentex_gan.gentex_cards(), ids=lambda card: card.name)
def test_cards(card):
    assert card.name in BUILDS
    assert card.paper
    assert card.paper.arxiv
    assert card.license == "MIT"
    assert card.matches(interface="generator", tags=["gan"])
