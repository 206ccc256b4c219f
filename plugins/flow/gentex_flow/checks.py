"""Small checks of hyperparameters and arguments."""

from __future__ import annotations

from collections.abc import Collection

from torch import Tensor

from gentex.errors import HyperparameterError, closest


def check_positive(**values: float) -> None:
    """Raise a HyperparameterError that names the first value that is not above zero."""
    for name, value in values.items():
        if not value > 0:
            raise HyperparameterError(f"{name}={value!r}: a number above zero is allowed")


def check_share(**values: float) -> None:
    """Raise a HyperparameterError that names the first value not in [0, 1)."""
    for name, value in values.items():
        if not 0 <= value < 1:
            raise HyperparameterError(f"{name}={value!r}: a number from 0 to below 1 is allowed")


def check_choice(hyperparameter: str, name: str, choices: Collection[str]) -> None:
    """Raise a HyperparameterError with the choices that there are, or the closest one."""
    if name not in choices:
        raise HyperparameterError(f"no {hyperparameter} {name!r}{closest(name, choices)}")


def unconditional(architecture: str, condition: Tensor | None) -> None:
    """Refuse a condition that would be ignored."""
    if condition is not None:
        raise TypeError(f"{architecture} is not class-conditional: it takes no condition")
