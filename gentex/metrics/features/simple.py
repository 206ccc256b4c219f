"""Feature spaces that need no weights from anywhere: random convolutional networks, and pixels."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, max_pool2d, pad

from gentex.interfaces import Encoder, ImageShape
from gentex.metrics.features.space import FeatureSpace

NETWORKS = 5


class RandomConv(Encoder):
    """A small convolutional network that is never trained: the statistics of its random filters.

    Three layers of 3×3 filters and ReLU, at full, half and a quarter of the resolution. Vectors of
    activations are brought to about unit length at every place, and a feature is the logarithm of a
    map's mean over the image, so that faint structure counts as much as strong; the image's own
    channels are the first of the maps. Filters of the first layer sum to zero, as brightness would
    otherwise drown everything else. Each of these was decided by corrupting real images: see the
    study in the documentation.

    seed: of the weights. They are integers times a constant, which every machine computes alike.
    """

    widths = (16, 32, 64)
    zero_mean = True

    def __init__(self, image: ImageShape, *, seed: int = 0) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(seed)
        self.filters = nn.ParameterList()
        channels = image.channels
        for width in self.widths:
            drawn = torch.randint(-1000, 1001, (width, channels, 3, 3), generator=rng).double()
            if self.zero_mean and not len(self.filters):
                drawn -= drawn.mean(dim=(1, 2, 3), keepdim=True)
            bound = (6 / (9 * channels)) ** 0.5  # He's, for ReLU: the variance is 2 / inputs
            self.filters.append(nn.Parameter((drawn * bound / 1000).float(), requires_grad=False))
            channels = width
        self.dim = image.channels + sum(self.widths)

    def encode(self, images: Tensor) -> Tensor:
        x = 4 * images - 2
        means = [images.mean(dim=(2, 3))]
        for depth, filters in enumerate(self.filters):
            if depth:
                x = max_pool2d(x, 2, ceil_mode=True)
            x = conv2d(pad(x, (1, 1, 1, 1), mode="replicate"), filters).relu()
            x = x / (x.square().mean(dim=1, keepdim=True).sqrt() + 0.05)
            means.append(x.mean(dim=(2, 3)))
        return (torch.cat(means, dim=1).clamp_min(0) + 0.02).log()


class Pixels(Encoder):
    """The pixels themselves."""

    def __init__(self, image: ImageShape) -> None:
        super().__init__()
        self.dim = image.channels * image.height * image.width

    def encode(self, images: Tensor) -> Tensor:
        return images.flatten(1)


def random_conv(
    image: ImageShape, *, argument: str = "", device: torch.device | str = "cpu"
) -> FeatureSpace:
    """Five networks with random weights: the default, for images of any shape.

    The name ends in a hash of the weights, which depend on the number of channels alone.
    """
    encoders = tuple(RandomConv(image, seed=seed) for seed in range(NETWORKS))
    digest = hashlib.sha256()
    for encoder in encoders:
        for filters in encoder.filters:
            digest.update(filters.detach().numpy().tobytes())
    name = f"random-conv@{digest.hexdigest()[:8]}"
    return FeatureSpace(name, tuple(encoder.to(device) for encoder in encoders))


def pixels(
    image: ImageShape, *, argument: str = "", device: torch.device | str = "cpu"
) -> FeatureSpace:
    """The pixels themselves: sees what is brighter or blurred, and little of what is wrong."""
    return FeatureSpace("pixels", (Pixels(image).to(device),))
