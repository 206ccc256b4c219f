from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from prdc import compute_prdc
from torch import Tensor
from torch_fidelity.metric_prc import prc_features_to_metric

from gentex.errors import DataError
from gentex.metrics import nearest_distances, precision_recall_density_coverage


def features(n: int, d: int, seed: int, scale: float = 1.0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=rng, dtype=torch.float64) * scale


@pytest.mark.parametrize(("n", "m", "d"), [(300, 300, 8), (120, 200, 64), (200, 70, 3)])
@pytest.mark.parametrize("nearest", [1, 5])
def test_as_prdc(n: int, m: int, d: int, nearest: int) -> None:
    real, fake = features(n, d, 0), features(m, d, 1, 0.8) + 0.1
    theirs = compute_prdc(real.numpy(), fake.numpy(), nearest)
    assert precision_recall_density_coverage(real, fake, nearest=nearest) == pytest.approx(
        theirs, rel=1e-9
    )


def test_as_torch_fidelity() -> None:
    real, fake = features(250, 12, 0), features(250, 12, 1, 0.8)
    theirs = prc_features_to_metric(
        fake, real, prc_neighborhood=3, prc_batch_size=100, save_cpu_ram=False, verbose=False
    )
    ours = precision_recall_density_coverage(real, fake, nearest=3)
    assert ours["precision"] == pytest.approx(theirs["precision"], rel=1e-6)  # theirs is float32
    assert ours["recall"] == pytest.approx(theirs["recall"], rel=1e-6)


@pytest.mark.parametrize("chunk", [1, 33, 100, 5000])
def test_chunks_do_not_matter(chunk: int) -> None:
    real, fake = features(130, 6, 0), features(100, 6, 1, 1.2)
    whole = precision_recall_density_coverage(real, fake)
    assert precision_recall_density_coverage(real, fake, chunk=chunk) == whole


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_the_same_set(offset: float) -> None:
    """Each sample lies in its own ball and, on average, in those of `nearest` others."""
    real = features(200, 10, 0) + offset
    scores = precision_recall_density_coverage(real, real.clone(), nearest=4)
    assert scores == pytest.approx({"precision": 1, "recall": 1, "density": 1.25, "coverage": 1})


def test_far_apart() -> None:
    scores = precision_recall_density_coverage(features(60, 4, 0), features(60, 4, 1) + 100)
    assert set(scores.values()) == {0}


def test_duplicates_are_at_no_distance() -> None:
    """Real images that occur often have balls of radius 0, and copies of them lie inside."""
    real = features(20, 300, 0).repeat(8, 1) * 7.3 + 50
    scores = precision_recall_density_coverage(real, real[:40], nearest=5)
    assert scores["precision"] == 1
    assert scores["coverage"] == 1


def test_collapsed_generator() -> None:
    real = features(100, 8, 0)
    scores = precision_recall_density_coverage(real, real[:1].expand(100, 8))
    assert scores["precision"] == 1
    assert scores["recall"] == pytest.approx(1 / 100)
    assert scores["coverage"] <= 0.2


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(6, 60), m=st.integers(6, 60), d=st.integers(2, 10))
def test_properties(seed: int, n: int, m: int, d: int) -> None:
    real, fake = features(n, d, seed), features(m, d, seed + 1)
    scores = precision_recall_density_coverage(real, fake)
    assert all(0 <= scores[key] <= 1 for key in ("precision", "recall", "coverage"))
    assert 0 <= scores["density"] <= n / 5
    turned = torch.linalg.qr(features(d, d, seed)).Q
    moved = precision_recall_density_coverage(2 * real @ turned + 1, 2 * fake @ turned + 1)
    assert moved == pytest.approx(scores)
    swapped = precision_recall_density_coverage(fake, real)
    assert (swapped["precision"], swapped["recall"]) == (scores["recall"], scores["precision"])


def test_nearest_distances() -> None:
    queries, references = features(40, 6, 0), features(70, 6, 1)
    expected = torch.cdist(queries, references).amin(dim=1)
    torch.testing.assert_close(nearest_distances(queries, references, chunk=9), expected)
    assert not nearest_distances(references[:5], references).any()


@pytest.mark.parametrize("nearest", [0, 10])
def test_too_few(nearest: int) -> None:
    with pytest.raises(DataError, match="1 to 9 is possible"):
        precision_recall_density_coverage(features(30, 2, 0), features(10, 2, 1), nearest=nearest)
