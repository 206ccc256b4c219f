"""An architecture under test, and the small data that it is tested on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch

from gentex.data import MemoryDataset
from gentex.errors import HyperparameterError
from gentex.factory import create
from gentex.interfaces import Batch, ImageShape, Layers, Trainable
from gentex.registry import Found

SHAPES = (
    ImageShape(1, 32, 32),
    ImageShape(3, 32, 32),
    ImageShape(1, 16, 16),
    ImageShape(3, 64, 64),
    ImageShape(1, 32, 16),
    ImageShape(1, 28, 28),
    ImageShape(2, 7, 9),
)
"""Every architecture builds for the first two, and for each other one builds or says why not."""


@dataclass
class Subject:
    """An architecture with the hyperparameters it is tested with."""

    found: Found
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    _refusals: dict[ImageShape, str | None] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        return self.found.card.name

    @cached_property
    def trained(self) -> bool:
        """Whether it has anything to train."""
        return bool(self.create().optimizers())

    def create(self, image: ImageShape = SHAPES[0], seed: int = 0) -> Any:
        """A fresh model."""
        return create(self.found.reference, image=image, seed=seed, **self.hyperparameters)

    def shapes(self) -> list[ImageShape]:
        """The shapes among `SHAPES` that it builds for."""
        return [shape for shape in SHAPES if self.refusal(shape) is None]

    def refusal(self, shape: ImageShape) -> str | None:
        """Why it does not build for a shape; None where it does."""
        if shape not in self._refusals:
            try:
                self.create(shape)
                self._refusals[shape] = None
            except HyperparameterError as error:
                self._refusals[shape] = str(error)
        return self._refusals[shape]


def images(shape: ImageShape, n: int = 4, seed: int = 0) -> torch.Tensor:
    """Random smooth-ish images: uint8 (n, C, H, W)."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(n, shape.channels, 4, 4, generator=generator)
    fine = torch.rand(n, *shape, generator=generator)
    grown = torch.nn.functional.interpolate(coarse, tuple(shape[1:]), mode="bilinear")
    return (255 * (0.7 * grown + 0.3 * fine)).to(torch.uint8)


class _WithLayers(MemoryDataset):
    """Images whose structure is their mean, so that separators can train on them."""

    def batch(self, indices: Sequence[int] | torch.Tensor) -> Batch:
        batch = super().batch(indices)
        structure = batch.images.mean((2, 3), keepdim=True).expand_as(batch.images)
        return Batch(batch.images, batch.labels, Layers(structure, batch.images - structure))


def dataset(shape: ImageShape, n: int = 16) -> MemoryDataset:
    """Random images in two classes, with layers."""
    labels = torch.arange(n) % 2
    return _WithLayers("contract", "train", images(shape, n), labels, classes=("even", "odd"))


def outputs(model: Trainable, batch: torch.Tensor) -> dict[str, torch.Tensor]:
    """What a model makes of images through each of its interfaces, in evaluation mode."""
    from gentex.interfaces import Encoder, Generator, Separator, sample_rngs

    made: dict[str, torch.Tensor] = {}
    model.eval()
    with torch.no_grad():
        if isinstance(model, Generator):
            made["sample"] = model.sample(len(batch), rng=sample_rngs(7, range(len(batch))))
        if isinstance(model, Encoder):
            made["encode"] = model.encode(batch)
        if isinstance(model, Separator):
            made["separate"] = model.separate(batch).structure
    return made
