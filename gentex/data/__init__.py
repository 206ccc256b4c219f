"""Datasets: where images come from, and the stream of batches that training takes from them.

Importing this package does not import torch, so that files can be found and fingerprints taken
without it; the names below are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gentex.data.dataset import Dataset, FileDataset, MemoryDataset, Skipped
    from gentex.data.decode import fit, read_image
    from gentex.data.stream import batches, in_order

# No submodule may be called like one of these names: importing it would put the module here.
_LAZY = {
    "Dataset": "gentex.data.dataset",
    "FileDataset": "gentex.data.dataset",
    "MemoryDataset": "gentex.data.dataset",
    "Skipped": "gentex.data.dataset",
    "batches": "gentex.data.stream",
    "fit": "gentex.data.decode",
    "in_order": "gentex.data.stream",
    "read_image": "gentex.data.decode",
}

__all__ = [
    "Dataset",
    "FileDataset",
    "MemoryDataset",
    "Skipped",
    "batches",
    "fit",
    "in_order",
    "read_image",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'gentex.data' has no attribute {name!r}")
    value = getattr(importlib.import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
