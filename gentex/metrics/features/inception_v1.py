"""Inception-v1 (GoogLeNet) with the weights of the Berkeley Vision and Learning Center.

Szegedy, Liu, Jia, Sermanet, Reed, Anguelov, Erhan, Vanhoucke, Rabinovich: Going deeper with
convolutions, CVPR 2015, table 1, https://arxiv.org/abs/1409.4842; without batch normalisation, with
local response normalisation and true 5×5 kernels, so not torchvision's GoogLeNet. A Fréchet
distance in this space is not FID.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from gentex.builtin.weights import INCEPTION_V1
from gentex.interfaces import Encoder, ImageShape
from gentex.metrics.features import weights as files
from gentex.metrics.features.inception_v3 import require_grey_or_rgb
from gentex.metrics.features.space import FeatureSpace

SIZE = 224


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2)
    return nn.Sequential(conv, nn.ReLU())


class _Inception(nn.Module):
    """Four branches side by side: 1×1, 3×3, 5×5, and a pool; (reduced, output) channels of each."""

    def __init__(
        self, inputs: int, one: int, three: tuple[int, int], five: tuple[int, int], pool: int
    ) -> None:
        super().__init__()
        self.one = _conv(inputs, one, 1)
        self.three = nn.Sequential(_conv(inputs, three[0], 1), _conv(*three, 3))
        self.five = nn.Sequential(_conv(inputs, five[0], 1), _conv(*five, 5))
        self.pool = nn.Sequential(nn.MaxPool2d(3, 1, padding=1), _conv(inputs, pool, 1))
        self.outputs = one + three[1] + five[1] + pool

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.one(x), self.three(x), self.five(x), self.pool(x)], dim=1)


_BLOCKS: dict[str, tuple[int, tuple[int, int], tuple[int, int], int]] = {
    "3a": (64, (96, 128), (16, 32), 32),
    "3b": (128, (128, 192), (32, 96), 64),
    "4a": (192, (96, 208), (16, 48), 64),
    "4b": (160, (112, 224), (24, 64), 64),
    "4c": (128, (128, 256), (24, 64), 64),
    "4d": (112, (144, 288), (32, 64), 64),
    "4e": (256, (160, 320), (32, 128), 128),
    "5a": (256, (160, 320), (32, 128), 128),
    "5b": (384, (192, 384), (48, 128), 128),
}


class InceptionV1(Encoder):
    """The 1024 averages before the classifier, of images with 1 or 3 channels."""

    dim = 1024
    mean: Tensor

    def __init__(self, image: ImageShape) -> None:
        super().__init__()
        require_grey_or_rgb("inception-v1-bvlc", image)
        self.register_buffer("mean", torch.tensor([123.0, 117.0, 104.0]).view(3, 1, 1), False)
        pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        normalise = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)
        self.stem = nn.Sequential(
            _conv(3, 64, 7, stride=2), pool, normalise,
            _conv(64, 64, 1), _conv(64, 192, 3), normalise, pool,
        )  # fmt: skip
        self.blocks = nn.ModuleDict()
        channels = 192
        for name, widths in _BLOCKS.items():
            block = _Inception(channels, *widths)
            self.blocks[name] = block
            channels = block.outputs
        self.pool = pool
        self.classifier = nn.Linear(channels, 1000)
        self.requires_grad_(False)

    def encode(self, images: Tensor) -> Tensor:
        if images.shape[2:] != (SIZE, SIZE):
            images = interpolate(images, (SIZE, SIZE), mode="bilinear", antialias=True)
        x = self.stem(images.expand(-1, 3, -1, -1) * 255 - self.mean)
        for name, block in self.blocks.items():
            x = block(self.pool(x) if name in ("4a", "5a") else x)
        features: Tensor = x.mean(dim=(2, 3))
        return features

    def classify(self, features: Tensor) -> Tensor:
        """Logits (N, 1000) of the classes of ImageNet."""
        logits: Tensor = self.classifier(features)
        return logits


def inception_v1_bvlc(
    image: ImageShape,
    *,
    argument: str = "",
    weights: str | Path | None = None,
    device: torch.device | str = "cpu",
) -> FeatureSpace:
    """Inception-v1 from the file of weights: `inception-v1-bvlc:PATH`, or found by its name."""
    path = files.find("inception-v1-bvlc", argument or weights, INCEPTION_V1)
    encoder = InceptionV1(image)
    state = {_renamed(name): tensor.float() for name, tensor in files.read(path).items()}
    files.load(encoder, state, path)
    name = f"inception-v1-bvlc@{files.short_hash(path)}"
    resize = f"bilinear, antialiased, {SIZE}×{SIZE}"
    return FeatureSpace(name, (encoder.to(device),), resize=resize)


def _renamed(name: str) -> str:
    """`inception_3a.5x5_reduce.weight` -> `blocks.3a.five.0.0.weight`: Caffe's names to ours."""
    for caffe, ours in {
        "conv1.7x7_s2.": "stem.0.0.",
        "conv2.3x3_reduce.": "stem.3.0.",
        "conv2.3x3.": "stem.4.0.",
        "inception_": "blocks.",
        "1x1.": "one.0.",
        "3x3_reduce.": "three.0.0.",
        "3x3.": "three.1.0.",
        "5x5_reduce.": "five.0.0.",
        "5x5.": "five.1.0.",
        "pool_proj.": "pool.1.0.",
        "loss3.": "",
    }.items():
        name = name.replace(caffe, ours)
    return name
