"""The rolling guidance filter: Zhang, Shen, Xu and Jia, ECCV 2014.

A Gaussian removes what is smaller than a scale; joint bilateral filters of the image, each guided
by the last result, bring the edges of what remained back to where they were.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from gentex import ImageShape, Layers, Separator
from gentex_separation.classic.bilateral import joint_bilateral
from gentex_separation.operators import gaussian_blur
from gentex_separation.solution import (
    Progress,
    Solution,
    layers,
    positive,
    single_precision,
    whole,
)


class RollingGuidance(Separator):
    """Structure is what is larger than a scale, with its edges.

    strength: σ_s, pixels; what is smaller is texture, whatever its contrast.
    contrast: σ_r, grey levels of [0, 1].
    tolerance: change of a round at which to stop, root mean square, grey levels of [0, 1].
    rounds: how many bilateral filters follow the Gaussian at the most.
    """

    grid: ClassVar = {
        "strength": (1.5, 2.0, 3.0, 4.0, 5.5, 7.5),
        "contrast": (0.0125, 0.025, 0.05, 0.1),
    }

    def __init__(
        self,
        image: ImageShape,
        *,
        strength: float = 3.0,
        contrast: float = 0.1,
        tolerance: float = 1e-4,
        rounds: int = 4,
    ) -> None:
        super().__init__()
        self.strength = positive("strength", strength)
        self.contrast = positive("contrast", contrast)
        self.tolerance = positive("tolerance", tolerance)
        self.rounds = whole("rounds", rounds)

    def separate(self, images: Tensor) -> Layers:
        """Layers of images (N, C, H, W)."""
        found = rolling_guidance(images, self.strength, self.contrast, self.tolerance, self.rounds)
        return layers(images, found.structure)


def rolling_guidance(
    images: Tensor, scale: float, contrast: float, tolerance: float = 1e-4, rounds: int = 4
) -> Solution:
    """Images (N, C, H, W) without what is smaller than `scale` (equation 5).

    The residual is the root mean square of what the last round changed.
    """
    images = single_precision(images)
    structure = gaussian_blur(images, scale)
    progress = Progress(images, tolerance)
    for taken in range(1, rounds + 1):
        before, structure = structure, joint_bilateral(images, structure, scale, contrast)
        change = before.sub_(structure).square_().mean((1, 2, 3)).sqrt_()
        if progress.converged(structure, change, taken):
            break
    return progress.solution(structure)
