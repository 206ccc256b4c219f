"""Inception score, diversity, memorisation and bits per dimension."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch_fidelity.metric_isc import isc_features_to_metric

from gentex.errors import DataError
from gentex.metrics import (
    bits_per_dimension,
    diversity,
    inception_score,
    mean_pairwise_squared_distance,
    memorisation,
)


def normal(n: int, d: int, seed: int) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=rng, dtype=torch.float64)


# --------------------------------------------------------------------------- inception score


@pytest.mark.parametrize("splits", [1, 3, 10])
def test_inception_score_as_torch_fidelity(splits: int) -> None:
    logits = 3 * normal(203, 20, 0)
    theirs = isc_features_to_metric(logits, splits=splits, shuffle=True, rng_seed=11)
    ours = inception_score(logits, splits=splits, seed=11)
    assert ours["inception_score"] == pytest.approx(theirs["inception_score_mean"], rel=1e-9)
    assert ours["inception_score_std"] == pytest.approx(
        theirs["inception_score_std"], rel=1e-9, abs=1e-12
    )


def test_inception_score_at_its_ends() -> None:
    same = inception_score(torch.ones(50, 7), splits=5)
    assert same == pytest.approx({"inception_score": 1, "inception_score_std": 0})
    certain = torch.eye(6).repeat(10, 1) * 1e5  # every class equally often, without a doubt
    assert inception_score(certain, splits=1)["inception_score"] == pytest.approx(6)


def test_inception_score_errors() -> None:
    with pytest.raises(DataError, match="1 to 8 are possible"):
        inception_score(normal(8, 3, 0), splits=9)


# ----------------------------------------------------------------------------------- diversity


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(2, 30), d=st.integers(1, 9))
def test_mean_over_all_pairs(seed: int, n: int, d: int) -> None:
    features = normal(n, d, seed) + 5
    expected = float(torch.nn.functional.pdist(features).square().mean())
    assert mean_pairwise_squared_distance(features) == pytest.approx(expected, rel=1e-10)


def test_diversity() -> None:
    real = normal(40, 5, 0)
    assert diversity(real, real + 3) == pytest.approx(1)
    assert diversity(real, 0.5 * real) == pytest.approx(0.25)
    assert diversity(real, real[:1].expand(40, 5)) == pytest.approx(0, abs=1e-12)
    with pytest.raises(DataError, match="all have the same features"):
        diversity(torch.ones(4, 3), real[:, :3])


# -------------------------------------------------------------------------------- memorisation


def test_new_samples_do_not_copy() -> None:
    scores = memorisation(normal(300, 6, 0), normal(2000, 6, 1), normal(2000, 6, 2))
    assert scores["copying"] == pytest.approx(0.5, abs=0.03)
    assert scores["near_copies"] == pytest.approx(0.01, abs=0.01)


def test_copies_are_seen() -> None:
    train, test, fake = normal(300, 6, 0), normal(400, 6, 1), normal(400, 6, 2)
    assert memorisation(train, test, train[:200] + 1e-3) == {"copying": 1, "near_copies": 1}
    fake[:40] = train[:40]
    assert memorisation(train, test, fake)["near_copies"] == pytest.approx(0.11, abs=0.01)


def test_missing_the_data_is_not_copying() -> None:
    scores = memorisation(normal(100, 4, 0), normal(100, 4, 1), normal(100, 4, 2) + 30)
    assert scores == {"copying": 0, "near_copies": 0}


def test_copying_is_the_mann_whitney_statistic() -> None:
    train, test, fake = normal(50, 3, 0), normal(30, 3, 1), normal(20, 3, 2)
    fake[:4] = test[:4]  # ties count half
    of_test, of_fake = (torch.cdist(x, train).amin(dim=1) for x in (test, fake))
    pairs = (of_fake[:, None] < of_test).double() + 0.5 * (
        (of_fake[:, None] - of_test).abs() < 1e-12
    )
    assert memorisation(train, test, fake)["copying"] == pytest.approx(float(pairs.mean()))


def test_memorisation_errors() -> None:
    with pytest.raises(DataError, match="3 dimensions and fake ones 4"):
        memorisation(normal(5, 3, 0), normal(5, 3, 1), normal(5, 4, 2))


# -------------------------------------------------------------------------- bits per dimension


def test_uniform_8_bit_images_take_8_bits() -> None:
    discrete = torch.full((10,), -12 * math.log(256))
    assert bits_per_dimension(discrete, 12) == pytest.approx(8)
    density_one = torch.zeros(10)  # the uniform density on [0, 1]^12
    assert bits_per_dimension(density_one, 12, levels=256) == pytest.approx(8)


def test_bits_errors() -> None:
    with pytest.raises(DataError, match="1 of 2 log-likelihood"):
        bits_per_dimension(torch.tensor([1.0, torch.nan]), 4)
    with pytest.raises(DataError, match="at least 1"):
        bits_per_dimension(torch.zeros(3), 0)
