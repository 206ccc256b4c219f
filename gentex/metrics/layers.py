"""Measures of separated layers against true ones, image by image.

Every metric is a pure function (truth, estimate) -> (N,) float64 of two `Layers` of (N, C, H, W)
images in [0, 1]; what it is of flat images and empty textures, its docstring says: none is NaN.
Where the layers add up, the error of the texture is that of the structure with the other sign, so
that the texture has no PSNR of its own.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from gentex.errors import DataError
from gentex.interfaces import Layers
from gentex.metrics.edges import edge_agreement, edge_map, near

_NOTHING = 1e-12  # mean square below which a layer counts as empty: float32 rounding lies below

TILE = 16
"""Side of the tiles, px, in which leakage is measured."""


def structure_psnr(truth: Layers, estimate: Layers) -> Tensor:
    """Peak signal-to-noise ratio of the structure, dB: −10 log₁₀ of the mean squared error.

    Its peak is 1, the range of images. 100 dB is the most: an exact estimate has no finite PSNR,
    and means over images should stay finite.
    """
    expected, found = _checked(truth.structure, estimate.structure)
    return -10 * _mean((found - expected).square()).clamp_min(1e-10).log10()


def structure_ssim(truth: Layers, estimate: Layers) -> Tensor:
    """Structural similarity of the structure, mean over pixels and channels; 1 is best.

    Wang, Bovik, Sheikh, Simoncelli: Image quality assessment: from error visibility to structural
    similarity, TIP 2004, eq. 13, with their 11×11 Gaussian window of σ = 1.5, K₁ = 0.01, K₂ = 0.03
    and a range of 1, over the pixels whose window lies inside. Two flat images of one value have 1.

    Raises DataError for images smaller than the window.
    """
    x, y = _checked(truth.structure, estimate.structure)
    if min(x.shape[-2:]) < 11:
        raise DataError(f"SSIM of {x.shape[-2]}×{x.shape[-1]} images: at least 11×11 is needed")
    mx, my = _local(x), _local(y)
    vx, vy, cov = _local(x * x) - mx * mx, _local(y * y) - my * my, _local(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    similarity = (2 * mx * my + c1) * (2 * cov + c2)
    return _mean(similarity / ((mx * mx + my * my + c1) * (vx + vy + c2)))


def edge_fscore(truth: Layers, estimate: Layers) -> Tensor:
    """How well the structure's edges are kept: F-score of its edge map, in [0, 1].

    Edges are those of `gentex.metrics.edges`: thin, of a contrast of at least 0.05, matched within
    one pixel. Flat structures on both sides have 1, on one side 0.
    """
    expected, found = _checked(truth.structure, estimate.structure)
    return edge_agreement(edge_map(expected), edge_map(found))


def error_at_edges(truth: Layers, estimate: Layers) -> Tensor:
    """Root mean square error of the structure within 2 px of its true edges; 0 without edges."""
    expected, found = _checked(truth.structure, estimate.structure)
    return _rms_where(found - expected, near(edge_map(expected), 2))


def error_inside(truth: Layers, estimate: Layers) -> Tensor:
    """Root mean square error of the structure farther than 2 px from its true edges.

    0 where there is no such pixel.
    """
    expected, found = _checked(truth.structure, estimate.structure)
    return _rms_where(found - expected, ~near(edge_map(expected), 2))


def texture_simse(truth: Layers, estimate: Layers) -> Tensor:
    """Scale-invariant mean squared error of the texture, in [0, 1].

    min_α ‖t − α t̂‖² / ‖t‖² = 1 − ⟨t, t̂⟩² / (‖t‖² ‖t̂‖²), after Grosse, Johnson, Adelson, Freeman:
    Ground truth dataset and baseline evaluations for intrinsic image algorithms, ICCV 2009. Of an
    empty estimate it is 1; of an empty truth, 0 where the estimate is empty too and 1 otherwise.
    """
    expected, found = _checked(truth.texture, estimate.texture)
    product, energy = _mean(expected * found), _mean(expected.square())
    estimated = _mean(found.square())
    explained = product.square() / (energy * estimated).clamp_min(_NOTHING**2)
    neither = (energy < _NOTHING) & (estimated < _NOTHING)
    either = (energy < _NOTHING) | (estimated < _NOTHING)
    return torch.where(neither, 0.0, torch.where(either, 1.0, (1 - explained).clamp_min(0)))


def texture_leakage(truth: Layers, estimate: Layers) -> Tensor:
    """The share of the texture's energy that is found in the estimated structure.

    In tiles of 16×16 px the estimated structure is regressed on both true layers, each less its
    mean, ŝ = a s + b t + r; the leakage is Σ b² ‖t‖² / Σ ‖t‖² over the tiles. It is the
    interference term of Vincent, Gribonval, Févotte: Performance measurement in blind audio source
    separation, TASLP 2006, with gains that vary over the image. Doing nothing has 1. An empty
    texture has 0.
    """
    _, found = _checked(truth.texture, estimate.structure)
    return _leakage(found, own=truth.structure.double(), other=truth.texture.double())


def structure_leakage(truth: Layers, estimate: Layers) -> Tensor:
    """The share of the structure's energy that is found in the estimated texture.

    As `texture_leakage` the other way round: t̂ = c s + d t + r, Σ c² ‖s‖² / Σ ‖s‖². In a tile, the
    energy of the structure is that of its edges and shading, not of its level. A flat structure
    has 0.
    """
    _, found = _checked(truth.structure, estimate.texture)
    return _leakage(found, own=truth.texture.double(), other=truth.structure.double())


def layer_correlation(truth: Layers, estimate: Layers) -> Tensor:
    """Pearson correlation of the estimated layers with each other, in [−1, 1].

    Aujol, Gilboa, Chan, Osher: Structure-texture image decomposition, IJCV 2006, choose parameters
    by it. It must not rank: doing nothing has 0, as has any estimate with a constant layer.
    """
    structure, texture = _checked(estimate.structure, estimate.texture)
    structure = structure - _mean(structure)[:, None, None, None]
    texture = texture - _mean(texture)[:, None, None, None]
    energies = _mean(structure.square()), _mean(texture.square())
    product = _mean(structure * texture) / (energies[0] * energies[1]).clamp_min(1e-30).sqrt()
    empty = (energies[0] < _NOTHING) | (energies[1] < _NOTHING)
    return torch.where(empty, 0.0, product.clamp(-1, 1))


METRICS: dict[str, Callable[[Layers, Layers], Tensor]] = {
    "structure-psnr": structure_psnr,
    "structure-ssim": structure_ssim,
    "edge-fscore": edge_fscore,
    "error-at-edges": error_at_edges,
    "error-inside": error_inside,
    "texture-simse": texture_simse,
    "texture-leakage": texture_leakage,
    "structure-leakage": structure_leakage,
    "layer-correlation": layer_correlation,
}
"""Every metric of this module by the name on its card."""


def layer_metrics(truth: Layers, estimate: Layers) -> dict[str, Tensor]:
    """All of `METRICS`, each (N,) float64."""
    return {name: metric(truth, estimate) for name, metric in METRICS.items()}


def _checked(expected: Tensor, found: Tensor) -> tuple[Tensor, Tensor]:
    if expected.ndim != 4 or expected.shape != found.shape:
        raise DataError(
            f"layers of one shape (N, C, H, W) are compared, not {tuple(expected.shape)} "
            f"with {tuple(found.shape)}"
        )
    bad = ~torch.isfinite(found).flatten(1).all(1)
    if bad.any():
        first = int(bad.nonzero()[0])
        raise DataError(
            f"{int(bad.sum())} of {len(bad)} layers hold NaN or inf, the first: {first}"
        )
    return expected.double(), found.double()


def _mean(values: Tensor) -> Tensor:
    return values.mean((1, 2, 3))


def _local(values: Tensor) -> Tensor:
    """Means under an 11×11 Gaussian window of σ = 1.5, where it lies inside."""
    window = torch.exp(-torch.arange(-5.0, 6.0, dtype=torch.float64).square() / (2 * 1.5**2))
    for dim in (2, 3):  # sums of shifted images: in float64 quicker than a convolution
        length = values.shape[dim] - 10
        total = torch.zeros_like(values.narrow(dim, 0, length))
        for i, weight in enumerate((window / window.sum()).tolist()):
            total.add_(values.narrow(dim, i, length), alpha=weight)
        values = total
    return values


def _rms_where(error: Tensor, where: Tensor) -> Tensor:
    squares = error.square().mean(1, keepdim=True) * where
    return (squares.sum((1, 2, 3)) / where.sum((1, 2, 3)).clamp_min(1)).sqrt()


def _leakage(estimate: Tensor, *, own: Tensor, other: Tensor) -> Tensor:
    e, s, t = (_tiles(x) for x in (estimate, own, other))
    ss, st, tt = ((a * b).sum((1, 3)) for a, b in ((s, s), (s, t), (t, t)))
    es, et = (e * s).sum((1, 3)), (e * t).sum((1, 3))
    # In tiles where a layer is flat the gain is not determined: the ridge makes it 0.
    ridge = 1e-9 * s.shape[1] * s.shape[3]
    gain = (et * (ss + ridge) - es * st) / ((ss + ridge) * (tt + ridge) - st.square())
    energy = tt.sum(1)
    empty = energy < _NOTHING * other[0].numel()
    share = (gain.square() * tt).sum(1) / energy.clamp_min(1e-30)
    return torch.where(empty, 0.0, share)


def _tiles(images: Tensor) -> Tensor:
    """Tiles less their mean, (N, C, tiles, pixels); those at the border filled with zeros."""
    h, w = images.shape[2:]
    pad = (0, -w % TILE, 0, -h % TILE)

    def cut(values: Tensor) -> Tensor:
        padded = functional.pad(values, pad)
        tiles = functional.unfold(padded.flatten(0, 1)[:, None], TILE, stride=TILE)
        return tiles.transpose(1, 2).reshape(-1, values.shape[1], tiles.shape[2], TILE**2)

    mask = cut(torch.ones(1, 1, h, w, dtype=images.dtype, device=images.device))
    values = cut(images)
    return (values - values.sum(-1, keepdim=True) / mask.sum(-1, keepdim=True)) * mask
