"""The cards of what gentex brings itself, contributed through the same hook as everyone's."""

from __future__ import annotations

from gentex.builtin.cost_metrics import COST_METRICS
from gentex.builtin.datasets import DATASETS
from gentex.builtin.features import FEATURES
from gentex.builtin.layer_metrics import LAYER_METRICS
from gentex.builtin.metrics import METRICS
from gentex.builtin.tasks import TASKS
from gentex.builtin.uplift_metrics import UPLIFT_METRICS
from gentex.cards import Card
from gentex.hookspecs import hookimpl


@hookimpl
def gentex_cards() -> list[Card]:
    """Built-in tasks, datasets, metrics, feature spaces and executors."""
    metrics = [*METRICS, *LAYER_METRICS, *UPLIFT_METRICS, *COST_METRICS]
    return [*TASKS, *DATASETS, *metrics, *FEATURES]
