"""EDM: Karras, Aittala, Aila & Laine 2022.

«Elucidating the Design Space of Diffusion-Based Generative Models», with the column «Ours» of its
table 1: preconditioning, noise levels, weights of the loss, and the deterministic sampler.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from gentex import Batch, Generator, ImageShape, Rng, randn
from gentex_flow.checks import check_positive, unconditional
from gentex_flow.solvers import evaluated
from gentex_flow.unet import UNet

SIGMA_DATA = 0.5
"""The standard deviation that images in [-1, 1] are taken to have."""


class EDM(Generator):
    """A denoiser D(x; σ) of images in [-1, 1] under Gaussian noise of standard deviation σ.

    width, blocks, patch, dropout: of the network; see `UNet`.
    log_sigma_mean, log_sigma_std: of the normal distribution of ln σ in training.
    steps: of Heun's method when sampling, with two evaluations of the network in all but the last.
    sigma_min, sigma_max, rho: the noise levels of sampling; see `levels`.
    lr: learning rate of Adam.

    Those of sampling do not touch training, and can be set on a trained model.

    spent: (n,), the evaluations of the network for each image of the last `sample`.
    """

    def __init__(
        self,
        image: ImageShape,
        *,
        width: int = 32,
        blocks: int = 1,
        patch: int = 1,
        dropout: float = 0.0,
        log_sigma_mean: float = -1.2,
        log_sigma_std: float = 1.2,
        steps: int = 18,
        sigma_min: float = 0.002,
        sigma_max: float = 80.0,
        rho: float = 7.0,
        lr: float = 1e-3,
    ) -> None:
        super().__init__()
        check_positive(log_sigma_std=log_sigma_std, steps=steps, rho=rho, lr=lr)
        check_positive(sigma_min=sigma_min, sigma_max=sigma_max)
        self.image, self.steps, self.lr = image, steps, lr
        self.log_sigma_mean, self.log_sigma_std = log_sigma_mean, log_sigma_std
        self.sigma_min, self.sigma_max, self.rho = sigma_min, sigma_max, rho
        self.spent = torch.zeros(0, dtype=torch.int64)
        self.network = UNet(image, width=width, blocks=blocks, patch=patch, dropout=dropout)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"denoiser": torch.optim.Adam(self.parameters(), lr=self.lr, fused=True)}

    def loss(self, batch: Batch) -> Tensor:
        """E λ(σ) ‖D(y + σ n; σ) - y‖², the mean over the dimensions of an image."""
        y = 2 * batch.images - 1
        normal = torch.randn(len(batch), device=self.device)
        sigma = (self.log_sigma_mean + self.log_sigma_std * normal).exp()
        x = y + sigma.view(-1, 1, 1, 1) * torch.randn_like(y)
        weight = precondition(sigma).out ** -2  # λ(σ): every noise level starts with the same loss
        return (weight * (self.denoise(x, sigma) - y).square()).mean()

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        """D(x; σ) (N, C, H, W) of noisy images x (N, C, H, W) and noise levels σ (N,)."""
        c = precondition(sigma)
        denoised: Tensor = c.skip * x + c.out * self.network(c.into * x, c.noise).float()
        return denoised

    @torch.no_grad()
    def sample(self, n: int, *, rng: Rng = None, condition: Tensor | None = None) -> Tensor:
        """Algorithm 1 of the paper with σ(t) = t and s(t) = 1."""
        unconditional("edm", condition)
        sigmas = levels(self.steps, self.sigma_min, self.sigma_max, self.rho)
        x = sigmas[0] * randn((n, *self.image), rng=rng, device=self.device)
        for now, after in pairwise(sigmas):
            slope = self.slope(x, now)
            ahead = x + (after - now) * slope
            if after > 0:
                slope = (slope + self.slope(ahead, after)) / 2
            x = x + (after - now) * slope
        self.spent = evaluated(2 * self.steps - 1, x)
        return ((x + 1) / 2).clamp(0, 1)

    def slope(self, x: Tensor, sigma: float) -> Tensor:
        """dx/dσ along the probability flow, at one noise level for all."""
        return (x - self.denoise(x, x.new_full((len(x),), sigma))) / sigma


class Preconditioning(NamedTuple):
    """Factors (N, 1, 1, 1) around the network, and what it is told of the noise, (N,)."""

    skip: Tensor
    out: Tensor
    into: Tensor
    noise: Tensor


def precondition(sigma: Tensor) -> Preconditioning:
    """c_skip, c_out, c_in and c_noise of noise levels (N,).

    They give the network's input and its target unit variance at every level, where the data have
    the standard deviation `SIGMA_DATA`.
    """
    s = sigma.view(-1, 1, 1, 1)
    total = (s**2 + SIGMA_DATA**2).sqrt()
    return Preconditioning(
        skip=(SIGMA_DATA / total) ** 2,
        out=s * SIGMA_DATA / total,
        into=1 / total,
        noise=sigma.log() / 4,
    )


def levels(steps: int, low: float, high: float, rho: float) -> list[float]:
    """Noise levels from `high` to `low`, the closer the lower, and then 0: equation 5, `steps` + 1.

    Evenly spaced in σ^(1/ρ).
    """
    if steps == 1:
        return [high, 0.0]
    start, end = high ** (1 / rho), low ** (1 / rho)
    return [(start + i / (steps - 1) * (end - start)) ** rho for i in range(steps)] + [0.0]
