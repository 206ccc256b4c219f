"""The stream of training batches: a pure function of (dataset, batch size, seed, step).

So a run resumes at a step by starting the stream there, and each process of a data-parallel run
takes its own slice of the same global batch.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from gentex.data.dataset import Dataset
from gentex.errors import DataError
from gentex.interfaces import Batch


def batches(
    dataset: Dataset,
    batch_size: int,
    *,
    seed: int = 0,
    start: int = 0,
    rank: int = 0,
    world_size: int = 1,
    device: torch.device | str = "cpu",
) -> Iterator[Batch]:
    """Endless batches from step `start` on, shuffled anew every epoch.

    batch_size: images per process; a step takes `batch_size * world_size` items, of which this
        process gets the `rank`-th slice. Epochs follow each other without a gap, so every batch is
        full, whatever the size of the dataset.
    """
    if not len(dataset):
        raise DataError(f"dataset {dataset.name!r} has no images in its {dataset.split} split")
    target = torch.device(device)
    steps = _Steps(len(dataset), batch_size, seed, start, rank, world_size)
    if not dataset.workers:
        resident = dataset.to(target)
        for indices in steps:
            yield resident.batch(indices).to(target)
    loader = DataLoader(
        _ByBatch(dataset),
        sampler=steps,
        batch_size=None,
        num_workers=min(8, os.cpu_count() or 1),
        pin_memory=target.type == "cuda",
        persistent_workers=True,
        generator=torch.Generator(),  # or it would draw from the noise of training
    )
    for images, labels in loader:
        yield Batch(images, labels).to(target)


class _ByBatch(TorchDataset[tuple[Tensor, Tensor | None]]):
    """A dataset whose items are whole batches, for a `DataLoader` without batching of its own."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def __getitem__(self, indices: Tensor) -> tuple[Tensor, Tensor | None]:
        batch = self.dataset.batch(indices)
        return batch.images, batch.labels


class _Steps:
    """The item indices of every step: epoch permutations laid end to end, cut into batches."""

    def __init__(
        self, length: int, batch_size: int, seed: int, start: int, rank: int, world_size: int
    ) -> None:
        self.length, self.seed = length, seed
        self.batch_size, self.total = batch_size, batch_size * world_size
        self.start, self.offset = start, rank * batch_size

    def __iter__(self) -> Iterator[Tensor]:
        step = self.start
        epochs: dict[int, Tensor] = {}
        while True:
            first = step * self.total + self.offset
            parts: list[Tensor] = []
            wanted = range(first, first + self.batch_size)
            epoch, last = wanted[0] // self.length, wanted[-1] // self.length
            epochs = {e: p for e, p in epochs.items() if e >= epoch}
            for e in range(epoch, last + 1):
                if e not in epochs:
                    epochs[e] = permutation(self.length, self.seed, e)
                low = max(first - e * self.length, 0)
                high = min(first + self.batch_size - e * self.length, self.length)
                parts.append(epochs[e][low:high])
            yield torch.cat(parts)
            step += 1


def permutation(length: int, seed: int, epoch: int) -> Tensor:
    """The order of the items in an epoch."""
    # Hashed, because torch's generator on the CPU ignores all but the lowest 32 bits of a seed.
    mixed = hashlib.sha256(f"{seed} {epoch}".encode()).digest()[:4]
    generator = torch.Generator().manual_seed(int.from_bytes(mixed, "big"))
    return torch.randperm(length, generator=generator)


def in_order(dataset: Dataset, batch_size: int, count: int | None = None) -> Iterator[Batch]:
    """Every item once (or the first `count`), in order, the last batch as small as it must be."""
    total = len(dataset) if count is None else min(count, len(dataset))
    for first in range(0, total, batch_size):
        indices: Sequence[int] = range(first, min(first + batch_size, total))
        yield dataset.batch(torch.tensor(indices))
