"""Likelihoods in bits per dimension."""

from __future__ import annotations

import math

from torch import Tensor

from gentex.errors import DataError
from gentex.metrics.checks import as_features


def bits_per_dimension(log_likelihood: Tensor, dimensions: int, *, levels: int = 1) -> float:
    """Mean negative log-likelihood in bits per dimension; lower is better.

    log_likelihood: (N,), in nats, of whole images of C·H·W = `dimensions` values each.
    levels: 1 where it is the log-probability of the discrete values themselves; 256 where it is
        a log-density over 8-bit images that were dequantised and scaled to [0, 1], whose change of
        variables adds log₂ 256 = 8 bits (Theis, van den Oord, Bethge: A note on the evaluation of
        generative models, ICLR 2016, sec. 3.1; https://arxiv.org/abs/1511.01844).
    """
    if dimensions < 1 or levels < 1:
        raise DataError(f"dimensions {dimensions} and levels {levels}: both are at least 1")
    nats = as_features(log_likelihood.reshape(-1, 1), "log-likelihood", at_least=1)
    return -float(nats.mean()) / (dimensions * math.log(2)) + math.log2(levels)
