"""What an architecture can be: a Generator, an Encoder, a Separator, or several of them.

Images are float in [0, 1], (N, C, H, W); sequences (N, T, C, H, W). A network that works in [-1, 1]
maps on its way in and out. The first parameter of every constructor is `image: ImageShape`; all
others are hyperparameters, keyword-only, with a default and a type that JSON can hold.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gentex.interfaces.noise import Rng
from gentex.interfaces.values import Batch, Layers, Update


class Trainable(nn.Module):
    """A module that says how it trains, and leaves everything else to the loop.

    The loop owns device, precision, gradients, clipping, averaging across processes, EMA,
    checkpoints and logs. What is left is the algorithm box of the paper.
    """

    def optimizers(self) -> dict[str, Optimizer]:
        """The optimisers by name; none where nothing trains. Called once, on the final device."""
        return {}

    def loss(self, batch: Batch) -> Tensor | tuple[Tensor, dict[str, Tensor | float]]:
        """The loss of a model that has only one, a scalar, the mean over the batch.

        A dictionary of scalars to log may come with it. A model with several optimisers writes
        `training_step` instead.
        """
        raise TypeError(
            f"{type(self).__name__} has optimizers() but neither loss() nor training_step()"
        )

    def training_step(self, batch: Batch) -> Iterator[Update]:
        """One training step: yields an `Update` per optimiser step, resumed after it was taken.

        So the code after a `yield` sees the updated parameters. Each resumption runs in an autocast
        region of its own.
        """
        result = self.loss(batch)
        loss, logs = result if isinstance(result, tuple) else (result, None)
        yield Update(None, loss, logs)

    def finish(self, batches: Iterator[Batch]) -> None:
        """Fit what is fitted rather than trained, once, after the last step.

        batches: the training images in order, on the model's device; the model is in evaluation
            mode and no gradients are recorded.
        """

    @property
    def device(self) -> torch.device:
        """Where the parameters live, or where a model that has none was last moved to."""
        for tensor in (*self.parameters(), *self.buffers()):
            return tensor.device
        return self._place

    _place = torch.device("cpu")
    """Where a tensor would have been moved to: to(), cuda() and all others go through `_apply`."""

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # torch gives it no types
        self._place = fn(torch.empty(0, device=self._place)).device
        return self

    config: dict[str, Any]
    """Set by `gentex.create`: the architecture's reference, image shape and hyperparameters."""


class Generator(Trainable, ABC):
    """Makes images (or sequences) out of noise."""

    @abstractmethod
    def sample(self, n: int, *, rng: Rng = None, condition: Tensor | None = None) -> Tensor:
        """`n` images in [0, 1]: (n, C, H, W), or sequences (n, T, C, H, W).

        rng: where the noise comes from; draw it with `gentex.randn`, so that sample i of a seed is
            the same whatever the batch size.
        condition: (n,) class indices, for class-conditional architectures.
        """


class Encoder(Trainable, ABC):
    """Turns images into feature vectors; any Encoder can be the feature space of a metric."""

    dim: int

    @abstractmethod
    def encode(self, images: Tensor) -> Tensor:
        """Features (N, `dim`) of images (N, C, H, W) in [0, 1]."""


class Separator(Trainable, ABC):
    """Takes images apart into structure and texture.

    grid: hyperparameter -> values that a comparison may tune it over, on training images only; for
        methods that have nothing to train.
    """

    grid: ClassVar[Mapping[str, Sequence[Any]]] = {}

    @abstractmethod
    def separate(self, images: Tensor) -> Layers:
        """Layers of images (N, C, H, W) in [0, 1]; they add up to the images to float precision."""
