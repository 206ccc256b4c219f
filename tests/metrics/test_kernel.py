from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch_fidelity.metric_kid import kid_features_to_metric

from gentex.errors import DataError
from gentex.metrics import kernel_distance, kernel_distance_subsets


def features(n: int, d: int, seed: int, shift: float = 0.0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=rng, dtype=torch.float64) + shift


def by_pairs(x: Tensor, y: Tensor) -> float:
    """The estimator's definition, a pair at a time."""
    d = x.shape[1]

    def k(a: Tensor, b: Tensor) -> float:
        return float((a @ b / d + 1) ** 3)

    m, n = len(x), len(y)
    within_x = sum(k(x[i], x[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    within_y = sum(k(y[i], y[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    between = sum(k(a, b) for a in x for b in y) / (m * n)
    return within_x + within_y - 2 * between


def test_definition() -> None:
    real, fake = features(12, 5, 0), features(9, 5, 1, 0.4)
    assert kernel_distance(real, fake) == pytest.approx(by_pairs(real, fake), rel=1e-11)


def test_as_torch_fidelity_on_the_same_subsets() -> None:
    real, fake = features(220, 24, 0), features(260, 24, 1, 0.2)
    options = {"kid_subsets": 7, "kid_subset_size": 100, "rng_seed": 5, "verbose": False}
    theirs = kid_features_to_metric(fake, real, **options)
    mean, deviation = kernel_distance_subsets(real, fake, subsets=7, size=100, seed=5)
    assert mean == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-9)
    assert deviation == pytest.approx(theirs["kernel_inception_distance_std"], rel=1e-9)


def test_one_subset_of_all_is_the_full_estimate() -> None:
    real, fake = features(80, 8, 0), features(80, 8, 1)
    mean, deviation = kernel_distance_subsets(real, fake, subsets=3, size=80)
    assert mean == pytest.approx(kernel_distance(real, fake), rel=1e-9)
    assert deviation == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("chunk", [1, 7, 64, 150, 10_000])
def test_chunks_do_not_matter(chunk: int) -> None:
    real, fake = features(150, 16, 0), features(97, 16, 1, 0.3)
    whole = kernel_distance(real, fake)
    assert kernel_distance(real, fake, chunk=chunk) == pytest.approx(whole, rel=1e-11)


def test_unbiased() -> None:
    """Between samples of one distribution it is 0 on average, so often negative, however small."""
    estimates = torch.tensor(
        [kernel_distance(features(6, 4, 2 * i), features(6, 4, 2 * i + 1)) for i in range(600)]
    )
    error = float(estimates.std()) / len(estimates) ** 0.5
    assert abs(float(estimates.mean())) < 3 * error
    assert 0.3 < float((estimates < 0).double().mean()) < 0.9


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(2, 40), m=st.integers(2, 40), d=st.integers(1, 12))
def test_properties(seed: int, n: int, m: int, d: int) -> None:
    real, fake = features(n, d, seed), features(m, d, seed + 1, 0.5)
    close = {"rel": 1e-9, "abs": 1e-10}
    distance = kernel_distance(real, fake)
    assert kernel_distance(fake, real) == pytest.approx(distance, **close)
    turned = torch.linalg.qr(features(d, d, seed)).Q
    assert kernel_distance(real @ turned, fake @ turned) == pytest.approx(distance, **close)
    assert kernel_distance(real.flip(0), fake) == pytest.approx(distance, **close)


@pytest.mark.parametrize("size", [1, 21])
def test_subset_size(size: int) -> None:
    with pytest.raises(DataError, match="2 to 20 is possible"):
        kernel_distance_subsets(features(30, 2, 0), features(20, 2, 1), size=size)


def test_errors() -> None:
    with pytest.raises(DataError, match="1 fake features; at least 2"):
        kernel_distance(features(30, 2, 0), features(1, 2, 1))
