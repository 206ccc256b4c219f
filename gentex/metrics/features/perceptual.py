"""LPIPS as a feature space, in which it is the squared Euclidean distance between two images.

So its mean over the pairs of a sample (`gentex.metrics.mean_pairwise_squared_distance`), the usual
measure of diversity, needs no pairs.

Zhang, Isola, Efros, Shechtman, Wang: The unreasonable effectiveness of deep features as a
perceptual metric, CVPR 2018, eq. 1, https://arxiv.org/abs/1801.03924; SqueezeNet 1.1, version 0.1.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models import squeezenet1_1

from gentex.builtin.weights import LPIPS_BACKBONE, LPIPS_HEADS
from gentex.errors import DataError
from gentex.interfaces import Encoder, ImageShape
from gentex.metrics.features import weights as files
from gentex.metrics.features.inception_v3 import require_grey_or_rgb
from gentex.metrics.features.space import FeatureSpace

SMALLEST = 17
"""Of images with fewer pixels a side nothing is left for the last layers."""
_TAPS = (1, 4, 7, 9, 10, 11, 12)
"""The layers of torchvision's network whose outputs are compared."""


class LPIPS(Encoder):
    """Unit-length feature vectors at every place of seven layers, weighted as people judge.

    The mean of the squared differences over the places of a layer is built into the features, as a
    factor 1/√(places), and so are the learned weights w of its channels, as √w.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, image: ImageShape) -> None:
        super().__init__()
        require_grey_or_rgb("lpips", image)
        self.layers = squeezenet1_1(weights=None).features
        self.heads = nn.ParameterList(torch.ones(c) for c in (64, 128, 256, 384, 384, 512, 512))
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188]).view(3, 1, 1), False)
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450]).view(3, 1, 1), False)
        self.requires_grad_(False)
        if min(image.height, image.width) < SMALLEST:
            raise DataError(f"LPIPS needs {SMALLEST}×{SMALLEST} pixels or more, not {image}")
        self.dim = self.encode(torch.zeros(1, *image)).shape[1]

    def encode(self, images: Tensor) -> Tensor:
        x = (2 * images.expand(-1, 3, -1, -1) - 1 - self.shift) / self.scale
        heads = iter(self.heads)
        features = []
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index in _TAPS:
                unit = x / (x.norm(dim=1, keepdim=True) + 1e-10)
                places = x.shape[2] * x.shape[3]
                features.append((unit * (next(heads)[:, None, None] / places).sqrt()).flatten(1))
        return torch.cat(features, dim=1)


def lpips(
    image: ImageShape,
    *,
    argument: str = "",
    weights: str | Path | None = None,
    device: torch.device | str = "cpu",
) -> FeatureSpace:
    """LPIPS from a folder, `lpips:FOLDER`, with weights of torchvision's SqueezeNet and heads."""
    backbone = files.find("lpips", argument or weights, LPIPS_BACKBONE)
    heads = files.find("lpips", argument or weights, LPIPS_HEADS)
    encoder = LPIPS(image)
    state = {f"layers.{k[9:]}": v for k, v in files.read(backbone).items() if k[:9] == "features."}
    # lin0.model.1.weight (1, C, 1, 1) -> heads.0 (C,)
    state |= {f"heads.{k[3]}": v.flatten() for k, v in files.read(heads).items()}
    files.load(encoder, state, heads)
    name = f"lpips-squeeze@{files.short_hash(backbone)}-{files.short_hash(heads)}"
    return FeatureSpace(name, (encoder.to(device),))
