"""The guided filter, with the image as its own guide: He, Sun and Tang, IEEE TPAMI 35(6), 2013.

In every window the result is an affine function of the image, nearly constant where the image
varies by less than √ε there; each pixel takes the mean of the functions of all windows around it.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from gentex import ImageShape, Layers, Separator
from gentex_separation.operators import in_bands, window_mean
from gentex_separation.solution import layers, positive, single_precision, whole


class Guided(Separator):
    """Structure is a locally affine function of the image, flat where there is little contrast.

    strength: √ε, grey levels of [0, 1]; standard deviations in a window well below it are texture.
    radius: of the windows, pixels.
    """

    grid: ClassVar = {"strength": (0.05, 0.1, 0.2, 0.4), "radius": (1, 2, 3, 5)}

    def __init__(self, image: ImageShape, *, strength: float = 0.2, radius: int = 5) -> None:
        super().__init__()
        self.strength = positive("strength", strength)
        self.radius = whole("radius", radius)

    def separate(self, images: Tensor) -> Layers:
        """Layers of images (N, C, H, W)."""
        return layers(images, guided(images, self.strength, self.radius))


def guided(images: Tensor, strength: float, radius: int) -> Tensor:
    """Images (N, C, H, W) filtered with ε = `strength`² and their own colours as guide.

    For the colours see section 3.5 of the paper. ε is counted per channel: with C of them it is
    C ε in the paper's terms.
    """
    channels = images.shape[1]

    def filtered(band: Tensor) -> Tensor:
        centre = slice(radius, -radius)
        mean = window_mean(band, radius)
        # Covariances Σ of the windows, with the channels last; the affine map is
        # x ↦ A (x − mean) + mean with A = Σ (Σ + ε)⁻¹ = 1 − ε (Σ + ε)⁻¹.
        products = window_mean((band[:, :, None] * band[:, None]).flatten(1, 2), radius)
        covariance = products.unflatten(1, (channels, channels)) - mean[:, :, None] * mean[:, None]
        eye = torch.eye(channels, dtype=band.dtype, device=band.device)
        epsilon = channels * strength**2
        inverse: Tensor = torch.linalg.inv(covariance.permute(0, 3, 4, 1, 2) + epsilon * eye)
        slope = (eye - epsilon * inverse).permute(0, 3, 4, 1, 2)
        offset = mean - (slope * mean[:, None]).sum(2)

        slope = window_mean(slope.flatten(1, 2), radius).unflatten(1, (channels, channels))
        image = band[..., centre, centre][..., centre, centre]
        result: Tensor = (slope * image[:, None]).sum(2)
        return result.add_(window_mean(offset, radius))

    return in_bands(filtered, single_precision(images), radius=2 * radius)
