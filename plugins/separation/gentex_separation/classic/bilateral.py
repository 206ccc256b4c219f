"""The bilateral filter: Tomasi and Manduchi, ICCV 1998.

    S_p = Σ_q w_pq I_q / Σ_q w_pq,    w_pq = exp(−|p − q|² / 2σ_s² − |I_p − I_q|² / 2σ_r²)

with |I_p − I_q|² the mean over the channels. kornia's operator unfolds all windows at once: at the
default scale that is the memory of 289 images, 40 GB for 12 megapixels in colour. Here one offset
p − q is dealt with after the other.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from gentex import ImageShape, Layers, Separator
from gentex_separation.operators import in_bands
from gentex_separation.solution import layers, positive, single_precision


class Bilateral(Separator):
    """Structure is the mean of what is near both in place and in colour.

    strength: σ_r, grey levels of [0, 1]; contrasts well below it are texture.
    scale: σ_s, pixels.
    """

    grid: ClassVar = {"strength": (0.05, 0.1, 0.2, 0.4), "scale": (1.0, 1.5, 2.0, 3.0, 5.0)}

    def __init__(self, image: ImageShape, *, strength: float = 0.2, scale: float = 3.0) -> None:
        super().__init__()
        self.strength = positive("strength", strength)
        self.scale = positive("scale", scale)

    def separate(self, images: Tensor) -> Layers:
        """Layers of images (N, C, H, W)."""
        images = single_precision(images)
        return layers(images, joint_bilateral(images, images, self.scale, self.strength))


def joint_bilateral(images: Tensor, guide: Tensor, scale: float, contrast: float) -> Tensor:
    """Images (N, C, H, W), filtered with the weights that the `guide` (N, C', H, W) gives.

    scale: σ_s, pixels; the window is a disc of radius 2.5 σ_s.
    contrast: σ_r.
    """
    radius = max(1, round(2.5 * scale))
    reach = range(-radius, radius + 1)
    offsets = [(y, x) for y in reach for x in reach if 0 < y * y + x * x <= radius * radius]

    def filtered(images: Tensor, guide: Tensor) -> Tensor:
        height, width = (size - 2 * radius for size in images.shape[-2:])

        def moved(band: Tensor, y: int, x: int) -> Tensor:
            return band[..., radius + y :, radius + x :][..., :height, :width]

        centre = moved(guide, 0, 0)
        total = moved(images, 0, 0).clone()  # the pixel itself has weight 1
        weights = torch.ones_like(total[:, :1])
        difference = torch.empty_like(centre)
        for y, x in offsets:
            torch.sub(moved(guide, y, x), centre, out=difference).square_()
            weight = difference if len(guide[0]) == 1 else difference.mean(1, keepdim=True)
            weight.mul_(-0.5 / contrast**2).sub_((y * y + x * x) / (2 * scale**2)).exp_()
            total.addcmul_(weight, moved(images, y, x))
            weights.add_(weight)
        return total.div_(weights)

    return in_bands(filtered, images, guide, radius=radius)
