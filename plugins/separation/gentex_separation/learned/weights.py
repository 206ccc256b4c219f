"""Weights that come with the package: safetensors of three channels, in half precision."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from gentex.errors import HyperparameterError, closest

FOLDER = Path(__file__).parent.parent / "weights"


def load_weights(model: nn.Module, name: str, weights: str, channels: int) -> None:
    """Fill a `model` for images of that many channels with the shipped weights of `name`.

    The layers called `head` and `tail` see the channels. For one channel they are folded: the
    network does what it would do with the same image in all three, averaged over the three results.

    Raises HyperparameterError for weights, a number of channels, or a width that nothing fits.
    """
    if weights != "default":
        raise HyperparameterError(f"weights={weights!r}{closest(weights, ['default'])} or ''")
    if channels not in (1, 3):
        raise HyperparameterError(
            f"weights='default' with {channels} channels: they are for images of 1 or 3"
        )
    state = {key: value.float() for key, value in load_file(FOLDER / f"{name}.safetensors").items()}
    if channels == 1:
        state = folded(state)
    try:
        model.load_state_dict(state)
    except RuntimeError:
        raise HyperparameterError(
            f"weights='default' of {name} fit its default hyperparameters only"
        ) from None


def folded(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The state of a network for grey images that gives the mean over the channels of `state`'s."""
    head, tail, bias = state["head.weight"], state["tail.weight"], state["tail.bias"]
    return state | {
        "head.weight": head.unflatten(1, (3, -1)).sum(1),
        "tail.weight": tail.unflatten(0, (3, -1)).mean(0),
        "tail.bias": bias.unflatten(0, (3, -1)).mean(0),
    }
