"""Banks: structures and textures made once, out of which every training item takes a window.

Making a dead-leaves image takes longer than a training step may; cutting a turned, mirrored and
magnified window out of one does not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple, Self

import torch
from torch import Tensor
from torch.nn import functional

from gentex.data.composites.draws import Draws
from gentex.data.composites.fields import blurred, margin, smooth_noise, standardized
from gentex.data.composites.sources import texture_window
from gentex.data.composites.structures import STRUCTURES
from gentex.data.composites.textures import TEXTURES


class Bank(NamedTuple):
    """Parts of composites, float16.

    structures: (m, channels, b, b) in [0, 1].
    textures: (k, 1, s, s), high-passed, mean 0, variance 1.
    regions: (r, 1, s, s), smooth fields of variance 1, whose level sets are regions.
    """

    structures: Tensor
    textures: Tensor
    regions: Tensor

    def to(self, device: torch.device | str) -> Self:
        return self._replace(**{k: v.to(device) for k, v in self._asdict().items()})


def structures(
    split: str, families: list[str], h: int, w: int, channels: int, rng: torch.Generator
) -> Tensor:
    """One structure (channels, h, w) for each family named, those of a family made together."""
    made = torch.empty(len(families), channels, h, w, dtype=torch.float16)
    for family, generate in STRUCTURES[split].items():
        places = [i for i, name in enumerate(families) if name == family]
        for chunk in _chunks(places, h * w):
            made[chunk] = generate(len(chunk), h, w, channels, rng).half()
    return made


def textures(
    split: str,
    sources: list[str],
    photographs: Mapping[str, Tensor],
    scale: tuple[float, float],
    h: int,
    w: int,
    rng: torch.Generator,
) -> Tensor:
    """One texture (1, h, w) for each source named: a grey photograph or a family of the split.

    All are less their Gaussian blur, whose sigma (px) is drawn log-uniformly from `scale`. A
    family's wavelength is 1.5 to 4 sigma; the high-pass keeps more than half of those up to 5.3.
    """
    low, high = math.log(scale[0]), math.log(scale[1])
    sigmas = torch.exp(low + (high - low) * torch.rand(len(sources), generator=rng))
    made = torch.empty(len(sources), 1, h, w, dtype=torch.float16)
    for i, source in enumerate(sources):
        if source in photographs:
            window = texture_window(photographs[source], float(sigmas[i]), h, w, rng)
            made[i, 0] = standardized(window).half()
    border = margin(scale[1])
    for family, generate in TEXTURES[split].items():
        places = [i for i, name in enumerate(sources) if name == family]
        for chunk in _chunks(places, h * w):
            stretch = 1.5 + 2.5 * torch.rand(len(chunk), generator=rng)
            wavelength = (stretch * sigmas[chunk]).clamp(2.2, max(2.2, min(h, w) / 2))
            field = generate(wavelength[:, None, None], h + 2 * border, w + 2 * border, rng)
            for i, plane in zip(chunk, field, strict=True):
                high_passed = plane - blurred(plane, float(sigmas[i]))
                inner = high_passed[border : border + h, border : border + w]
                made[i, 0] = standardized(inner).half()
    return made


def regions(n: int, h: int, w: int, rng: torch.Generator) -> Tensor:
    """Smooth fields (n, 1, h, w), about five of whose hills fit across an image of that size."""
    return smooth_noise(n, h, w, min(h, w) / 8, rng)[:, None].half()


def reach(h: int, w: int) -> int:
    """The side of a square that holds an h × w window in any direction, with a pixel to spare."""
    return math.ceil(math.hypot(h, w)) + 2


def windows(
    entries: Tensor, index: Tensor, draw: Draws, h: int, w: int, magnify: float = 1.0
) -> Tensor:
    """A window (n, c, h, w) of each entry named by `index` (n,), anywhere, turned and mirrored.

    Half of them are turned by quarters only and so keep every pixel's value; the others are turned
    by any angle and magnified by 1 to `magnify`, bilinearly.
    """
    n, side = len(index), reach(h, w)
    places_y, places_x = entries.shape[-2] - side + 1, entries.shape[-1] - side + 1
    top, left = (draw() * places_y).long(), (draw() * places_x).long()
    part = entries.unfold(-2, side, 1).unfold(-2, side, 1)[index, :, top, left].float()
    quarters = (draw() < 0.5)[:, None, None]
    angle, flip = draw(0, 2 * math.pi), torch.where(draw() < 0.5, -1.0, 1.0)
    step = 1 / draw(1, magnify)
    angle, flip, step = angle[:, None, None], flip[:, None, None], step[:, None, None]
    angle = torch.where(quarters, (angle / (math.pi / 2)).round() * (math.pi / 2), angle)
    step = torch.where(quarters, 1.0, step)
    y = torch.arange(h, device=part.device)[:, None] - (h - 1) / 2
    x = torch.arange(w, device=part.device)[None] - (w - 1) / 2
    u = flip * step * (angle.cos() * x - angle.sin() * y) + (side - 1) / 2
    v = step * (angle.sin() * x + angle.cos() * y) + (side - 1) / 2
    # Quarter turns fall on pixels or halfway between: less 0.25 all of them round the same way.
    u = torch.where(quarters, (u - 0.25).round(), u)
    v = torch.where(quarters, (v - 0.25).round(), v)
    position = torch.stack([(2 * u + 1) / side - 1, (2 * v + 1) / side - 1], -1).view(n, h, w, 2)
    return functional.grid_sample(part, position, padding_mode="reflection", align_corners=False)


def _chunks(places: list[int], pixels: int) -> list[list[int]]:
    """Runs of places whose images together stay within the cache's reach of a generator."""
    size = max(1, min(32, (1 << 20) // pixels))
    return [places[i : i + size] for i in range(0, len(places), size)]
