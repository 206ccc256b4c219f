"""Small checks of hyperparameters and arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from torch import Tensor

from gentex.errors import HyperparameterError, closest

T = TypeVar("T")


def check_positive(**values: float) -> None:
    """Raise a HyperparameterError that names the first value that is not above zero."""
    for name, value in values.items():
        if not value > 0:
            raise HyperparameterError(f"{name}={value!r}: a number above zero is allowed")


def check_not_negative(**values: float) -> None:
    """Raise a HyperparameterError that names the first value below zero."""
    for name, value in values.items():
        if not value >= 0:
            raise HyperparameterError(f"{name}={value!r}: zero or more is allowed")


def choose(hyperparameter: str, name: str, choices: Mapping[str, T]) -> T:
    """The choice of that name, or a HyperparameterError with what there is."""
    if name not in choices:
        raise HyperparameterError(f"no {hyperparameter} {name!r}{closest(name, choices)}")
    return choices[name]


def unconditional(architecture: str, condition: Tensor | None) -> None:
    """Refuse a condition that would be ignored."""
    if condition is not None:
        raise TypeError(f"{architecture} is not class-conditional: it takes no condition")
