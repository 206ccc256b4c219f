"""Samples of a generator, as many as are wanted, the same whatever the batch size."""

from __future__ import annotations

import torch
from torch import Tensor

from gentex.interfaces import Generator, sample_rngs


@torch.no_grad()
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
    training = model.training
    model.eval()
    try:
        chunks: list[Tensor] = []
        for first in range(0, max(n, 1), batch_size):  # no samples have a shape too
            last = min(first + batch_size, n)
            rng = sample_rngs(seed, range(start + first, start + last))
            given = None if condition is None else condition[first:last].to(model.device)
            images = model.sample(last - first, rng=rng, condition=given)
            chunks.append(images.float().clamp(0, 1).mul(255).round().to(torch.uint8).cpu())
    finally:
        model.train(training)
    return torch.cat(chunks)
