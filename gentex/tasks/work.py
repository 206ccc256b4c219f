"""What a task is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gentex.cards import Card

TUNED = "-tuned"
"""Ends the name of a metric where hyperparameters were chosen on training data, from a grid."""
ORACLE = "-oracle"
"""Ends it where they were chosen for each test item, which no honest choice can reach."""


@dataclass(frozen=True, slots=True)
class Work:
    """One cell as its task sees it.

    folder: where the task may leave files (samples, the trained model).
    cache: a folder of all cells, for what can be computed again; None where there is none.
    on_progress: called with the phase, the share of it that is done in [0, 1], and current losses.
    """

    architecture: str
    dataset: str
    seed: int
    budget: dict[str, Any]
    folder: Path
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    dataset_options: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    device: str = "auto"
    root: Path | None = None
    cache: Path | None = None
    on_progress: Callable[[str, float, dict[str, float]], None] = lambda *_: None


@dataclass(frozen=True, slots=True)
class Score:
    """The value of a metric, which way is better, its unit, and the floor beside it.

    floor: the same metric where nothing was to be learned (for generation: between the real train
        and test images), the value that a perfect model can be expected to reach.
    """

    value: float
    direction: str = ""
    unit: str = ""
    floor: float | None = None

    @classmethod
    def of(cls, card: Card, value: float, floor: float | None = None) -> Score:
        """A score with the direction and unit that the metric's card states."""
        return cls(float(value), card.direction, card.unit, None if floor is None else float(floor))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a task found.

    scores: metric name -> Score, in the order in which they are shown.
    protocol: what the scores depend on (split, N, feature space, ...); rows whose protocols differ
        are never compared.
    curves: name -> list of (step, value).
    cost: what the work took: steps, images, seconds, parameters, ...
    items: metric name -> values per test item, for paired tests over items.
    files: what was left in the folder, by its role: {"samples": "samples.png", "model": "model"}.
    chosen: hyperparameters that the task chose on training data, and from what:
        {"strength": {"value": 0.1, "choices": [0.05, 0.1, 0.2]}}.
    """

    scores: dict[str, Score]
    protocol: dict[str, Any] = field(default_factory=dict)
    curves: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    cost: dict[str, Any] = field(default_factory=dict)
    items: dict[str, list[float]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    chosen: dict[str, dict[str, Any]] = field(default_factory=dict)
