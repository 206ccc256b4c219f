"""Open a dataset by name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

from gentex.data.dataset import Dataset
from gentex.errors import HyperparameterError, closest
from gentex.factory import check_hyperparameters, hyperparameters
from gentex.registry import import_target, registry

_FIXED = ("split", "argument", "root")


def data_root(root: str | Path | None = None) -> Path | None:
    """The folder that data sets lie in: `root`, else the environment variable GENTEX_DATA."""
    chosen = root if root is not None else os.environ.get("GENTEX_DATA")
    return Path(chosen).expanduser() if chosen else None


def load_dataset(
    reference: str, split: str = "train", *, root: str | Path | None = None, **options: Any
) -> Dataset:
    """Open a split of a dataset: `load_dataset("folder:photos", "train", size=64, channels=3)`.

    root: the folder that data sets lie in, by default GENTEX_DATA.
    options: what the dataset takes, such as `size` (pixels) and `channels` (1 or 3).

    Raises DataError for data that is missing or unusable.
    """
    found = registry().resolve("dataset", reference)
    function = import_target(found)
    for name in options:
        if name in _FIXED or name not in hyperparameters(function):
            allowed = [o for o in hyperparameters(function) if o not in _FIXED]
            raise HyperparameterError(
                f"dataset {found.card.name!r} has no option {name!r}{closest(name, allowed)}"
            )
    values = check_hyperparameters(
        function,
        {"split": split, "argument": found.argument, "root": data_root(root), **options},
        f"dataset {found.card.name!r}",
    )
    return cast(Dataset, function(**values))
