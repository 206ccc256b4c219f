import pytest
import torch
from gentex_gan import losses
from hypothesis import given
from hypothesis import strategies as st

real, fake = torch.randn(2, 64, generator=torch.Generator().manual_seed(0)).mul(3)
logits = st.lists(st.floats(-50, 50, width=32), min_size=2, max_size=2)


def test_the_logistic_pair_is_binary_cross_entropy():
    bce, ones = torch.nn.functional.binary_cross_entropy_with_logits, torch.ones(64)
    expected = bce(real, ones) + bce(fake, 1 - ones)
    torch.testing.assert_close(losses.logistic_discriminator(real, fake), expected)
    torch.testing.assert_close(losses.nonsaturating_generator(fake), bce(fake, ones))


def test_the_hinge_is_flat_beyond_its_margins():
    loss = losses.hinge_discriminator
    assert loss(torch.tensor([1.0, 7.0]), torch.tensor([-1.0, -9.0])) == 0
    assert loss(torch.tensor([0.0, 3.0]), torch.tensor([0.0, -1.0])) == pytest.approx(1.0)


def test_the_critic_wants_what_the_generator_does_not():
    torch.testing.assert_close(
        losses.wasserstein_critic(real, fake),
        -real.mean() - losses.wasserstein_generator(fake),
    )


@given(logits, logits, st.floats(-20, 20, width=32))
def test_relativistic_losses_compare_pairs_only(one, other, shift):
    """The logistic loss of the difference: a shift of all logits changes nothing."""
    one, other = torch.tensor(one), torch.tensor(other)
    expected = -torch.nn.functional.logsigmoid(one - other).mean()
    torch.testing.assert_close(losses.relativistic_discriminator(one, other), expected)
    torch.testing.assert_close(losses.relativistic_generator(other, one), expected)
    moved = losses.relativistic_discriminator(one + shift, other + shift)
    torch.testing.assert_close(moved, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "name", [n for n in dir(losses) if n.endswith(("discriminator", "critic"))]
)
def test_losses_fall_as_real_and_fake_come_apart_and_stay_float32(name):
    loss = getattr(losses, name)
    near, far = (loss(real + by, fake - by) for by in (0.0, 0.5))
    assert far < near
    assert loss(real.bfloat16(), fake.bfloat16()).dtype == torch.float32
