"""Weights that come with the package: safetensors for three channels."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file
from torch import nn

from gentex.errors import HyperparameterError, closest

FOLDER = Path(__file__).parent.parent / "weights"
CHANNELS = 3


def channels_seen(weights: str, channels: int) -> int:
    """The channels of a network with those `weights`, for images of so many: 3 for shipped ones.

    Raises HyperparameterError for weights, or a number of channels, that there are none for.
    """
    if not weights:
        return channels
    if weights != "default":
        raise HyperparameterError(f"weights={weights!r}{closest(weights, ['default'])} or ''")
    if channels not in (1, CHANNELS):
        raise HyperparameterError(
            f"weights='default' with {channels} channels: they are for images of 1 or {CHANNELS}"
        )
    return CHANNELS


def load_weights(model: nn.Module, name: str) -> None:
    """Fill a `model` of three channels with the shipped weights of `name`.

    A model without storage stays as it is. Raises HyperparameterError where they do not fit.
    """
    if any(parameter.is_meta for parameter in model.parameters()):
        return
    state = {key: value.float() for key, value in load_file(FOLDER / f"{name}.safetensors").items()}
    try:
        model.load_state_dict(state)
    except RuntimeError:
        raise HyperparameterError(
            f"weights='default' of {name} fit its default hyperparameters only"
        ) from None
