"""All structure, no texture: the floor under every comparison."""

from __future__ import annotations

from torch import Tensor

from gentex import ImageShape, Layers, Separator
from gentex_separation.solution import layers, single_precision


class Identity(Separator):
    """Takes the image itself for its structure."""

    def __init__(self, image: ImageShape) -> None:
        super().__init__()

    def separate(self, images: Tensor) -> Layers:
        """Layers of images (N, C, H, W)."""
        return layers(images, single_precision(images).clone())
