"""Does separating help recognition? What was recognised in each input, compared in pairs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from gentex.errors import DataError

RESAMPLES = 9999

CONTROLS = {"uplift": "twice", "uplift-over-gaussian": "gaussian"}
"""What structure and texture together are compared with, by the name of the difference."""


def recognition_scores(correct: Mapping[str, Tensor]) -> dict[str, float]:
    """Accuracies by input, and by how much `both` layers lead the inputs of the same dimension.

    correct: input -> whether each test image was recognised, (N,) of 0 and 1, N ≥ 2, with the
        inputs `both`, `twice` and `gaussian` among them.

    Returns `accuracy-INPUT` for every input; and for every difference of `CONTROLS` its value, and
    the bounds `-low` and `-high` of its 95 % interval.
    """
    scores: dict[str, float] = {}
    for name, values in differences(correct).items():
        low, high = paired_interval(values)
        scores |= {name: float(values.mean()), f"{name}-low": low, f"{name}-high": high}
    return scores | {f"accuracy-{name}": float(c.double().mean()) for name, c in correct.items()}


def differences(correct: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The differences of `CONTROLS` image by image, -1, 0 or 1: float64 (N,)."""
    both = correct["both"].double()
    return {name: both - correct[control].double() for name, control in CONTROLS.items()}


def paired_interval(differences: Tensor) -> tuple[float, float]:
    """The 95 % interval of the mean of paired differences (N,), by the percentile bootstrap.

    Test images are drawn anew, with what both inputs made of each; so an image that is hard for
    both widens nothing. Efron and Tibshirani: An introduction to the bootstrap, 1993, chapter 13.

    Raises DataError for fewer than two.
    """
    if len(differences) < 2:
        raise DataError(f"an interval over {len(differences)} test images: at least 2 are needed")
    from scipy.stats import bootstrap  # a second to import

    found = bootstrap(
        (differences.double().numpy(),),
        np.mean,
        n_resamples=RESAMPLES,
        batch=max(1, (1 << 22) // len(differences)),  # bounds the memory for many images
        method="percentile",  # the others are undefined where all differences are alike
        random_state=np.random.default_rng(0),
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)
