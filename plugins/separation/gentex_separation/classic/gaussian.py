"""A Gaussian low-pass filter: the floor that knows scale, but no edges (Koenderink, 1984)."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from gentex import ImageShape, Layers, Separator
from gentex_separation.operators import gaussian_blur
from gentex_separation.solution import layers, positive, single_precision


class Gaussian(Separator):
    """Structure is what is coarser than a scale.

    strength: standard deviation σ of the filter, pixels.
    """

    grid: ClassVar = {"strength": (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)}

    def __init__(self, image: ImageShape, *, strength: float = 3.0) -> None:
        super().__init__()
        self.strength = positive("strength", strength)

    def separate(self, images: Tensor) -> Layers:
        """Layers of images (N, C, H, W)."""
        images = single_precision(images)
        return layers(images, gaussian_blur(images, self.strength))
