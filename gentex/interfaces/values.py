"""Values that pass between data, architectures and the training loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class ImageShape(NamedTuple):
    """The shape of one image, without the batch: `ImageShape(3, 32, 32)`."""

    channels: int
    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.channels}×{self.height}×{self.width}"


class Layers(NamedTuple):
    """An image taken apart: `structure + texture == image`, each (N, C, H, W), float.

    Structure lies in the range of images, [0, 1], up to what the method over- or undershoots;
    texture is signed and has mean near zero.
    """

    structure: Tensor
    texture: Tensor

    @property
    def image(self) -> Tensor:
        """The image that the layers add up to."""
        return self.structure + self.texture


@dataclass(frozen=True, slots=True)
class Batch:
    """What an architecture is given at a step.

    images: float in [0, 1], (N, C, H, W), or (N, T, C, H, W) for sequences.
    labels: int64 class indices, (N,), where the dataset has classes.
    layers: the true (structure, texture), where the dataset knows them.
    """

    images: Tensor
    labels: Tensor | None = None
    layers: Layers | None = None

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""

        def move(tensor: Tensor) -> Tensor:
            return tensor.to(device, non_blocking=True)

        return Batch(
            move(self.images),
            None if self.labels is None else move(self.labels),
            None if self.layers is None else Layers(*map(move, self.layers)),
        )


@dataclass(frozen=True, slots=True)
class Update:
    """One optimiser step, as a `training_step` yields it.

    optimizer: its name in `Trainable.optimizers()`, None for the only one. Gradients are taken for
        its parameters alone.
    loss: a scalar tensor, the mean over the batch.
    logs: scalars to record beside the loss; tensors are fetched only when the log is written.
    """

    optimizer: str | None
    loss: Tensor
    logs: dict[str, Tensor | float] | None = None
