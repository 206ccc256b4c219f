"""Weights that the user has: found, checked, named by their hash, and never downloaded."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from gentex.builtin.weights import find, sha256
from gentex.errors import DataError

__all__ = ["find", "load", "read", "short_hash"]


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
    return sha256(path)[:8]
