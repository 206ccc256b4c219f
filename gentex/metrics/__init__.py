"""Metrics: pure functions of tensors, each with its formula and source in its docstring.

Those of generated images compare feature tensors, real ones and fake ones, in double precision;
`gentex.metrics.features` has the spaces that make features of images.
"""

from gentex.metrics.diversity import diversity, mean_pairwise_squared_distance
from gentex.metrics.frechet import (
    Statistics,
    frechet_distance,
    frechet_distance_infinity,
    statistics,
)
from gentex.metrics.inception_score import inception_score
from gentex.metrics.kernel import kernel_distance, kernel_distance_subsets
from gentex.metrics.likelihood import bits_per_dimension
from gentex.metrics.memorisation import memorisation
from gentex.metrics.neighbours import nearest_distances, precision_recall_density_coverage
from gentex.metrics.wasserstein import sliced_wasserstein

__all__ = [
    "Statistics",
    "bits_per_dimension",
    "diversity",
    "frechet_distance",
    "frechet_distance_infinity",
    "inception_score",
    "kernel_distance",
    "kernel_distance_subsets",
    "mean_pairwise_squared_distance",
    "memorisation",
    "nearest_distances",
    "precision_recall_density_coverage",
    "sliced_wasserstein",
    "statistics",
]
