"""Checkpoints: all that a run needs to go on as if it had never stopped.

A checkpoint is written whole or not at all, and is read without executing anything in it.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
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
        with zipfile.ZipFile(path) as archive:  # torch writes checksums, but does not read them
            if archive.testzip() is not None:
                raise ValueError("it is damaged: a checksum does not hold")
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        theirs = dict(state["run"])
    except Exception as error:  # a broken file raises whatever its bytes happen to lead to
        reason = str(error).partition("\n")[0]
        raise CheckpointError(f"checkpoint {path} cannot be read: {reason}") from None
    for key in run | theirs:
        if theirs.get(key) != run.get(key):
            raise CheckpointError(
                f"checkpoint {path} is of another run: {key} is {theirs.get(key)!r} there and "
                f"{run.get(key)!r} here"
            )
    return state
