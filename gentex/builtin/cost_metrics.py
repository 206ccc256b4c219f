"""What a model costs, as tasks measure it themselves."""

from typing import Literal

from gentex.cards import Card


def _metric(
    name: str, function: str, summary: str, direction: Literal["", "lower", "higher"], unit: str
) -> Card:
    return Card(
        name,
        f"gentex.tasks.cost:{function}",
        summary,
        kind="metric",
        direction=direction,
        unit=unit,
        tags=("cost",),
    )


COST_METRICS = [
    _metric("train-time", "cost_scores", "Time that the training took", "lower", "s"),
    _metric(
        "train-throughput", "cost_scores", "Images trained on in a second", "higher", "images/s"
    ),
    _metric(
        "peak-memory",
        "cost_scores",
        "Most memory: of tensors on a CUDA device, else of the process",
        "lower",
        "MiB",
    ),
    _metric(
        "sample-throughput", "sampling_scores", "Images sampled in a second", "higher", "images/s"
    ),
    _metric(
        "evaluations",
        "sampling_scores",
        "Evaluations of the network for each sample, of models that count them",
        "",
        "per image",
    ),
]
