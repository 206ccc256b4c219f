"""Total variation with absolute fidelity: Chan and Esedoḡlu, SIAM J. Appl. Math. 65(5), 2005.

    min_u  ‖u − f‖₁  +  λ TV(u)

with means over the channels in both terms. Unlike TV-L² it keeps the contrast of what it keeps, and
takes away by size: a disc of radius r goes entirely where r < 2λ. Solved by the primal–dual
algorithm of Chambolle and Pock (2011, algorithm 1).
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from gentex import ImageShape, Layers, Separator
from gentex_separation.solution import Progress, Solution, layers, positive, solve_each
from gentex_separation.total_variation import NORM, Field, relative, slope

CHECK_EVERY = 10
TAU = 0.015  # u moves by less than p: steps of u are shorter than 1 / ‖∇‖, those of p longer


class TVL1(Separator):
    """Structure is what is larger than a size, at full contrast.

    strength: λ, pixels: discs of a radius below 2λ are texture.
    tolerance: primal–dual gap at which to stop, relative to the energy.
    """

    grid: ClassVar = {"strength": (0.5, 0.7, 1.0, 1.4, 2.0, 2.8)}

    def __init__(
        self, image: ImageShape, *, strength: float = 1.3, tolerance: float = 2e-3
    ) -> None:
        super().__init__()
        self.strength = positive("strength", strength)
        self.tolerance = positive("tolerance", tolerance)

    def separate(self, images: Tensor) -> Layers:
        """Layers of images (N, C, H, W)."""
        return layers(images, tv_l1(images, self.strength, self.tolerance).structure)


def tv_l1(
    images: Tensor, strength: float, tolerance: float = 2e-3, *, iterations: int = 10_000
) -> Solution:
    """Minimises ‖u − f‖₁ + `strength` · TV(u) for every image f of (N, C, H, W).

    Stops where (energy(u) − dual energy(p)) / energy(u) ≤ `tolerance`, which is the residual of the
    solution, or after `iterations`. The dual energy is that of the problem with u between the
    least and the greatest value of each image, which has the same solutions.
    """
    # In sums over C channels, λ is √C λ; p stays in the unit ball.
    scale = strength * math.sqrt(images.shape[1])

    def solve(image: Tensor) -> Solution:
        progress = Progress(image, tolerance)
        # Stretched to [0, 1]: what is solved, and how fast, does not depend on the contrast.
        low, high = image.amin((1, 2, 3), keepdim=True), image.amax((1, 2, 3), keepdim=True)
        contrast = torch.where(high > low, high - low, 1)
        f = (image - low) / contrast
        u, p = f.clone(), Field(f)
        new, scratch = torch.empty_like(f), torch.empty_like(f)
        for iteration in range(1, iterations + 1):
            # v = u + τλ div p;  u ← v moved by at most τ towards f
            p.divergence(u, TAU * scale, out=new)
            new.sub_(torch.sub(new, f, out=scratch).clamp_(-TAU, TAU))
            torch.lerp(u, new, 2.0, out=u)
            p.ascend(u, 1 / (NORM * TAU * scale), scratch)
            u, new = new, u
            if iteration % CHECK_EVERY == 0 or iteration == iterations:
                inside = u.clamp(0, 1)  # no worse in either term
                if progress.converged(inside, _relative_gap(inside, f, p, scale), iteration):
                    break
        found = progress.solution(u.clamp(0, 1))
        return found._replace(structure=found.structure.mul_(contrast).add_(low))

    return solve_each(solve, images)


def energy(u: Tensor, f: Tensor, strength: float) -> Tensor:
    """‖u − f‖₁ + `strength` · TV(u) of every image, (N,)."""
    return (u - f).abs().mean(1).sum((1, 2)) + strength * slope(u).sum((1, 2))


def _relative_gap(u: Tensor, f: Tensor, p: Field, scale: float) -> Tensor:
    """The gap over energy(u), for u and f between 0 and 1.

    The dual energy is Σ min_x |x − f| − x w with w = λ div p, and the minimum is at f, 0 or 1.
    """
    w = p.divergence(torch.zeros_like(f), scale, out=torch.empty_like(f))
    least = torch.minimum((1 - f) * (1 - w), f * (1 + w)).clamp_(max=0)
    fidelity = (u - f).abs_()
    # Of each pixel: |u − f| − (u − f) w − least, never negative
    gap = (fidelity - (u - f).mul_(w) - least).sum((1, 2, 3)) + scale * p.deficit(u)
    whole = fidelity.sum((1, 2, 3)) + scale * math.sqrt(f.shape[1]) * slope(u).sum((1, 2))
    return relative(gap, whole, f, scale)
