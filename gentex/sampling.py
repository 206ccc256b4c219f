"""Samples of a generator, as many as are wanted, the same whatever the batch size."""

from __future__ import annotations

import torch
from torch import Tensor

from gentex.interfaces import Generator, sample_rngs


@torch.inference_mode()
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
    training = model.training
    model.eval()
    chunks: list[Tensor] = []
    for first in range(0, n, batch_size):
        last = min(first + batch_size, n)
        rng = sample_rngs(seed, range(start + first, start + last))
        given = None if condition is None else condition[first:last].to(model.device)
        images = model.sample(last - first, rng=rng, condition=given)
        chunks.append(images.float().clamp(0, 1).mul(255).round().to(torch.uint8).cpu())
    model.train(training)
    return torch.cat(chunks) if chunks else torch.empty(0, dtype=torch.uint8)
