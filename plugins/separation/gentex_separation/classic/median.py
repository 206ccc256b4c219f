"""The median of a window, channel by channel (Huang, Yang and Tang, 1979)."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from gentex import ImageShape, Layers, Separator
from gentex_separation.operators import in_bands
from gentex_separation.solution import layers, single_precision, whole


class Median(Separator):
    """Structure is what fills half of a window.

    strength: radius r of the window, pixels; it has (2r + 1)² of them.
    """

    grid: ClassVar = {"strength": (1, 2, 3, 4, 5)}

    def __init__(self, image: ImageShape, *, strength: int = 3) -> None:
        super().__init__()
        self.strength = whole("strength", strength)

    def separate(self, images: Tensor) -> Layers:
        """Layers of images (N, C, H, W)."""
        return layers(images, median(images, self.strength))


def median(images: Tensor, radius: int) -> Tensor:
    """Medians over windows of (2 `radius` + 1)² pixels, (N, C, H, W)."""
    side = 2 * radius + 1

    def filtered(band: Tensor) -> Tensor:
        windows = band.unfold(-2, side, 1).unfold(-2, side, 1).flatten(-2)
        return windows.median(-1).values

    return in_bands(filtered, single_precision(images), radius=radius, pixels=1 << 14)
