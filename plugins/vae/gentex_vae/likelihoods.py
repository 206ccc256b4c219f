"""Likelihoods p(x | z) of 8-bit images, given what a decoder puts out.

Each is a module with `log_prob(images, output) -> (N,)`, in nats, summed over the dimensions of an
image, and `mean(output)`, the expected image, in [0, 1]. Images lie in [0, 1], (N, C, H, W); they
are rounded to the 256 grey levels k/255 where the likelihood is one of 8-bit values. The decoder's
output has their shape and is unbounded. A spread is learned, one for each channel: Kingma et al.
2016 for the logistic, Rybkin et al. 2021 for the Gaussian.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

Name = Literal["logistic", "gaussian", "bernoulli"]


class Likelihood(nn.Module, ABC):
    """p(x | z), of 8-bit values where `eight_bit` says so."""

    eight_bit = True

    @abstractmethod
    def log_prob(self, images: Tensor, output: Tensor) -> Tensor: ...

    @abstractmethod
    def mean(self, output: Tensor) -> Tensor: ...


class Spread(nn.Module):
    """A learned spread per channel, in units of the image range: s = s₀ exp(10 θ), θ = 0 at first.

    The factor makes Adam move log s by ten learning rates a step: from s₀ to that of the data is a
    way of several units, and all other parameters wait for it.
    """

    def __init__(self, channels: int, initial: float = 0.1) -> None:
        super().__init__()
        self.initial = initial
        self.theta = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self) -> Tensor:
        spread: Tensor = self.initial * torch.exp(10 * self.theta.float())
        return spread


class DiscretisedLogistic(Likelihood):
    """The mass that a logistic density of location μ and scale s puts into the bin of each level.

    P(k) = σ((k + ½ - 255μ) / 255s) - σ((k - ½ - 255μ) / 255s), and the bins of 0 and 255 take the
    tails (Salimans et al. 2017, equation 2). So the masses of the 256 levels add up to 1.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = Spread(channels)

    def log_prob(self, images: Tensor, output: Tensor) -> Tensor:
        scale: Tensor = self.scale()
        level = torch.round(255 * images)
        centre = level / 255 - location(output)
        above, below = (centre + 0.5 / 255) / scale, (centre - 0.5 / 255) / scale
        # σ(a) - σ(b) = σ(a) σ(-b) (1 - exp(b - a)), where nothing cancels; the end bins have only
        # the first or the second factor.
        width = 1 / (255 * scale)
        last, first = level == 255, level == 0
        log_mass = (
            -softplus(-above).masked_fill(last, 0)
            - softplus(below).masked_fill(first, 0)
            + torch.log(-torch.expm1(-width)).expand_as(centre).masked_fill(first | last, 0)
        )
        return log_mass.flatten(1).sum(1)

    def mean(self, output: Tensor) -> Tensor:
        """∑ k P(k) / 255 = ∑ P(x ≥ k) / 255, the midpoint rule of ∫₀¹ σ((μ - t) / s) dt."""
        scale: Tensor = self.scale()
        mu = location(output)
        return (scale * (softplus(mu / scale) - softplus((mu - 1) / scale))).clamp(0, 1)


class Gaussian(Likelihood):
    """A Gaussian density of mean μ and standard deviation σ, for uniformly dequantised data.

    In grey levels, the value k stands for the uniform density on [k - ½, k + ½], and
    log P(k) = log ∫ N(k + u) du ≥ E_u log N(k + u), which is closed for a Gaussian: no noise is
    drawn, and σ cannot shrink to nothing on data that repeats its values (Theis et al. 2016).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.deviation = Spread(channels)

    def log_prob(self, images: Tensor, output: Tensor) -> Tensor:
        sigma: Tensor = 255 * self.deviation()
        error = torch.round(255 * images) - 255 * location(output)
        variance_of_u = 1 / 12
        log_mass = (
            -torch.log(sigma)
            - (math.log(2 * math.pi) + (error.square() + variance_of_u) / sigma.square()) / 2
        )
        return log_mass.flatten(1).sum(1)

    def mean(self, output: Tensor) -> Tensor:
        """The location, cut to [0, 1]."""
        return location(output).clamp(0, 1)


class Bernoulli(Likelihood):
    """Black and white pixels, white with probability σ(output).

    Intensities are the probabilities with which a pixel of the data is white, and `log_prob` is the
    expectation over that binarisation (Salakhutdinov & Murray 2008): the likelihood of binary
    images, which no likelihood of 8-bit ones can be compared with.
    """

    eight_bit = False

    def __init__(self, channels: int) -> None:
        super().__init__()

    def log_prob(self, images: Tensor, output: Tensor) -> Tensor:
        nats = binary_cross_entropy_with_logits(output.float(), images.float(), reduction="none")
        return -nats.flatten(1).sum(1)

    def mean(self, output: Tensor) -> Tensor:
        return torch.sigmoid(output.float())


def location(output: Tensor) -> Tensor:
    """Where a likelihood is centred, in the range of images: the decoder starts near mid-grey."""
    return 0.5 + output.float()


LIKELIHOODS: dict[str, type[Likelihood]] = {
    "logistic": DiscretisedLogistic,
    "gaussian": Gaussian,
    "bernoulli": Bernoulli,
}
