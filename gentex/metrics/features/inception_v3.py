"""Inception-v3, the feature space of FID, from a file of weights that the user has.

Two ports of the network differ in weights, pooling and resizing, and give different numbers:

- the one that FID is defined by (Heusel et al. 2017): TensorFlow's of 2015-12-05, converted; 1008
  logits, average pools that do not count the padding, a maximum pool in the last block, images
  resized as TensorFlow 1 did. Published FIDs are in this space.
- torchvision's (`inception_v3_google`): 1000 logits, its own pools.

The file says which it is. Szegedy, Vanhoucke, Ioffe, Shlens, Wojna: Rethinking the Inception
architecture for computer vision, CVPR 2016. https://arxiv.org/abs/1512.00567
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, max_pool2d
from torchvision.models import inception as tv

from gentex.builtin.weights import INCEPTION
from gentex.errors import DataError
from gentex.interfaces import Encoder, ImageShape
from gentex.metrics.features import weights as files
from gentex.metrics.features.space import FeatureSpace

SIZE = 299


def _pooled(block: Any, pool: Callable[[Tensor], Tensor]) -> Any:
    """A block of torchvision's with another pool in its last branch."""

    class Block(block):  # type: ignore[misc]  # torchvision's classes are untyped
        def _forward(self, x: Tensor) -> list[Tensor]:
            *branches, _ = super()._forward(x)
            return [*branches, self.branch_pool(pool(x))]

    return Block


def _maximum(x: Tensor) -> Tensor:
    return max_pool2d(x, 3, stride=1, padding=1)


def _mean_of_valid(x: Tensor) -> Tensor:
    return avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


class InceptionV3(Encoder):
    """The 2048 averages before the classifier, of images with 1 or 3 channels.

    fid: whether it is the port that FID is defined by, or torchvision's.
    """

    dim = 2048

    def __init__(self, image: ImageShape, *, fid: bool = True) -> None:
        super().__init__()
        require_grey_or_rgb("inception", image)
        blocks = [tv.BasicConv2d, tv.InceptionA, tv.InceptionB, tv.InceptionC, tv.InceptionD]
        blocks += [tv.InceptionE, tv.InceptionAux]
        if fid:
            for index in (1, 3, 5):
                blocks[index] = _pooled(blocks[index], _mean_of_valid)
        self.network = tv.Inception3(
            num_classes=1008 if fid else 1000,
            aux_logits=False,
            inception_blocks=blocks,
            init_weights=False,
        )
        if fid:
            self.network.Mixed_7c = _pooled(tv.InceptionE, _maximum)(2048)
        self.classifier = self.network.fc
        self.network.fc = nn.Identity()
        self.fid = fid
        self.requires_grad_(False)

    def encode(self, images: Tensor) -> Tensor:
        rgb = resize_like_tensorflow1(images.expand(-1, 3, -1, -1) * 255, SIZE)
        features: Tensor = self.network((rgb - 128) / 128)
        return features

    def classify(self, features: Tensor) -> Tensor:
        """Logits (N, classes) for the Inception score; without the bias, as its authors' are."""
        logits: Tensor = features @ self.classifier.weight.T
        return logits


def inception(
    image: ImageShape,
    *,
    argument: str = "",
    weights: str | Path | None = None,
    device: torch.device | str = "cpu",
) -> FeatureSpace:
    """Inception-v3 from a file of either port's weights: `inception:PATH`, or found by its name."""
    path = files.find("inception", argument or weights, INCEPTION)
    state = {k: v for k, v in files.read(path).items() if not k.startswith("AuxLogits.")}
    if "fc.weight" not in state:
        raise DataError(f"{path} holds weights of another network: Inception-v3 has fc.weight")
    fid = len(state["fc.weight"]) == 1008
    encoder = InceptionV3(image, fid=fid)
    encoder.network.fc = encoder.classifier
    files.load(encoder.network, state, path)
    encoder.network.fc = nn.Identity()
    name = f"inception-v3-{'fid' if fid else 'torchvision'}@{files.short_hash(path)}"
    return FeatureSpace(name, (encoder.to(device),), resize="bilinear as TensorFlow 1, 299×299")


def resize_like_tensorflow1(images: Tensor, size: int) -> Tensor:
    """Bilinear to `size`² without antialiasing, where output pixel i samples at i · in / out.

    (Others sample at (i + ½) · in / out − ½: a shift that FID depends on.)
    """
    rows = _bilinear(images.shape[2], size).to(images)
    columns = _bilinear(images.shape[3], size).to(images)
    return rows @ images @ columns.T


def _bilinear(given: int, wanted: int) -> Tensor:
    """The interpolation matrix (wanted, given)."""
    position = torch.arange(wanted) * (given / wanted)
    lower = position.long()
    upper = (lower + 1).clamp_max(given - 1)
    fraction = position - lower
    matrix = torch.zeros(wanted, given)
    index = torch.arange(wanted)
    matrix[index, lower] += 1 - fraction
    matrix[index, upper] += fraction
    return matrix


def require_grey_or_rgb(space: str, image: ImageShape) -> None:
    """Raises DataError for images that a network trained on photographs can't take."""
    if image.channels not in (1, 3):
        raise DataError(
            f"feature space {space!r} takes images with 1 or 3 channels, not {image.channels}"
        )
