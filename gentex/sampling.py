"""Samples of a generator, as many as are wanted, the same whatever the batch size."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gentex.errors import GentexError
from gentex.interfaces import Generator, sample_rngs
from gentex.interfaces.noise import Between


def sample(
    model: Generator,
    n: int,
    *,
    seed: int = 0,
    start: int = 0,
    batch_size: int = 256,
    condition: Tensor | None = None,
) -> Tensor:
    """Images `start` to `start + n` of a seed: uint8 (n, C, H, W), on the CPU.

    Image i of seed s is drawn from a random stream of its own, so that it does not depend on the
    batch size or on how many are asked for. The model samples in evaluation mode and is left in
    the mode it was in.

    condition: (n,) class indices, for class-conditional architectures.
    """
    if condition is not None and len(condition) != n:
        raise ValueError(f"{n} samples under {len(condition)} conditions")
    rngs = sample_rngs(seed, range(start, start + n))
    return _drawn(model, rngs, batch_size, condition)


def interpolate(
    model: Generator,
    rows: int,
    steps: int,
    *,
    seed: int = 0,
    batch_size: int = 256,
    condition: Tensor | None = None,
) -> Tensor:
    """On the way from each sample of a seed to the next: uint8 (rows, steps, C, H, W), on the CPU.

    Row i goes from image i of the seed to image i + 1, both of which are `sample`'s, by spherical
    interpolation of all the noise that the generator draws.

    rows: at least 1.
    steps: images in a row, its ends included; at least 2.
    condition: (rows + 1,) class indices of the samples at the ends, for class-conditional
        architectures; what lies between two has the class of the nearer one.
    Raises GentexError where the generator draws noise otherwise than by `gentex.randn`.
    """
    if rows < 1 or steps < 2:
        raise ValueError(f"{rows} rows of {steps} images: at least 1 of 2 are needed")
    ends = sample(model, rows + 1, seed=seed, batch_size=batch_size, condition=condition)[:, None]
    sources: list[Between] = []
    nearer: list[int] = []
    for row in range(rows):
        for step in range(1, steps - 1):
            start, end = sample_rngs(seed, [row, row + 1])  # each is drawn from once
            sources.append(Between(start, end, step / (steps - 1)))
            nearer.append(row + (2 * step >= steps - 1))
    given = None if condition is None else condition[nearer]
    try:
        between = _drawn(model, sources, batch_size, given)
    except (AttributeError, TypeError) as error:  # the ends could be drawn
        raise GentexError(
            f"{type(model).__name__} cannot be interpolated: it draws noise otherwise than by "
            f"gentex.randn ({error})"
        ) from error
    between = between.view(rows, steps - 2, *between.shape[1:])
    return torch.cat([ends[:-1], between, ends[1:]], dim=1)


def evaluations(model: nn.Module) -> float | None:
    """Evaluations of the network for each image of the last sample; None where not counted."""
    spent = getattr(model, "spent", None)
    return float(spent.double().mean()) if isinstance(spent, Tensor) else None


@torch.no_grad()
def _drawn(
    model: Generator,
    sources: Sequence[torch.Generator | Between],
    batch_size: int,
    condition: Tensor | None = None,
) -> Tensor:
    """An image from each source of noise, the model in evaluation mode: uint8, on the CPU.

    A model that counts the evaluations of its network, in `spent`, is left with those of all.
    """
    training = model.training
    model.eval()
    try:
        chunks: list[Tensor] = []
        spent: list[Tensor] = []
        for first in range(0, max(len(sources), 1), batch_size):  # no samples have a shape too
            rng = sources[first : first + batch_size]
            given = None if condition is None else condition[first : first + len(rng)]
            given = None if given is None else given.to(model.device)
            images = model.sample(len(rng), rng=rng, condition=given)
            counted = getattr(model, "spent", None)
            if isinstance(counted, Tensor):
                spent.append(counted)
            chunks.append(images.float().clamp(0, 1).mul(255).round().to(torch.uint8).cpu())
    finally:
        model.train(training)
    if spent:
        model.spent = torch.cat(spent)
    return torch.cat(chunks)
