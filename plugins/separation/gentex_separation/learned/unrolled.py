"""Unrolled primal–dual iterations: Adler and Öktem, IEEE Trans. on Medical Imaging 37(6), 2018.

Chambolle and Pock's iteration for min_u G(u) + F(Ku), with G the distance to the image and F(Ku)
total variation, is

    p ← prox_F*(p + σ K ū),    u ← prox_G(u − τ K* p),    ū ← u + θ(u − u_before).

Here a fixed number of such iterations is a network: in each, K is a bank of learned filters, K* its
adjoint, and both proximal steps, with the extrapolation, are small networks (algorithm 3 of the
paper, whose K is the tomograph).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from gentex import ImageShape
from gentex_separation.learned.supervised import Supervised, padded, zeroed
from gentex_separation.learned.weights import load_weights
from gentex_separation.solution import whole

BLOCK = 2  # pixels are taken together in 2×2 blocks: as many channels more, a quarter of the places


class Unrolled(Supervised):
    """A few primal–dual iterations, all of whose steps are learned.

    iterations: how many; each has parameters of its own.
    width: filters of K, and so channels of the dual variable.
    lr, steps, weights, ensemble: see `Supervised`.
    """

    def __init__(
        self,
        image: ImageShape,
        *,
        iterations: int = 6,
        width: int = 32,
        lr: float = 1e-3,
        steps: int = 0,
        weights: str = "",
        ensemble: bool = False,
    ) -> None:
        super().__init__(image, lr, steps, weights, ensemble)
        self.width = whole("width", width)
        channels = self.channels * BLOCK**2
        self.iterations = nn.ModuleList(
            Iteration(channels, self.width) for _ in range(whole("iterations", iterations))
        )
        if weights:
            load_weights(self, "unrolled")

    def network(self, images: Tensor) -> Tensor:
        h, w = images.shape[-2:]
        f = functional.pixel_unshuffle(padded(images, BLOCK), BLOCK) - 0.5
        u, beyond = f, f
        p = f.new_zeros(len(f), self.width, *f.shape[2:])
        for iteration in self.iterations:
            u, beyond, p = iteration(f, u, beyond, p)
        return functional.pixel_shuffle(f - u, BLOCK)[..., :h, :w]


class Iteration(nn.Module):
    """(u, ū, p) ↦ the next, for the image f; u and ū have `channels`, p has `width`."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.filters = nn.Parameter(torch.empty(width, channels, 3, 3))
        nn.init.kaiming_uniform_(self.filters, a=5**0.5)
        # As the projection that it stands for, the dual step works in each place on its own.
        self.dual = nn.Sequential(
            nn.Conv2d(2 * width, width, 1), nn.PReLU(), nn.Conv2d(width, width, 1)
        )
        self.primal = nn.Sequential(
            nn.Conv2d(4 * channels, width, 3, padding=1),
            nn.PReLU(),
            zeroed(nn.Conv2d(width, 2 * channels, 3, padding=1)),
        )

    def forward(
        self, f: Tensor, u: Tensor, beyond: Tensor, p: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        p = p + self.dual(torch.cat([p, functional.conv2d(beyond, self.filters, padding=1)], 1))
        back = functional.conv_transpose2d(p, self.filters, padding=1)
        steps = self.primal(torch.cat([u, beyond, back, f], 1))
        for_u, for_beyond = steps.chunk(2, 1)
        return u + for_u, beyond + for_beyond, p
