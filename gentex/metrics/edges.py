"""Edge maps, thin and thresholded, and how well two of them agree.

The gradient is Sobel's, over all channels at once (Di Zenzo, A note on the gradient of a
multi-image, CVGIP 1986): the root of the larger eigenvalue of the mean over channels of ∇f ∇fᵀ. As
in Canny (A computational approach to edge detection, PAMI 1986), a pixel is an edge where it is
above the threshold and not exceeded one pixel before and behind, along the gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

CONTRAST = 0.05
"""The least step that counts as an edge, in units of the image's range."""


def edge_map(images: Tensor) -> Tensor:
    """Whether a pixel is an edge: bool (N, 1, H, W), of images (N, C, H, W)."""
    dy, dx = _sobel(images)
    yy, xx, xy = ((a * b).mean(1, keepdim=True) for a, b in ((dy, dy), (dx, dx), (dy, dx)))
    # Closed form of the 2 × 2 eigenproblem; of the two signs of the direction one is chosen.
    magnitude = (0.5 * (xx + yy + ((xx - yy).square() + 4 * xy.square()).sqrt())).sqrt()
    angle = 0.5 * torch.atan2(2 * xy, xx - yy)
    before, behind = (_shifted(magnitude, s * angle.sin(), s * angle.cos()) for s in (-1, 1))
    # A sharp step gives two equal columns, of which the strict comparison keeps one.
    ridge = (magnitude > before + 1e-9) & (magnitude >= behind - 1e-9)
    return ridge & (magnitude > CONTRAST / 2)  # Sobel's central difference halves a step


def near(edges: Tensor, distance: int) -> Tensor:
    """Whether an edge lies within that many pixels, diagonal steps counting as one."""
    side = 2 * distance + 1
    return functional.max_pool2d(edges.float(), side, stride=1, padding=distance) > 0


def edge_agreement(truth: Tensor, estimate: Tensor, tolerance: int = 1) -> Tensor:
    """The F-score of estimated edges against true ones, (N,) float64 in [0, 1].

    The harmonic mean of precision and recall; an edge is right where the other map has one within
    the tolerance (Martin, Fowlkes, Malik: Learning to detect natural image boundaries, PAMI 2004).
    Without edges in either map it is 1, without edges in one of them 0.
    """
    precision = _share(estimate & near(truth, tolerance), estimate)
    recall = _share(truth & near(estimate, tolerance), truth)
    score = 2 * precision * recall / (precision + recall).clamp_min(1e-12)
    none = ~(truth.flatten(1).any(1) | estimate.flatten(1).any(1))
    return torch.where(none, 1.0, score)


def _share(part: Tensor, whole: Tensor) -> Tensor:
    counts = [x.flatten(1).sum(1).double() for x in (part, whole)]
    return counts[0] / counts[1].clamp_min(1)


def _sobel(images: Tensor) -> tuple[Tensor, Tensor]:
    """Vertical and horizontal derivatives (N, C, H, W) a pixel, the border repeated."""
    smooth = torch.tensor([1.0, 2.0, 1.0], dtype=images.dtype, device=images.device) / 4
    slope = torch.tensor([-1.0, 0.0, 1.0], dtype=images.dtype, device=images.device) / 2
    planes = images.flatten(0, 1)[:, None]
    padded = functional.pad(planes, (1, 1, 1, 1), mode="replicate")
    kernels = torch.stack([slope[:, None] * smooth, smooth[:, None] * slope])
    dy, dx = functional.conv2d(padded, kernels[:, None]).unbind(1)
    return dy.view_as(images), dx.view_as(images)


def _shifted(planes: Tensor, dy: Tensor, dx: Tensor) -> Tensor:
    """Bilinear values (N, 1, H, W) at each pixel's place moved by (dy, dx); 0 outside."""
    h, w = planes.shape[-2:]
    y = torch.arange(h, dtype=planes.dtype, device=planes.device)[:, None] + dy[:, 0]
    x = torch.arange(w, dtype=planes.dtype, device=planes.device)[None] + dx[:, 0]
    position = torch.stack([(2 * x + 1) / w - 1, (2 * y + 1) / h - 1], -1)
    return functional.grid_sample(planes, position, align_corners=False)
