"""The convolutional encoder and decoder that the architectures of this family share."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import nn

from gentex import ImageShape
from gentex.errors import HyperparameterError

SMALLEST = 5


def pyramid(image: ImageShape, width: int) -> list[ImageShape]:
    """Shapes of the feature maps from the image down to the code, whose shorter side is 2 to 4.

    Each is half as large as the one above it, an odd side rounded down, and has twice its channels:
    `width` at half the size of the image, 8 × `width` at most.

    Raises HyperparameterError for a side below 5; there is no upper limit.
    """
    if min(image.height, image.width) < SMALLEST:
        raise HyperparameterError(f"image {image}: sides from {SMALLEST} pixels on are allowed")
    shapes = [image]
    while min(shapes[-1].height, shapes[-1].width) > 4:
        channels = min(2 ** (len(shapes) - 1), 8) * width
        shapes.append(ImageShape(channels, shapes[-1].height // 2, shapes[-1].width // 2))
    return shapes


def encoder(image: ImageShape, width: int, outputs: int) -> nn.Sequential:
    """Images (N, C, H, W) in [-1, 1] to (N, outputs)."""
    shapes = pyramid(image, width)
    layers: list[nn.Module] = []
    for above, below in pairwise(shapes):
        layers += [down(above, below), normalised(below.channels), nn.SiLU(inplace=True)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(math.prod(shapes[-1]), outputs))


def decoder(image: ImageShape, width: int, inputs: int) -> nn.Sequential:
    """(N, inputs) to (N, C, H, W), unbounded and near 0 at first."""
    shapes = pyramid(image, width)[::-1]
    layers: list[nn.Module] = [
        nn.Linear(inputs, math.prod(shapes[0])),
        nn.Unflatten(1, tuple(shapes[0])),
    ]
    for below, above in pairwise(shapes):
        layers += [normalised(below.channels), nn.SiLU(inplace=True), up(below, above)]
    near_zero(layers[-1])
    return nn.Sequential(*layers)


def down(above: ImageShape, below: ImageShape) -> nn.Conv2d:
    """Halves the sides; the windows of 4 cover an odd last row too."""
    return nn.Conv2d(above.channels, below.channels, 4, stride=2, padding=1)


def up(below: ImageShape, above: ImageShape) -> nn.ConvTranspose2d:
    """Doubles the sides, plus the row and column that `down` rounded off."""
    odd = (above.height % 2, above.width % 2)
    return nn.ConvTranspose2d(
        below.channels, above.channels, 4, stride=2, padding=1, output_padding=odd
    )


def near_zero(layer: nn.Module) -> None:
    """Shrink the weights of a decoder's last layer, so that its first images are mid-grey.

    With the default ones they are far from any image, and the first hundreds of steps lead back.
    """
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(0.1)


def normalised(channels: int) -> nn.GroupNorm:
    """Group norm: without it, a VAE of 128×128 images diverged at a learning rate of 2e-3.

    Batch norm does not serve: what it normalises by in evaluation is not what the posterior was
    trained with. On 64×64 textures the KL was then 14 000 nats, where others had 150.
    """
    return nn.GroupNorm(math.gcd(8, channels), channels)
