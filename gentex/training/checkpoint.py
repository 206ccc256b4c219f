"""Checkpoints: all that a run needs to go on as if it had never stopped.

A checkpoint is written whole or not at all, and is read without executing anything in it.
"""

from __future__ import annotations

import os
import pickle
import tempfile
from pathlib import Path
from typing import Any

import torch

from gentex.errors import CheckpointError


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state` to `path` atomically: a temporary file beside it, fsync, rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_checkpoint(path: Path, run: dict[str, Any]) -> dict[str, Any] | None:
    """The state at `path`, or None where there is none yet.

    run: what identifies the run (its seed, batch size, ...); a checkpoint of another run is an
        error, as going on from it would silently give neither run's result.
    """
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        theirs = state["run"]
    except (OSError, RuntimeError, KeyError, EOFError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"checkpoint {path} cannot be read: {error}") from None
    for key, value in run.items():
        if theirs.get(key) != value:
            raise CheckpointError(
                f"checkpoint {path} is of another run: {key} is {theirs.get(key)!r} there and "
                f"{value!r} here"
            )
    return state
