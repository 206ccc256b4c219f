from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from gentex.errors import DataError
from gentex.metrics import (
    Statistics,
    frechet_distance,
    frechet_distance_infinity,
    statistics,
)


def features(n: int, d: int, seed: int, *, decay: float = 0.5, shift: float = 0.0) -> Tensor:
    """Correlated features whose variances fall like those of a real network's."""
    rng = torch.Generator().manual_seed(seed)
    mixing = torch.randn(d, d, generator=torch.Generator().manual_seed(99), dtype=torch.float64)
    scales = torch.arange(1, d + 1, dtype=torch.float64) ** -decay
    return torch.randn(n, d, generator=rng, dtype=torch.float64) * scales @ mixing + shift


def rotation(d: int, seed: int) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.linalg.qr(torch.randn(d, d, generator=rng, dtype=torch.float64)).Q


def exact(real: Tensor, fake: Tensor) -> float:
    """Σ of singular values of the product of the centred sets, n × m: no covariance at all."""
    a, b = ((x - x.mean(0)) / (len(x) - 1) ** 0.5 for x in (real, fake))
    nuclear = np.linalg.svd((a @ b.T).numpy(), compute_uv=False).sum()
    apart = (real.mean(0) - fake.mean(0)).square().sum() + a.square().sum() + b.square().sum()
    return float(apart) - 2 * float(nuclear)


@pytest.mark.parametrize(("n", "d"), [(400, 32), (150, 64), (64, 64), (40, 64)])
def test_as_torch_fidelity(n: int, d: int) -> None:
    real, fake = features(n, d, 0), features(n, d, 1, shift=0.1)
    theirs = fid_statistics_to_metric(
        fid_features_to_statistics(real), fid_features_to_statistics(fake), False
    )["frechet_inception_distance"]
    # Their √ of rounding noise in the null space of rank-deficient covariances limits n ≤ d.
    assert frechet_distance(real, fake) == pytest.approx(theirs, rel=1e-9 if n > d else 1e-5)


@pytest.mark.parametrize("decay", [0.5, 3.0, 6.0])
@pytest.mark.parametrize(("n", "m"), [(300, 300), (300, 20), (20, 300), (20, 30), (500, 300)])
def test_exact_however_ill_conditioned(n: int, m: int, decay: float) -> None:
    real, fake = features(n, 48, 0, decay=decay), features(m, 48, 1, decay=decay)
    assert frechet_distance(real, fake) == pytest.approx(exact(real, fake), rel=1e-6)


def test_closed_form_for_independent_dimensions() -> None:
    """With diagonal covariances it is ‖μ₁ − μ₂‖² + Σ (σ₁ − σ₂)²."""
    signs = torch.tensor([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], dtype=torch.float64)
    real = signs * torch.tensor([1.0, 2.0, 3.0])
    fake = signs * torch.tensor([1.5, 2.0, 1.0]) + torch.tensor([0.0, 1.0, 2.0])
    unbiased = 4 / 3
    assert frechet_distance(real, fake) == pytest.approx(5 + unbiased * (0.25 + 4), rel=1e-12)


def test_collapsed_generator() -> None:
    """All fakes the same: no covariance to factorise, and the distance is tr Σ plus the mean's."""
    real = features(200, 16, 0)
    fake = real.mean(0).expand(200, 16)
    assert frechet_distance(real, fake) == pytest.approx(float(real.var(0).sum()), rel=1e-9)


def test_dead_features() -> None:
    real, fake = features(200, 16, 0), features(200, 16, 1)
    wider = [torch.cat([x, torch.zeros(200, 7), x[:, :2]], dim=1) for x in (real, fake)]
    assert frechet_distance(*wider) == pytest.approx(exact(*wider), rel=1e-6)


def test_float32_features_are_measured_in_float64() -> None:
    real, fake = features(300, 32, 0).float(), features(300, 32, 1).float()
    assert frechet_distance(real, fake) == frechet_distance(real.double(), fake.double())


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(2, 80), m=st.integers(2, 80), d=st.integers(1, 24))
def test_properties(seed: int, n: int, m: int, d: int) -> None:
    real, fake = features(n, d, seed), features(m, d, seed + 1, shift=0.3)
    distance = frechet_distance(real, fake)
    scale = float(real.square().sum(1).mean() + fake.square().sum(1).mean())
    close = {"rel": 1e-6, "abs": 1e-10 * scale}
    assert distance >= 0
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-10 * scale)
    assert frechet_distance(fake, real) == pytest.approx(distance, **close)
    turned = rotation(d, seed)
    assert frechet_distance(real @ turned + 1, fake @ turned + 1) == pytest.approx(
        distance, **close
    )
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    assert frechet_distance(real[order], fake) == pytest.approx(distance, **close)
    assert frechet_distance(3 * real, 3 * fake) == pytest.approx(9 * distance, **close)


def test_a_shift_adds_its_square() -> None:
    real = features(100, 8, 0)
    assert frechet_distance(real, real + 2) == pytest.approx(8 * 4, rel=1e-9)


@pytest.mark.parametrize("n", [10, 24, 25, 26, 500])
def test_statistics_stand_for_the_features(n: int) -> None:
    real, fake = features(n, 24, 0), features(300, 24, 1)
    fitted = statistics(real)
    assert fitted.n == n
    assert fitted.factor.shape == (min(n - 1, 24), 24)
    torch.testing.assert_close(fitted.factor.T @ fitted.factor, torch.cov(real.T))
    assert frechet_distance(fitted, fake) == frechet_distance(real, fake)


def test_infinity_takes_off_the_bias() -> None:
    """Real and fake from one distribution, the real mean and covariance known: the truth is 0."""
    d, n = 40, 1200
    truth = Statistics(
        torch.zeros(d, dtype=torch.float64), torch.eye(d, dtype=torch.float64), 10**9
    )
    rng = torch.Generator().manual_seed(3)
    fake = torch.randn(n, d, generator=rng, dtype=torch.float64)
    biased = frechet_distance(truth, fake)
    assert biased > 0.2
    unbiased = frechet_distance_infinity(truth, fake)
    assert abs(unbiased) < biased / 5
    assert unbiased == frechet_distance_infinity(truth, fake)
    assert unbiased != frechet_distance_infinity(truth, fake, seed=1)


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (torch.zeros(5, 3), torch.zeros(5, 4), "3 dimensions and fake ones 4"),
        (torch.zeros(1, 3), torch.zeros(5, 3), "1 real features; at least 2"),
        (torch.zeros(5, 3), torch.zeros(5, 3, 1), r"fake features have the shape \(5, 3, 1\)"),
        (torch.zeros(5, 3), torch.tensor([[0.0, 1], [2, torch.nan]]), "1 of 2 fake .* row 1"),
        (torch.tensor([[torch.inf], [-torch.inf]]), torch.zeros(5, 1), "2 of 2 real .* row 0"),
    ],
)
def test_errors(real: Tensor, fake: Tensor, message: str) -> None:
    with pytest.raises(DataError, match=message):
        frechet_distance(real, fake)


def test_infinity_needs_enough() -> None:
    with pytest.raises(DataError, match="at least 20"):
        frechet_distance_infinity(torch.randn(30, 2), torch.randn(19, 2))
    with pytest.raises(DataError, match="at least 2"):
        frechet_distance_infinity(torch.randn(30, 2), torch.randn(30, 2), points=1)
