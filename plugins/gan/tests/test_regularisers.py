from contextlib import nullcontext

import pytest
import torch
from gentex_gan import regularisers
from gentex_gan.r3gan import R3Discriminator
from gentex_gan.regularisers import Lazy, gradient_penalty, zero_centred_penalty
from gentex_gan.twice import TwiceDifferentiable
from gentex_gan.wgan_gp import Critic
from torch import nn

import gentex
from gentex import ImageShape
from gentex.data import MemoryDataset


class Linear(nn.Module):
    """D(x) = scale · ⟨w, x⟩ with ‖w‖ = 5: its gradient is known."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(1, 4, 4))
        self.w.data[0, 0, 0], self.w.data[0, 1, 2] = 3, 4

    def forward(self, x):
        return (self.w * x).sum((1, 2, 3))


images = torch.randn(6, 1, 4, 4, generator=torch.Generator().manual_seed(0))


def test_penalties_of_a_critic_with_a_known_gradient():
    critic = Linear()
    penalty, logits = zero_centred_penalty(critic, images)
    torch.testing.assert_close(penalty, torch.tensor(25.0))
    torch.testing.assert_close(logits, critic(images))
    (gradient,) = torch.autograd.grad(penalty, critic.w)
    torch.testing.assert_close(gradient, 2 * critic.w)
    penalty = gradient_penalty(critic, images, images.flip(0))
    torch.testing.assert_close(penalty, torch.tensor(16.0))
    (gradient,) = torch.autograd.grad(penalty, critic.w)
    torch.testing.assert_close(gradient, 2 * (5 - 1) * critic.w / 5)


def test_the_gradient_penalty_looks_between_pairs():
    """With D = ‖x‖² / 2 the slope at x is ‖x‖, so that the penalty tells where it was taken."""

    class Square(nn.Module):
        def forward(self, x):
            return x.square().sum((1, 2, 3)) / 2

    real, fake = torch.zeros(4000, 1, 1, 1), torch.full((4000, 1, 1, 1), 3.0)
    penalty = gradient_penalty(Square(), real, fake)
    assert penalty.item() == pytest.approx(1.0, abs=0.1)  # ∫₀¹ (3t - 1)² dt


def test_penalties_reach_neither_the_images_nor_their_maker():
    made = torch.randn(2, 1, 4, 4, requires_grad=True)
    penalty, logits = zero_centred_penalty(Linear(), made)
    (penalty + logits.sum()).backward()
    assert made.grad is None


def test_penalties_are_taken_in_float32():
    critic = Critic(ImageShape(1, 16, 16), 4)
    x = torch.randn(3, 1, 16, 16)
    full = zero_centred_penalty(critic, x)
    with torch.autocast("cpu", torch.bfloat16):
        assert critic(x).dtype == torch.bfloat16
        half = zero_centred_penalty(critic, x.bfloat16())
    assert half[0].dtype == half[1].dtype == torch.float32
    torch.testing.assert_close(half, full, rtol=0.05, atol=1e-4)  # only the images were rounded
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(zero_centred_penalty(critic, x), full, rtol=0, atol=0)


@pytest.mark.parametrize(
    "build",
    [
        lambda: R3Discriminator(ImageShape(2, 16, 32), 16, 0),
        lambda: Critic(ImageShape(2, 16, 32), 4),
        lambda: nn.Sequential(
            nn.Conv2d(2, 4, (4, 5), stride=(2, 3), padding=(1, 0)),
            nn.Softplus(),
            nn.Conv2d(4, 4, 3, padding="same", groups=2),
            nn.Softplus(),
            nn.Conv2d(4, 1, 3, dilation=2, bias=False),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(0),
        ),
    ],
    ids=["r3gan", "wgan-gp", "strides"],
)
def test_quick_second_derivatives_are_pytorch_s_own(build, monkeypatch):
    discriminator = build()
    for parameter in discriminator.parameters():
        nn.init.normal_(parameter, 0, 0.2)
    x = torch.randn(3, 2, 16, 32)

    def gradients():
        penalty, logits = zero_centred_penalty(discriminator, x)
        return torch.autograd.grad(penalty + logits.sum(), list(discriminator.parameters()))

    quick = gradients()
    monkeypatch.setattr(regularisers, "TwiceDifferentiable", nullcontext)
    for one, other in zip(quick, gradients(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4 * other.abs().max().item())


def test_quick_convolutions_pass_gradgradcheck():
    x = torch.randn(2, 4, 6, 5, dtype=torch.double, requires_grad=True)
    conv = nn.Conv2d(4, 4, 3, stride=2, padding=1, groups=2).double().requires_grad_(False)

    def cubed(x):
        with TwiceDifferentiable():
            return conv(x) ** 3

    assert torch.autograd.gradcheck(cubed, x)
    assert torch.autograd.gradgradcheck(cubed, x)


def test_lazy_penalties_weigh_the_same_in_total():
    lazy = Lazy(4)
    assert [lazy.due() for _ in range(6)] == [4, 0, 0, 0, 4, 0]
    other = Lazy(4)
    other.load_state_dict(lazy.state_dict())
    assert [other.due() for _ in range(3)] == [0, 0, 4]


def test_a_resumed_run_goes_on_in_phase(tmp_path):
    data = MemoryDataset("noise", "train", torch.randint(256, (16, 1, 16, 16)).to(torch.uint8))
    hyperparameters = {"width": 8, "latent": 4, "reg_every": 3, "augment": "ada"}
    given = {"batch_size": 4, "seed": 1, "device": "cpu"}

    def fresh():
        return gentex.create("r3gan", image=data.image, seed=0, **hyperparameters)

    through, resumed = fresh(), fresh()
    gentex.train(through, data, steps=5, **given)
    gentex.train(fresh(), data, steps=2, checkpoint=tmp_path / "c.pt", **given)
    gentex.train(resumed, data, steps=5, checkpoint=tmp_path / "c.pt", **given)
    for (name, one), other in zip(
        through.state_dict().items(), resumed.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other), name
