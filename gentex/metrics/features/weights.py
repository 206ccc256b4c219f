"""Weights that the user has: found, checked, named by their hash, and never downloaded."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from gentex.errors import DataError


def find(space: str, weights: str | Path | None, names: Sequence[str]) -> Path:
    """The file of weights for a feature space.

    weights: the file, or a folder that holds one of `names`; None looks in the folder that the
        environment variable GENTEX_WEIGHTS names, and in torch's cache of downloads.
    Raises DataError at once where there is none; nothing is ever downloaded.
    """
    if weights is not None and Path(weights).is_file():
        return Path(weights)
    if weights is not None:
        if not Path(weights).is_dir():
            raise DataError(
                f"feature space {space!r}: {weights} is no file of weights, nor a folder"
            )
        folders = [Path(weights)]
    else:
        folders = [Path(torch.hub.get_dir()) / "checkpoints"]
        if os.environ.get("GENTEX_WEIGHTS"):
            folders.insert(0, Path(os.environ["GENTEX_WEIGHTS"]))
    for folder in folders:
        for name in names:
            if (folder / name).is_file():
                return folder / name
    raise DataError(
        f"feature space {space!r} needs a file of weights, and nothing is downloaded: "
        f"no {' or '.join(names)} in {', '.join(map(str, folders))}; name the file, or set "
        f"GENTEX_WEIGHTS to its folder"
    )


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors file, or of one that torch.save wrote, on the CPU."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise DataError(f"{path} can't be read as weights: {error}") from error
    state = state.get("state_dict", state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(isinstance(x, Tensor) for x in state.values()):
        raise DataError(f"{path} holds no dictionary of tensors")
    return state


def load(module: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    """Fill the module, all of it and nothing left over."""
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise DataError(f"{path} holds weights of another network: {error}") from error


def short_hash(path: Path) -> str:
    """The first 8 hex digits of the file's sha256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:8]
