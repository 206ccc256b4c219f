"""What the GANs share: truncation, classes, sampling."""

import pytest
import torch
from gentex_gan.gan import truncated
from hypothesis import given
from hypothesis import strategies as st

import gentex
from gentex import Batch, ImageShape
from gentex.errors import DataError

IMAGE = ImageShape(1, 16, 16)
CONDITIONAL = {"sngan": {"width": 4}, "r3gan": {"width": 8}}


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(4)


def conditional(name: str):
    model = gentex.create(name, image=IMAGE, seed=0, latent=8, classes=3, **CONDITIONAL[name])
    with torch.no_grad():  # r3gan's embedding does not matter yet where its blocks are identities
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model.eval()


@given(st.lists(st.floats(-8, 8, width=32), min_size=2, max_size=20), st.floats(0.05, 6))
def test_truncated_noise_keeps_its_order_within_the_bound(values, bound):
    z = torch.tensor(sorted(values))
    inside = truncated(z, bound)
    assert inside.abs().max() <= bound + 1e-6
    assert (inside.diff() >= 0).all()
    assert (inside.abs() <= z.abs() + 1e-6).all()


def test_truncated_noise_is_a_truncated_normal():
    """Against the moments by rejection; and a bound beyond all noise changes nothing."""
    z = torch.randn(200_000, generator=rng())
    rejected = z[z.abs() < 0.8]
    inside = truncated(z, 0.8)
    assert inside.std().item() == pytest.approx(rejected.std().item(), rel=0.01)
    assert inside.abs().mean().item() == pytest.approx(rejected.abs().mean().item(), rel=0.01)
    torch.testing.assert_close(truncated(z, 12.0), z)


def test_truncation_makes_samples_less_varied_and_can_be_set_later():
    model = gentex.create("wgan-gp", image=IMAGE, seed=0, width=8).eval()
    whole = model.sample(64, rng=rng())
    model.truncation = 0.2
    narrow = model.sample(64, rng=rng())
    assert narrow.std(0).mean() < 0.5 * whole.std(0).mean()


@pytest.mark.parametrize("name", CONDITIONAL)
def test_samples_are_of_the_class_asked_for(name):
    model = conditional(name)
    ones = model.sample(6, rng=rng(), condition=torch.ones(6, dtype=torch.long))
    twos = model.sample(6, rng=rng(), condition=torch.full((6,), 2))
    assert (ones - twos).abs().amax((1, 2, 3)).min() > 1e-3


@pytest.mark.parametrize("name", CONDITIONAL)
def test_without_a_condition_classes_are_drawn_evenly_and_the_noise_stays(name):
    model = conditional(name)
    n = 300
    drawn = model.sample(n, rng=rng())
    by_class = [model.sample(n, rng=rng(), condition=torch.full((n,), k)) for k in range(3)]
    hits = torch.stack([(drawn - each).abs().amax((1, 2, 3)) < 1e-5 for each in by_class])
    assert (hits.sum(0) == 1).all()
    assert (hits.sum(1) > 75).all()


@pytest.mark.parametrize("name", CONDITIONAL)
def test_classes_need_labels(name):
    with pytest.raises(DataError, match="needs a dataset with labels"):
        next(conditional(name).training_step(Batch(torch.rand(2, *IMAGE))))


def test_an_unconditional_gan_takes_no_condition():
    model = gentex.create("dcgan", image=IMAGE, width=4)
    with pytest.raises(TypeError, match="unconditional"):
        model.sample(2, condition=torch.zeros(2, dtype=torch.long))


@pytest.mark.parametrize(
    ("name", "settings", "order"),
    [
        ("dcgan", {"width": 4}, ["discriminator", "generator"]),
        ("wgan-gp", {"width": 4}, ["discriminator"] * 5 + ["generator"]),
        ("sngan", {"width": 4, "n_critic": 2}, ["discriminator"] * 2 + ["generator"]),
        ("r3gan", {"width": 8}, ["discriminator", "generator"]),
    ],
)
def test_the_order_of_updates(name, settings, order):
    model = gentex.create(name, image=IMAGE, **settings)
    assert [u.optimizer for u in model.training_step(Batch(torch.rand(4, *IMAGE)))] == order


def test_classes_that_there_are_not():
    model = gentex.create("sngan", image=ImageShape(1, 16, 16), seed=0, width=4, classes=3)
    for wrong in (3, -1):
        with pytest.raises(DataError, match=f"class {wrong} .* 0 to 2"):
            model.sample(2, condition=torch.tensor([0, wrong]))
        batch = Batch(torch.rand(2, 1, 16, 16), torch.tensor([wrong, 0]))
        with pytest.raises(DataError, match=f"class {wrong} .* 0 to 2"):
            next(model.training_step(batch))
