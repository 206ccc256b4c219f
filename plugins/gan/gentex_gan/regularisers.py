"""Penalties on the gradient of a discriminator at its input, and when they are due.

They differentiate twice. That is done in float32 with autocast off, where squares of small
gradients would vanish in half precision; and through `forward`, past a compiled module, because
compiled graphs have no second derivative.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from gentex_gan.twice import TwiceDifferentiable


def input_gradient(
    discriminator: nn.Module, images: Tensor, *condition: Tensor
) -> tuple[Tensor, Tensor]:
    """∇D at images (N, C, H, W), of the same shape and itself differentiable; and the logits (N,).

    Each logit must depend on its own image alone: no batch norm in the discriminator.
    """
    images = images.detach().float().requires_grad_()
    with torch.autocast(images.device.type, enabled=False), torch.enable_grad():
        with TwiceDifferentiable():
            logits: Tensor = discriminator.forward(images, *condition)
        (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradient, logits


def zero_centred_penalty(
    discriminator: nn.Module, images: Tensor, *condition: Tensor
) -> tuple[Tensor, Tensor]:
    """E ‖∇D‖² at the images: R1 at real ones, R2 at generated ones (Mescheder et al. 2018, eq. 9).

    Returns the penalty, a scalar, and the logits (N,), which the loss can go on with.
    """
    gradient, logits = input_gradient(discriminator, images, *condition)
    return gradient.square().sum((1, 2, 3)).mean(), logits


def gradient_penalty(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """E (‖∇D(x̂)‖ - 1)², x̂ anywhere between a real and a generated image: Gulrajani 2017, eq. 3."""
    share = torch.rand(len(real), 1, 1, 1, device=real.device)
    between = torch.lerp(real.float(), fake.float(), share)
    gradient, _ = input_gradient(critic, between)
    penalty: Tensor = (gradient.flatten(1).norm(dim=1) - 1).square().mean()
    return penalty


class Lazy(nn.Module):
    """Lazy regularisation (StyleGAN2, Karras et al. 2020): a penalty at every k-th step, k-fold.

    The count is kept on the host, where asking for it does not wait for the device, and is saved
    with the model, so that a resumed run goes on in phase.
    """

    def __init__(self, every: int) -> None:
        super().__init__()
        self.every = every
        self.count = 0

    def due(self) -> float:
        """What to multiply the penalty by in this step: `every` when it is due, else 0."""
        self.count += 1
        return self.every if (self.count - 1) % self.every == 0 else 0

    def get_extra_state(self) -> Tensor:
        return torch.tensor(self.count)

    def set_extra_state(self, state: Any) -> None:
        self.count = int(state)
