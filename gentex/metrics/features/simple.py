"""Feature spaces that need no weights from anywhere: pixels, and random convolutional networks."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, pad

from gentex.interfaces import Encoder, ImageShape
from gentex.metrics.features.space import FeatureSpace


class Pixels(Encoder):
    """The pixels themselves."""

    def __init__(self, image: ImageShape) -> None:
        super().__init__()
        self.dim = image.channels * image.height * image.width

    def encode(self, images: Tensor) -> Tensor:
        return images.flatten(1)


class RandomConv(Encoder):
    """A convolutional network with random weights, never trained."""

    def __init__(self, image: ImageShape, *, seed: int = 0, widths=(64,64,64,64), zero_first=False, stats="ms", kernel=3, bias=0.0) -> None:
        super().__init__()
        self.stats=stats
        generator = torch.Generator().manual_seed(seed)
        channels = image.channels
        self.weights = nn.ParameterList(); self.biases=nn.ParameterList()
        self.k=kernel
        for i,width in enumerate(widths):
            bound = (6 / (channels * kernel**2)) ** 0.5
            w = (torch.rand(width, channels, kernel, kernel, generator=generator) * 2 - 1) * bound
            if zero_first and i==0: w = w - w.mean((1,2,3),keepdim=True)
            self.weights.append(nn.Parameter(w, requires_grad=False))
            self.biases.append(nn.Parameter((torch.rand(width, generator=generator) * 2 - 1) * bias, requires_grad=False))
            channels = width
        self.dim = sum(widths)*len(stats)

    def encode(self, images: Tensor) -> Tensor:
        x = images * 4 - 2
        out = []
        for i,(weight,b) in enumerate(zip(self.weights,self.biases)):
            if i and min(x.shape[2:])>1:
                x = avg_pool2d(x, 2, ceil_mode=True)
            x = conv2d(pad(x, (self.k//2,) * 4, mode="replicate"), weight,b).relu()
            if "m" in self.stats or i == len(self.weights)-1 or 1:
                if "m" in self.stats: out.append(x.mean(dim=(2, 3)))
                if "s" in self.stats: out.append(x.std(dim=(2, 3),correction=0))
        if "L" in self.stats: out=out[-1:]
        return torch.cat(out, dim=1)


def random_conv(image, argument="", device="cpu", **k):
    return FeatureSpace("random-conv", tuple(RandomConv(image, seed=s, **k) for s in range(5)))
def pixels(image, argument="", device="cpu"): return FeatureSpace("pixels", (Pixels(image),))
