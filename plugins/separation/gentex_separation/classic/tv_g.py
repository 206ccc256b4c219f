"""Meyer's model (2001), total variation and the G-norm, as it is regularised by Aujol, Aubert,
Blanc-Féraud and Chambolle, Journal of Mathematical Imaging and Vision 22, 2005.

    min_{u, v}  λ TV(u)  +  ½ ‖f − u − v‖²     subject to  ‖v‖_G ≤ μ

‖v‖_G is the least maximum of |ξ| over the fields ξ with v = div ξ: small for what oscillates,
whatever its amplitude. For λ → 0 this is Meyer's own problem. With v = μ div ξ it is the saddle
point of

    λ ⟨∇u, p⟩  +  ⟨g, u + μ div ξ − f⟩  −  ½ ‖g‖²,      least in (u, ξ), greatest in (p, g),

|p| and |ξ| ≤ 1, found by the primal–dual algorithm of Chambolle and Pock (2011, algorithm 1) with
the diagonal step sizes of Pock and Chambolle (ICCV 2011).
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from gentex import ImageShape, Layers, Separator
from gentex_separation.solution import Progress, Solution, layers, positive, solve_each
from gentex_separation.total_variation import Field, halved, relative, slope

CHECK_EVERY = 10
LEAST_ENERGY = 0.1
BALANCE = 10.0  # primal over dual step size: u moves further than g, which is the residual
COARSE_ITERATIONS = 200
SMALLEST = 64  # images below this side start from nothing


class TVG(Separator):
    """Structure of least total variation, from which the image differs by oscillations.

    strength: μ, bound on the G-norm of the oscillations, grey levels × pixels: a wave of amplitude
        a and wavelength w pixels has a G-norm of about a w / 2π.
    residual: λ, bound on the G-norm of what is neither smooth nor oscillation; it goes to the
        texture. The smaller, the nearer to Meyer's problem and the slower.
    tolerance: primal–dual gap at which to stop, relative to the energy, or to a tenth of the
        energy of the image itself where that is more.
    """

    grid: ClassVar = {"strength": (0.02, 0.035, 0.05, 0.07, 0.1, 0.2)}

    def __init__(
        self,
        image: ImageShape,
        *,
        strength: float = 0.1,
        residual: float = 0.02,
        tolerance: float = 2e-2,
    ) -> None:
        super().__init__()
        self.strength = positive("strength", strength)
        self.residual = positive("residual", residual)
        self.tolerance = positive("tolerance", tolerance)

    def separate(self, images: Tensor) -> Layers:
        """Layers of images (N, C, H, W)."""
        found = tv_g(images, self.strength, self.residual, self.tolerance)
        return layers(images, found.structure)


def tv_g(
    images: Tensor,
    strength: float,
    residual: float = 0.02,
    tolerance: float = 2e-2,
    *,
    iterations: int = 10_000,
) -> Solution:
    """The u of the problem above with μ = `strength`, λ = `residual`, for images (N, C, H, W).

    Norms and variation are means over the channels. Stops where (energy − dual energy) / energy ≤
    `tolerance`, which is the residual of the solution, or after `iterations`. An image that is all
    oscillation has no energy left; it is then compared to a tenth of λ TV(f).
    """
    # Sums over C channels here: λ and μ are √C times those of means.
    root = math.sqrt(images.shape[1])

    def solve(image: Tensor) -> Solution:
        progress = Progress(image, tolerance)
        u, _, _ = _primal_dual(image, root * strength, root * residual, iterations, progress)
        return progress.solution(u)

    return solve_each(solve, images)


def _primal_dual(
    f: Tensor, mu: float, lam: float, iterations: int, progress: Progress | None = None
) -> tuple[Tensor, Field, Field]:
    """The minimiser u and the fields p and ξ; if nobody watches the `progress`, an estimate."""
    p, xi = Field(f), Field(f)
    if min(f.shape[-2:]) >= SMALLEST:
        # In a pixel of twice the side, differences are twice as large for the same field.
        _, coarse_p, coarse_xi = _primal_dual(halved(f), mu / 2, lam / 2, COARSE_ITERATIONS)
        p.start_from(coarse_p)
        xi.start_from(coarse_xi)
    zero = torch.zeros_like(f[:1, :1, :1, :1]).expand_as(f)
    g = p.divergence(zero, lam, out=torch.empty_like(f))
    # What is left over, r = u + v − f, is g at the solution; so is it to start with.
    r, u = g.clone(), xi.divergence(f + g, -mu, out=torch.empty_like(f))
    new, new_r, scratch = torch.empty_like(f), torch.empty_like(f), torch.empty_like(f)

    least = LEAST_ENERGY * lam * _variation(f)
    tau, sigma = BALANCE / 5, 1 / (5 * BALANCE)  # u is in 4 differences and r; so is r in u and 4 ξ
    for iteration in range(1, iterations + 1):
        p.divergence(u, tau * lam, out=new).sub_(g, alpha=tau)
        xi.ascend(g, BALANCE / (2 * mu), scratch)
        xi.divergence(new, mu, out=new_r).sub_(f)

        torch.lerp(u, new, 2.0, out=u)  # ū and r̄, as far beyond the new as that is from the old
        torch.lerp(r, new_r, 2.0, out=r)
        p.ascend(u, 1 / (2 * lam * BALANCE), scratch)
        g.lerp_(r, sigma / (1 + sigma))
        u, new, r, new_r = new, u, new_r, r
        if progress and (iteration % CHECK_EVERY == 0 or iteration == iterations):
            gap = _gap(u, r, p, xi, mu, lam, p.divergence(zero, lam, out=scratch))
            energy = lam * _variation(u) + r.square().sum((1, 2, 3)) / 2
            if progress.converged(u, relative(gap, energy.maximum(least), f, lam + mu), iteration):
                break
    return u, p, xi


def _gap(u: Tensor, r: Tensor, p: Field, xi: Field, mu: float, lam: float, g: Tensor) -> Tensor:
    """Energy − dual energy, for the g = λ div p that the best u demands.

    The dual energy is −⟨f, g⟩ − ½‖g‖² − μ √C TV(g); the difference from λ √C TV(u) + ½‖r‖² falls
    into three terms that are never negative.
    """
    return lam * p.deficit(u) + mu * xi.deficit(g) + (r - g).square_().sum((1, 2, 3)) / 2


def _variation(u: Tensor) -> Tensor:
    """√C TV(u) of every image, (N,)."""
    return math.sqrt(u.shape[1]) * slope(u).sum((1, 2))
