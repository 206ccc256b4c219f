"""Layer metrics against skimage, torchmetrics, plain loops and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import sobel
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from gentex.errors import DataError
from gentex.interfaces import Layers
from gentex.metrics.edges import CONTRAST, edge_agreement, edge_map, near
from gentex.metrics.layers import (
    METRICS,
    edge_fscore,
    error_at_edges,
    error_inside,
    layer_correlation,
    layer_metrics,
    structure_leakage,
    structure_psnr,
    structure_ssim,
    texture_leakage,
    texture_simse,
)


def boxes(n: int, channels: int = 3, h: int = 40, w: int = 48) -> Tensor:
    """Flat boxes on a shaded ground."""
    rng = torch.Generator().manual_seed(3)
    image = torch.linspace(0.2, 0.4, w).expand(n, channels, h, w).clone()
    for i in range(n):
        for _ in range(3):
            top, left = (int(torch.randint(2, side - 16, (1,), generator=rng)) for side in (h, w))
            image[i, :, top : top + 12, left : left + 14] = torch.rand(
                channels, 1, 1, generator=rng
            )
    return image


def noise(*shape: int, seed: int = 0) -> Tensor:
    return 0.05 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def truth() -> Layers:
    structure = boxes(4)
    texture = noise(*structure.shape)
    return Layers(structure, texture - texture.mean((2, 3), keepdim=True))


@pytest.mark.parametrize("channels", [1, 3])
def test_psnr_and_ssim_agree_with_skimage_and_torchmetrics(channels: int) -> None:
    structure = boxes(3, channels)
    estimate = structure + noise(*structure.shape)
    layers = Layers(structure, 0 * structure), Layers(estimate, 0 * structure)
    psnr, ssim = structure_psnr(*layers), structure_ssim(*layers)
    for i in range(3):
        a, b = structure[i].double().numpy(), estimate[i].double().numpy()
        assert float(psnr[i]) == pytest.approx(
            peak_signal_noise_ratio(a, b, data_range=1), rel=1e-9
        )
        expected = structural_similarity(
            a,
            b,
            data_range=1,
            channel_axis=0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        assert float(ssim[i]) == pytest.approx(expected, rel=1e-9)
    _, everywhere = structural_similarity_index_measure(
        estimate.double(),
        structure.double(),
        data_range=1.0,
        reduction="none",
        return_full_image=True,
    )  # torchmetrics counts the mirrored border as well, which Wang et al. and skimage leave out
    assert torch.allclose(ssim, everywhere[..., 5:-5, 5:-5].mean((1, 2, 3)), atol=1e-9)


def test_edge_map_agrees_with_a_plain_loop() -> None:
    image = boxes(2, channels=1)
    image = image + 0.3 * noise(*image.shape)
    found = edge_map(image.double())
    kept = 0
    for f, edges in zip(image[:, 0].double().numpy(), found[:, 0], strict=True):
        dy, dx = sobel(f, 0, mode="nearest") / 8, sobel(f, 1, mode="nearest") / 8
        strength = np.hypot(dy, dx)
        for y, x in np.ndindex(*f.shape):
            s = strength[y, x]
            if s <= CONTRAST / 2:
                assert not edges[y, x]
                continue
            ny, nx = dy[y, x] / s, dx[y, x] / s
            around = max(bilinear(strength, y + d * ny, x + d * nx) for d in (-1, 1))
            if abs(s - around) > 1e-6:  # ties are kept on one side only
                assert bool(edges[y, x]) == (s > around)
                kept += bool(edges[y, x])
    assert kept > 100


def bilinear(values: np.ndarray, y: float, x: float) -> float:
    """The value between pixels; 0 outside."""
    total = 0.0
    for yy in (math.floor(y), math.floor(y) + 1):
        for xx in (math.floor(x), math.floor(x) + 1):
            if 0 <= yy < values.shape[0] and 0 <= xx < values.shape[1]:
                total += values[yy, xx] * (1 - abs(y - yy)) * (1 - abs(x - xx))
    return total


def test_a_step_has_one_edge_pixel_across_whatever_its_colour() -> None:
    step = torch.full((1, 3, 20, 20), 0.5)
    step[:, :, :, 10:] += torch.tensor([0.2, -0.2, 0.0])[:, None, None]  # of even lightness
    assert edge_map(step.double())[0, 0].sum(1).tolist() == [1] * 20
    weak = 0.5 + (step - 0.5) * (0.9 * CONTRAST / math.sqrt(0.08 / 3))
    assert not edge_map(weak.double()).any()


def test_fscore_counts_within_the_tolerance() -> None:
    a = torch.zeros(1, 1, 9, 9, dtype=torch.bool)
    a[0, 0, :, 4] = True
    nearby, far = a.roll(1, 3), a.roll(3, 3)
    assert edge_agreement(a, nearby).tolist() == [1]
    assert edge_agreement(a, far).tolist() == [0]
    half = a.clone()
    half[0, 0, 4:] = False  # 4 of 9 found, a fifth within reach: precision 1, recall 5 / 9
    assert edge_agreement(a, half).item() == pytest.approx(2 * (5 / 9) / (1 + 5 / 9))
    both = a | far  # precision 1 / 2, recall 1
    assert edge_agreement(a, both).item() == pytest.approx(2 / 3)
    none = torch.zeros_like(a)
    assert edge_agreement(none, none).tolist() == [1]
    assert edge_agreement(a, none).tolist() == edge_agreement(none, a).tolist() == [0]


def test_errors_at_and_away_from_edges_are_told_apart(truth: Layers) -> None:
    at = near(edge_map(truth.structure.double()), 2)
    assert at.any(dim=3).any()
    assert not at.all()
    blurred_edges = Layers(truth.structure + 0.1 * at, truth.texture)
    assert torch.allclose(error_at_edges(truth, blurred_edges), torch.tensor(0.1).double())
    assert error_inside(truth, blurred_edges).abs().max() < 1e-6
    rest = Layers(truth.structure - 0.2 * ~at, truth.texture)
    assert torch.allclose(error_inside(truth, rest), torch.tensor(0.2).double())
    assert error_at_edges(truth, rest).abs().max() < 1e-6


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), gain=st.floats(0.05, 20) | st.floats(-20, -0.05))
def test_simse_is_the_best_fit_over_all_scales(seed: int, gain: float) -> None:
    t, e = noise(1, 1, 16, 16, seed=seed), noise(1, 1, 16, 16, seed=seed + 1)
    found = (t + e) * gain
    score = texture_simse(Layers(t, t), Layers(t, found))
    a, b = t.double().numpy().ravel(), found.double().numpy().ravel()
    _, residual, *_ = np.linalg.lstsq(b[:, None], a, rcond=None)
    assert score.item() == pytest.approx(residual[0] / (a @ a), rel=1e-9)
    assert 0 <= score.item() <= 1


def test_leakage_is_the_squared_gain_of_the_other_layer(truth: Layers) -> None:
    s, t = truth
    for share in (0.0, 0.3, 1.0):
        mixed = Layers(s + share * t, (1 - share) * t)
        assert torch.allclose(
            texture_leakage(truth, mixed), torch.tensor(share).double() ** 2, atol=1e-4
        )
        assert structure_leakage(truth, mixed).max() < 1e-4
        mixed = Layers((1 - share) * s, t + share * s)
        assert torch.allclose(
            structure_leakage(truth, mixed), torch.tensor(share).double() ** 2, atol=1e-4
        )
        assert texture_leakage(truth, mixed).max() < 1e-4


def test_leakage_agrees_with_least_squares_tile_by_tile() -> None:
    shape = (1, 2, 20, 36)  # with tiles that are cut off at the border
    s, t, e = (noise(*shape, seed=i).double() for i in range(3))
    estimate = 0.7 * s + 0.4 * t + e
    energy = leaked = 0.0
    for y in range(0, 20, 16):
        for x in range(0, 36, 16):
            cut = [
                (v - v.mean((2, 3), keepdim=True)).numpy().ravel()
                for v in (a[:, :, y : y + 16, x : x + 16] for a in (estimate, s, t))
            ]
            gains = np.linalg.lstsq(np.stack(cut[1:], 1), cut[0], rcond=None)[0]
            energy += cut[2] @ cut[2]
            leaked += gains[1] ** 2 * (cut[2] @ cut[2])
    found = texture_leakage(Layers(s, t), Layers(estimate, t))
    assert found.item() == pytest.approx(leaked / energy, rel=1e-5)


def test_correlation_agrees_with_numpy_and_forgives_doing_nothing(truth: Layers) -> None:
    estimate = Layers(truth.structure + 0.5 * truth.texture, 0.5 * truth.texture)
    found = layer_correlation(truth, estimate)
    for i in range(len(found)):
        a, b = (x[i].double().numpy().ravel() for x in estimate)
        assert float(found[i]) == pytest.approx(np.corrcoef(a, b)[0, 1], rel=1e-6)
    assert layer_correlation(truth, Layers(truth.image, 0 * truth.image)).tolist() == [0] * 4


def test_the_truth_is_best_and_doing_nothing_is_known(truth: Layers) -> None:
    best = layer_metrics(truth, truth)
    assert best["structure-psnr"].tolist() == [100] * 4
    for name in ("structure-ssim", "edge-fscore"):
        assert torch.allclose(best[name], torch.ones(4).double()), name
    for name in ("error-at-edges", "error-inside", "texture-simse", "texture-leakage"):
        assert best[name].abs().max() < 1e-6, name
    assert best["structure-leakage"].max() < 1e-6
    nothing = layer_metrics(truth, Layers(truth.image, truth.image - truth.image))
    assert nothing["texture-simse"].tolist() == [1] * 4
    assert torch.allclose(nothing["texture-leakage"], torch.ones(4).double(), atol=1e-5)
    expected = -10 * truth.texture.double().square().mean((1, 2, 3)).log10()
    assert torch.allclose(nothing["structure-psnr"], expected, atol=1e-4)


def test_nothing_is_nan_for_flat_images_and_empty_layers(truth: Layers) -> None:
    flat, empty = torch.full((1, 1, 20, 20), 0.5), torch.zeros(1, 1, 20, 20)
    busy = noise(1, 1, 20, 20)
    kinds = [Layers(flat, empty), Layers(flat, busy), Layers(flat + busy, empty)]
    kinds += [Layers(flat + busy, busy), Layers(empty, empty)]
    for a in kinds:
        for b in kinds:
            for name, value in layer_metrics(a, b).items():
                assert value.shape == (1,), name
                assert value.dtype == torch.float64, name
                assert torch.isfinite(value).all(), name
    exact = layer_metrics(kinds[0], kinds[0])
    assert exact["texture-simse"].item() == 0
    assert exact["edge-fscore"].item() == 1
    assert texture_simse(kinds[0], kinds[1]).item() == texture_simse(kinds[1], kinds[0]).item() == 1
    assert texture_leakage(kinds[0], kinds[1]).item() == 0
    assert edge_fscore(Layers(boxes(1), 0 * boxes(1)), Layers(0 * boxes(1), boxes(1))).item() == 0


def test_images_are_measured_one_by_one(truth: Layers) -> None:
    estimate = Layers(truth.structure + noise(*truth.structure.shape, seed=5), truth.texture)
    together = layer_metrics(truth, estimate)
    for i in range(4):
        one = Layers(*(x[i : i + 1] for x in truth)), Layers(*(x[i : i + 1] for x in estimate))
        for name, value in layer_metrics(*one).items():
            assert value.item() == pytest.approx(float(together[name][i]), rel=1e-9), name


@pytest.mark.parametrize("name", METRICS)
def test_what_cannot_be_compared_is_refused(name: str, truth: Layers) -> None:
    s, t = truth
    narrow = (s, t[..., :-1]) if name == "layer-correlation" else (s[..., :-1], t[..., :-1])
    with pytest.raises(DataError, match=r"\(4, 3, 40, 48\) with \(4, 3, 40, 47\)"):
        METRICS[name](truth, Layers(*narrow))
    broken = Layers(*(x.clone() for x in truth))
    for layer in broken:
        layer[2, 0, 0, 0] = math.nan
    with pytest.raises(DataError, match="1 of 4 layers hold NaN or inf, the first: 2"):
        METRICS[name](truth, broken)


def test_ssim_says_when_images_are_too_small() -> None:
    small = torch.rand(1, 1, 10, 30)
    with pytest.raises(DataError, match="at least 11×11"):
        structure_ssim(Layers(small, small), Layers(small, small))
