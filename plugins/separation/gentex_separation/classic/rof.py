"""Total variation with quadratic fidelity: Rudin, Osher and Fatemi, Physica D 60, 1992.

    min_u  ½ ‖u − f‖²  +  λ TV(u)

with means over the channels in both terms. Solved by the accelerated primal–dual algorithm of
Chambolle and Pock (Journal of Mathematical Imaging and Vision 40, 2011, algorithm 2).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gentex import ImageShape, Layers, Separator
from gentex_separation.solution import Progress, Solution, layers, positive, solve_each
from gentex_separation.total_variation import NORM, Field, halved, relative, slope

CHECK_EVERY = 10  # a look at the gap costs as much as two iterations
CONVEXITY = 0.3  # of the energy's own 1: with it step sizes fall more slowly, which goes faster
COARSE_ITERATIONS = 50
SMALLEST = 128  # images below this side start from nothing


class ROF(Separator):
    """Structure of least total variation near the image.

    strength: λ, in grey levels of [0, 1]: a disc of radius r pixels loses 2λ/r of its contrast.
    tolerance: primal–dual gap at which to stop, relative to the energy.
    """

    def __init__(
        self, image: ImageShape, *, strength: float = 0.2, tolerance: float = 1e-3
    ) -> None:
        super().__init__()
        self.strength = positive("strength", strength)
        self.tolerance = positive("tolerance", tolerance)

    def separate(self, images: Tensor) -> Layers:
        """Layers of images (N, C, H, W)."""
        return layers(images, rof(images, self.strength, self.tolerance).structure)


def rof(
    images: Tensor, strength: float, tolerance: float = 1e-3, *, iterations: int = 10_000
) -> Solution:
    """Minimises ½‖u − f‖² + `strength` · TV(u) for every image f of (N, C, H, W).

    Stops where (energy(u) − dual energy(p)) / energy(u) ≤ `tolerance`, which is the residual of the
    solution and bounds its relative suboptimality, or after `iterations`.
    """
    # For u/λ and f/λ the energy is that of λ = 1, times λ²; in sums over C channels λ is √C λ.
    scale = strength * math.sqrt(images.shape[1])

    def solve(image: Tensor) -> Solution:
        progress = Progress(image, tolerance)
        u, _ = _primal_dual(image / scale, iterations, progress)
        found = progress.solution(u)
        return found._replace(structure=found.structure.mul_(scale))

    return solve_each(solve, images)


def energy(u: Tensor, f: Tensor, strength: float) -> Tensor:
    """½‖u − f‖² + `strength` · TV(u) of every image, (N,)."""
    return (u - f).square().mean(1).sum((1, 2)) / 2 + strength * slope(u).sum((1, 2))


def _primal_dual(
    f: Tensor, iterations: int, progress: Progress | None = None
) -> tuple[Tensor, Field]:
    """The minimiser u of ½‖u − f‖² + √C TV(u), and its dual variable p.

    If nobody watches the `progress`, as they are after `iterations`.
    """
    p = _start(f)
    u = p.divergence(f, 1, out=torch.empty_like(f))
    beyond, new = u.clone(), torch.empty_like(f)
    tau = 0.2
    for iteration in range(1, iterations + 1):
        p.ascend(beyond, 1 / (NORM * tau), scratch=new)
        # u ← (u + τ(f + div p)) / (1 + τ); `beyond` goes on the same way by θ
        p.divergence(f, 1, out=new)
        weight, theta = tau / (1 + tau), (1 + 2 * CONVEXITY * tau) ** -0.5
        torch.lerp(u, new, (1 + theta) * weight, out=beyond)
        u.lerp_(new, weight)
        tau *= theta
        if progress and (iteration % CHECK_EVERY == 0 or iteration == iterations):
            gap = _relative_gap(u, f, p, scratch=new)
            if progress.converged(u, gap, iteration):
                break
    return u, p


def _start(f: Tensor) -> Field:
    """The dual variable to start from: that of the image at half the size, enlarged.

    Every iteration carries information by one pixel; with this start half of them are enough.
    """
    p = Field(f)
    if min(f.shape[-2:]) >= SMALLEST:
        # In a pixel of twice the side, fidelity counts four times and variation twice.
        _, coarse = _primal_dual(halved(f).mul_(2), COARSE_ITERATIONS)
        p.start_from(coarse)
    return p


def _relative_gap(u: Tensor, f: Tensor, p: Field, scratch: Tensor) -> Tensor:
    """Energy(u) − dual energy(p), over energy(u), both for λ = 1.

    The difference is ½‖u − f − div p‖² + √C TV(u) − ⟨∇u, p⟩.
    """

    def half_square(x: Tensor) -> Tensor:
        return x.square_().sum((1, 2, 3)) / 2

    gap = half_square(p.divergence(f, 1, out=scratch).sub_(u)) + p.deficit(u)
    whole = half_square(u - f) + math.sqrt(f.shape[1]) * slope(u).sum((1, 2))
    return relative(gap, whole, f, 1)
