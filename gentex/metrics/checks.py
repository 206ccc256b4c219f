"""What every metric on feature tensors asks of its input, said once."""

from __future__ import annotations

import torch
from torch import Tensor

from gentex.errors import DataError


def as_features(features: Tensor, what: str, *, at_least: int = 2) -> Tensor:
    """The features as float64 (N, d): all metrics compute in double precision.

    what: how the message calls them: "real", "fake", ...
    Raises DataError where they are not (N, d) with N ≥ `at_least`, or not finite.
    """
    if features.ndim != 2 or not features.shape[1]:
        raise DataError(f"{what} features have the shape {tuple(features.shape)}, not (N, d)")
    if len(features) < at_least:
        raise DataError(f"{len(features)} {what} features; at least {at_least} are needed")
    features = features.to(torch.float64)
    # One pass and no mask: the sum of finite numbers of any sane size is finite.
    if not torch.isfinite(features.sum()):
        bad = (~torch.isfinite(features)).any(dim=1).nonzero().flatten().tolist()
        if bad:
            raise DataError(
                f"{len(bad)} of {len(features)} {what} features are NaN or infinite, "
                f"the first in row {bad[0]}"
            )
    return features


def as_pair(real: Tensor, fake: Tensor, *, at_least: int = 2) -> tuple[Tensor, Tensor]:
    """Real and fake features as float64, of one width."""
    real = as_features(real, "real", at_least=at_least)
    fake = as_features(fake, "fake", at_least=at_least)
    same_width(real.shape[1], fake.shape[1])
    return real, fake


def same_width(real: int, fake: int) -> None:
    """Raises DataError where the features come from spaces of different dimension."""
    if real != fake:
        raise DataError(
            f"real features have {real} dimensions and fake ones {fake}; "
            f"both must come from the same feature space"
        )
