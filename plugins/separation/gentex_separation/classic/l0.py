"""L0 gradient minimisation: Xu, Lu, Xu and Jia, ACM Transactions on Graphics 30(6), 2011.

    min_S  Σ (S − I)²  +  λ #{pixels: ∇S ≠ 0}

by half-quadratic splitting (algorithm 1): the gradient's copy h is set to zero where keeping it
costs more than λ, then S is the image that fits both I and h; their coupling β doubles every round,
until it is β_max. The linear system is solved by a cosine transform, so that the borders are free,
not periodic.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from gentex import ImageShape, Layers, Separator
from gentex_separation.operators import dct2, divergence, gradient, idct2, laplacian_eigenvalues
from gentex_separation.solution import Solution, layers, positive, solve_each

STRONGEST = 1e5  # β at which h and ∇S are as good as equal, the paper's β_max


class L0(Separator):
    """Structure is piecewise constant, with the fewest steps.

    strength: λ; a step pays where it explains more than λ of squared error.
    growth: κ, by which β grows from round to round; nearer to 1 is slower and more accurate.
    """

    grid: ClassVar = {"strength": (0.001, 0.002, 0.005, 0.01, 0.02)}

    def __init__(self, image: ImageShape, *, strength: float = 0.015, growth: float = 2.0) -> None:
        super().__init__()
        self.strength = positive("strength", strength)
        self.growth = positive("growth", growth, above=1)

    def separate(self, images: Tensor) -> Layers:
        """Layers of images (N, C, H, W)."""
        return layers(images, l0(images, self.strength, self.growth).structure)


def l0(images: Tensor, strength: float, growth: float = 2.0) -> Solution:
    """L0 gradient minimisation of images (N, C, H, W), a step being one of all channels.

    Squared errors and gradients are means over the channels. The residual is the greatest
    difference left between ∇S and its copy h, which bounds the steepest slope inside a flat region.
    """

    def solve(image: Tensor) -> Solution:
        eigenvalues = laplacian_eigenvalues(image)
        transformed = dct2(image)
        structure, beta, rounds = image, 2 * strength, 0
        across, down = gradient(image)
        while beta < STRONGEST:
            across, down = gradient(structure)
            energy = (across.square() + down.square()).mean(1, keepdim=True)
            keep = energy > strength / beta
            fit = dct2(divergence(across.mul_(keep), down.mul_(keep)))
            structure = idct2(fit.mul_(-beta).add_(transformed).div_(1 + beta * eigenvalues))
            beta, rounds = growth * beta, rounds + 1
        left = torch.zeros_like(image[:, 0, 0, 0])
        for found, copy in zip(gradient(structure), (across, down), strict=True):
            left = torch.maximum(left, (found - copy).abs_().amax((1, 2, 3)))
        return Solution(structure, left, torch.full_like(left, rounds, dtype=torch.int64))

    return solve_each(solve, images)
