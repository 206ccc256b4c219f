"""The cards of what gentex brings itself, contributed through the same hook as everyone's."""

from __future__ import annotations

from gentex.cards import Card
from gentex.hookspecs import hookimpl


@hookimpl
def gentex_cards() -> list[Card]:
    """Built-in datasets, feature spaces, metrics, tasks and executors."""
    return [
        Card(
            "generation@1",
            "gentex.tasks.generation:run",
            "Train a generator, then compare its samples with held-out images.",
            kind="task",
        ),
    ]
