"""gentex: image generation and texture separation in PyTorch, by plugins, compared by one harness.

Importing this module does not import torch: the names that need it are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from gentex.cards import Card, Paper
from gentex.errors import GentexError
from gentex.hookspecs import hookimpl
from gentex.registry import list_architectures, register

if TYPE_CHECKING:
    from gentex.data.load import load_dataset
    from gentex.factory import create, load, save
    from gentex.interfaces import (
        Batch,
        Encoder,
        Generator,
        ImageShape,
        Layers,
        Rng,
        Separator,
        Trainable,
        Update,
        randn,
    )
    from gentex.sampling import interpolate, sample
    from gentex.training import train

__version__ = "0.1.0"

__all__ = [
    "Batch",
    "Card",
    "Encoder",
    "Generator",
    "GentexError",
    "ImageShape",
    "Layers",
    "Paper",
    "Rng",
    "Separator",
    "Trainable",
    "Update",
    "__version__",
    "create",
    "hookimpl",
    "interpolate",
    "list_architectures",
    "load",
    "load_dataset",
    "randn",
    "register",
    "sample",
    "save",
    "train",
]

_HOMES = {
    "create": "gentex.factory",
    "load": "gentex.factory",
    "load_dataset": "gentex.data.load",
    "sample": "gentex.sampling",
    "interpolate": "gentex.sampling",
    "save": "gentex.factory",
    "train": "gentex.training",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'gentex' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES.get(name, "gentex.interfaces")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
