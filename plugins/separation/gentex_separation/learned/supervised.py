"""What the learned separators share: they estimate the texture, and learn from true layers."""

from __future__ import annotations

import itertools
import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import AdamW, Optimizer

from gentex import Batch, ImageShape, Layers, Separator
from gentex.errors import DataError, HyperparameterError
from gentex_separation.learned.weights import channels_seen
from gentex_separation.solution import at_least_single, positive

FLOOR = 1e-6  # mean square error that is as good as none: 60 dB


class Supervised(Separator):
    """A separator that learns texture from composites.

    lr: learning rate of AdamW.
    steps: of the training; in the second half of them the learning rate falls to zero. 0 leaves it
        as it is.
    weights: "default" for those that come with the package, for 1 or 3 channels and the default
        sizes; "" for random ones. Grey images are seen in three equal channels, whose results are
        averaged.
    ensemble: separate by the mean over the eight turns and mirrorings of an image (Timofte et al.,
        Seven Ways to Improve Example-Based Single Image Super Resolution, 2016), in eight times
        the time. Training is the same.
    """

    def __init__(
        self, image: ImageShape, lr: float, steps: int, weights: str, ensemble: bool
    ) -> None:
        super().__init__()
        if steps < 0:
            raise HyperparameterError(f"steps={steps}: allowed are whole numbers from 0")
        self.image, self.lr, self.steps = image, positive("lr", lr), steps
        self.channels, self.ensemble = channels_seen(weights, image.channels), ensemble

    @abstractmethod
    def network(self, images: Tensor) -> Tensor:
        """The texture of images (N, `channels`, H, W) in [0, 1], of any size."""

    def texture(self, images: Tensor) -> Tensor:
        """The texture of images (N, C, H, W) in [0, 1], of any size."""
        if images.shape[1] == self.channels:
            return self.network(images)
        return self.network(images.expand(-1, self.channels, -1, -1)).mean(1, keepdim=True)

    def separate(self, images: Tensor) -> Layers:
        """Layers of images (N, C, H, W) of any size; C is that of the constructor's image.

        They are float32, or float64 where the images are.
        """
        seen = images.to(next(self.parameters()).dtype)
        texture = self._mean_texture(seen) if self.ensemble else self.texture(seen)
        images = at_least_single(images)
        texture = texture.to(images.dtype)
        return Layers(images - texture, texture)

    def _mean_texture(self, images: Tensor) -> Tensor:
        """The mean over the turned and mirrored images of the textures, turned back."""
        total = torch.zeros_like(images)
        for turns, mirrored in itertools.product(range(4), (False, True)):
            turned = images.flip(-1) if mirrored else images
            texture = self.texture(turned.rot90(turns, (-2, -1))).rot90(-turns, (-2, -1))
            total += texture.flip(-1) if mirrored else texture
        return total / 8

    def optimizers(self) -> dict[str, Optimizer]:
        optimizer = AdamW(self.parameters(), self.lr, weight_decay=1e-4, fused=True)
        if self.steps:
            optimizer.register_step_pre_hook(falling(self.lr, self.steps))
        return {"separator": optimizer}

    def loss(self, batch: Batch) -> Tensor:
        """Mean over images of the error's decibels, 10 log₁₀ ‖ŝ − s‖²: minus the PSNR.

        So an easy composite counts as much as a hard one, whose squared error is many times larger.
        """
        if batch.layers is None:
            raise DataError("a learned separator trains on images whose layers are known")
        error = self.texture(batch.images) - batch.layers.texture
        return 10 * (error.float().square().mean((1, 2, 3)) + FLOOR).log10().mean()


def falling(lr: float, steps: int) -> Callable[[Optimizer, Any, Any], None]:
    """A hook that keeps `lr` for half of the `steps` and takes it linearly to zero in the other.

    The count lies in the parameter groups, so that a checkpoint of the optimiser holds it.
    """

    def before_step(optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        for group in optimizer.param_groups:
            taken = group.setdefault("taken", 0)
            group["lr"] = lr * min(1.0, max(2 - 2 * taken / steps, 0.0))
            group["taken"] = taken + 1

    return before_step


def zeroed(layer: torch.nn.Conv2d) -> torch.nn.Conv2d:
    """A last layer that starts at zero: at first all is structure."""
    torch.nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        torch.nn.init.zeros_(layer.bias)
    return layer


def padded(images: Tensor, multiple: int) -> Tensor:
    """Images reflected beyond their lower and right borders, to sides that `multiple` divides."""
    h, w = images.shape[-2:]
    rows, columns = (
        reflected(n, math.ceil(n / multiple) * multiple, images.device) for n in (h, w)
    )
    return images if len(rows) == h and len(columns) == w else images[..., rows[:, None], columns]


def reflected(n: int, length: int, device: torch.device) -> Tensor:
    """Indices 0, 1, ..., n-1, n-1, ..., 1, 0, 0, 1, ...: half-sample symmetric, however short n."""
    index = torch.arange(length, device=device) % (2 * n)
    return torch.minimum(index, 2 * n - 1 - index)
