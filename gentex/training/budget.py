"""How long a run may be."""

from __future__ import annotations

from dataclasses import dataclass

from gentex.errors import TrainingError
from gentex.training.history import History


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits in steps, images and seconds; it is spent as soon as one that is given is."""

    steps: int | None = None
    images: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        given = {n: getattr(self, n) for n in self.__slots__ if getattr(self, n) is not None}
        if not given:
            raise TrainingError("no budget: give steps, images or seconds")
        for name, limit in given.items():
            if not limit >= 0:  # so that NaN, which would never be spent, is refused too
                raise TrainingError(f"a budget of {limit} {name}: zero or more is wanted")

    def spent(self, history: History) -> float:
        """The share of the budget that is spent, from 0 to 1."""
        used = (
            (self.steps, history.steps),
            (self.images, history.images),
            (self.seconds, history.seconds),
        )
        shares = (amount / limit if limit else 1.0 for limit, amount in used if limit is not None)
        return min(max(shares), 1.0)
