"""Relative total variation: Xu, Yan, Xia and Jia, ACM Transactions on Graphics 31(6), 2012.

    min_S  Σ (S − I)²  +  λ Σ_pixels ( D_x / (L_x + ε)  +  D_y / (L_y + ε) )

D_x, the mean of |∂ₓS| over a Gaussian window, is large for texture and edges alike; L_x, the
absolute value of the mean of ∂ₓS, is large for edges only, because texture changes its sign within
the window. Solved by a few linear systems, (1 + λ ∇ᵀ W ∇) S = I, whose weights W = diag(u w) come
from the last S (equations 8 to 11); here by conjugate gradients without ever forming the matrix.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from gentex import ImageShape, Layers, Separator
from gentex_separation.operators import gaussian_blur, gradient
from gentex_separation.solution import Solution, layers, positive, solve_each, whole

FLAT = 0.02  # ε_s: differences below this count as flat
INHERENT = 1e-3  # ε: keeps the division by L defined
SMALLEST_SCALE = 0.5  # pixels
CHECK_EVERY = 5


class RTV(Separator):
    """Structure whose windowed differences do not cancel; made for regular and irregular textures.

    strength: λ.
    scale: σ of the window in the first round, pixels; about the size of a texture element.
    rounds: how many linear systems; the window shrinks by half from one to the next.
    tolerance: residual of the linear systems, relative to the image.
    """

    grid: ClassVar = {
        "strength": (0.0005, 0.001, 0.002, 0.004),
        "scale": (2.0, 3.0, 4.5, 6.5, 9.0, 12.0),
    }

    def __init__(
        self,
        image: ImageShape,
        *,
        strength: float = 0.005,
        scale: float = 3.0,
        rounds: int = 4,
        tolerance: float = 3e-4,
    ) -> None:
        super().__init__()
        self.strength = positive("strength", strength)
        self.scale = positive("scale", scale)
        self.rounds = whole("rounds", rounds)
        self.tolerance = positive("tolerance", tolerance)

    def separate(self, images: Tensor) -> Layers:
        """Layers of images (N, C, H, W)."""
        found = rtv(images, self.strength, self.scale, self.rounds, self.tolerance)
        return layers(images, found.structure)


def rtv(
    images: Tensor,
    strength: float,
    scale: float = 3.0,
    rounds: int = 4,
    tolerance: float = 3e-4,
    *,
    iterations: int = 1000,
) -> Solution:
    """Relative total variation of images (N, C, H, W); the channels share their weights.

    The residual of the solution is that of the last linear system, scaled by its diagonal and
    relative to the right-hand side; at most `iterations` steps are taken for each system, and those
    of all systems are counted.
    """

    def solve(image: Tensor) -> Solution:
        structure, sigma = image, scale
        steps = torch.zeros(len(image), dtype=torch.int64, device=image.device)
        for _ in range(rounds):
            across, down = (w.mul_(strength) for w in weights(structure, sigma))
            structure, residual, taken = _smooth(
                image, across, down, structure, tolerance, iterations
            )
            steps += taken
            sigma = max(sigma / 2, SMALLEST_SCALE)
        return Solution(structure, residual, steps)

    return solve_each(solve, images)


def weights(structure: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """Weights u · w of both directions, (N, 1, H, W): means over the channels throughout."""

    def of(difference: Tensor) -> Tensor:
        mean = gaussian_blur(difference, sigma).abs_().mean(1, keepdim=True)
        windowed = gaussian_blur((mean + INHERENT).reciprocal_(), sigma)
        return windowed / (difference.abs().mean(1, keepdim=True) + FLAT)

    across, down = map(of, gradient(structure))
    return across, down


def _smooth(
    image: Tensor, across: Tensor, down: Tensor, start: Tensor, tolerance: float, iterations: int
) -> Solution:
    """Solves (1 + ∇ᵀ diag(across, down) ∇) S = image."""
    across, down = across[..., :-1], down[..., :-1, :]
    diagonal = torch.ones_like(image[:, :1])
    diagonal[..., :-1] += across
    diagonal[..., 1:] += across
    diagonal[..., :-1, :] += down
    diagonal[..., 1:, :] += down
    # Scaled to a diagonal of ones from both sides: Jacobi preconditioning at no cost a step.
    scale = diagonal.rsqrt_()
    across = across * scale[..., :-1] * scale[..., 1:]
    down = down * scale[..., :-1, :] * scale[..., 1:, :]

    def matrix(x: Tensor, out: Tensor) -> None:
        out.copy_(x)
        out[..., :-1].addcmul_(across, x[..., 1:], value=-1)
        out[..., 1:].addcmul_(across, x[..., :-1], value=-1)
        out[..., :-1, :].addcmul_(down, x[..., 1:, :], value=-1)
        out[..., 1:, :].addcmul_(down, x[..., :-1, :], value=-1)

    found = conjugate_gradients(matrix, image * scale, start / scale, tolerance, iterations)
    return found._replace(structure=found.structure.mul_(scale))


def conjugate_gradients(
    matrix: Callable[[Tensor, Tensor], None],
    b: Tensor,
    x: Tensor,
    tolerance: float,
    iterations: int,
) -> Solution:
    """Solves A x = b for every row of (N, ...), A symmetric and positive definite.

    matrix: writes A x into its second argument.
    x: where to start; it is overwritten.
    tolerance: a row stops where ‖b − A x‖ ≤ `tolerance` ‖b‖.
    """
    product = torch.empty_like(b)
    matrix(x, product)
    residual = b - product
    direction = residual.clone()
    rr, norm = _dot(residual, residual), _dot(b, b)
    taken = torch.zeros_like(rr, dtype=torch.int64)
    for iteration in range(iterations):
        going = rr > tolerance**2 * norm
        if iteration % CHECK_EVERY == 0 and not bool(going.any()):
            break
        matrix(direction, product)
        # A row that has arrived takes steps of length zero: its result depends on no other.
        step = torch.where(going, rr / _dot(direction, product), 0)
        x.addcmul_(direction, step)
        residual.addcmul_(product, step, value=-1)
        before, rr = rr, _dot(residual, residual)
        torch.addcmul(residual, direction, torch.where(going, rr / before, 0), out=direction)
        taken += going
    relative = torch.where(norm > 0, rr / norm, 0).sqrt()
    return Solution(x, relative.flatten(), taken.flatten())


def _dot(a: Tensor, b: Tensor) -> Tensor:
    product: Tensor = torch.linalg.vecdot(a.flatten(1), b.flatten(1))
    return product[:, None, None, None]
