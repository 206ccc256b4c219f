"""Diversity within a sample: how far apart its images are from each other, in a feature space."""

from __future__ import annotations

from torch import Tensor

from gentex.errors import DataError
from gentex.metrics.checks import as_features, as_pair


def mean_pairwise_squared_distance(features: Tensor) -> float:
    """Mean of ‖xᵢ − xⱼ‖² over all pairs i ≠ j of features (N, d), N ≥ 2.

    It equals twice the trace of the unbiased covariance, so all pairs cost no more than one pass.
    In the space `lpips` it is the mean LPIPS distance between pairs of images (Zhang et al. 2018),
    the usual measure of diversity: there squared Euclidean distance is LPIPS.
    """
    features = as_features(features, "fake")
    return 2 * float(features.var(dim=0, correction=1).sum())


def diversity(real: Tensor, fake: Tensor) -> float:
    """Mean squared distance between pairs of fakes (M, d), over that between pairs of real (N, d).

    1 where the fakes are as varied as the real images, 0 where they are all the same. More than 1
    is not better: noise is more varied than any data. So it is shown, and never ranks.
    """
    real, fake = as_pair(real, fake)
    between_real = mean_pairwise_squared_distance(real)
    if not between_real:
        raise DataError(f"the {len(real)} real images all have the same features")
    return mean_pairwise_squared_distance(fake) / between_real
