"""Metrics of uplift@1: what is recognised in images, in layers, and in inputs of their size."""

from typing import Literal

from gentex.cards import Card, Paper

EFRON = Paper(
    "An Introduction to the Bootstrap",
    ("Efron, Bradley", "Tibshirani, Robert J."),
    1993,
    "Chapman and Hall",
    "efron1993introduction",
    doi="10.1201/9780429246593",
    entry="book",
)


def _metric(
    name: str,
    summary: str,
    direction: Literal["", "lower", "higher"] = "higher",
    paper: Paper | None = None,
) -> Card:
    return Card(
        name,
        "gentex.metrics.uplift:recognition_scores",
        summary,
        kind="metric",
        direction=direction,
        paper=paper,
        tags=("separation", "uplift"),
    )


UPLIFT_METRICS = [
    _metric("uplift", "Accuracy on both layers minus that on the image taken twice"),
    _metric("uplift-low", "Lower bound of uplift, 95 % paired bootstrap", "", EFRON),
    _metric("uplift-high", "Upper bound of uplift, 95 % paired bootstrap", "", EFRON),
    _metric("uplift-over-gaussian", "Accuracy on both layers minus that on a Gaussian split"),
    _metric("uplift-over-gaussian-low", "Its lower bound, 95 % paired bootstrap", "", EFRON),
    _metric("uplift-over-gaussian-high", "Its upper bound, 95 % paired bootstrap", "", EFRON),
    _metric("accuracy-image", "Share of the test images recognised by their features"),
    _metric("accuracy-structure", "Share recognised by the features of the structure"),
    _metric("accuracy-texture", "Share recognised by the features of the texture"),
    _metric("accuracy-both", "Share recognised by the features of structure and texture"),
    _metric("accuracy-twice", "Share recognised by those of the image and its mirror image"),
    _metric("accuracy-gaussian", "Share recognised by those of a Gaussian low-pass and its rest"),
]
