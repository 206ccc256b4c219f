"""Real photographs: those of the scikit-image wheel, and folders of one's own for training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from gentex.data.composites.fields import blurred, margin, mirrored
from gentex.data.composites.fingerprint import PHOTOGRAPHS, photograph_paths
from gentex.data.dataset import Skipped
from gentex.data.decode import UnreadableError, read_image
from gentex.data.files import image_files
from gentex.errors import DataError


def photographs(split: str, layer: str) -> dict[str, Tensor]:
    """The photographs that serve a layer in a split, by name.

    As structures they are (3, h, w), as textures grey, (1, h, w); in [0, 1].
    """
    paths = photograph_paths(PHOTOGRAPHS[split][layer])
    channels = 3 if layer == "structure" else 1
    return {path.stem: read_image(path, channels) / 255 for path in paths}


def folder_textures(folders: Sequence[Path]) -> tuple[dict[str, Tensor], list[Skipped]]:
    """Every photograph in the folders and below, grey (1, h, w), by path; and what was left out.

    A photograph that the test split uses is left out, also where it was resized or stored anew.
    """
    held_out = {
        name: _thumbnail(image)
        for layer in PHOTOGRAPHS["test"]
        for name, image in photographs("test", layer).items()
    }
    found: dict[str, Tensor] = {}
    skipped: list[Skipped] = []
    for file in (file for folder in folders for file in image_files(folder)):
        path = str(file.path)
        try:
            image = read_image(file.path, 1) / 255
        except UnreadableError as error:
            skipped.append(Skipped(path, error.reason))
            continue
        _, h, w = image.shape
        thumbnail = _thumbnail(image)
        same = [name for name, other in held_out.items() if float(thumbnail @ other) > 0.95]
        if min(h, w) < 32:
            skipped.append(Skipped(path, f"{h}×{w} is too small to take textures from"))
        elif same:
            skipped.append(Skipped(path, f"is the photograph {same[0]!r}, kept for testing"))
        else:
            found[path] = image
    if not found:
        reasons = "; ".join(f"{s.path}: {s.reason}" for s in skipped[:3])
        raise DataError(f"composites: none of {len(skipped)} textures can be used: {reasons}")
    return found, skipped


def texture_window(
    photograph: Tensor, sigma: float, h: int, w: int, rng: torch.Generator
) -> Tensor:
    """A window (h, w) of a grey photograph (1, h, w), shrunk and high-passed at `sigma` px.

    High-passed is less its Gaussian blur, after shrinking: so `sigma` counts in pixels of the
    window. It makes 4 to 12 px of the photograph, where that is large enough; a photograph is
    mirrored only where it is smaller than the window. Flat windows (sky) are passed over.
    """
    border = margin(sigma)
    wanted = h + 2 * border, w + 2 * border
    smallest = max(side / own for side, own in zip(wanted, photograph.shape[1:], strict=True))
    zoom = min(1.0, max(smallest, sigma / (4 * 3 ** float(torch.rand(1, generator=rng)))))
    size = [math.ceil(zoom * side) for side in photograph.shape[1:]]
    shrunk = functional.interpolate(photograph[None], size, mode="bilinear", antialias=True)
    missing = max(0, *(side - own for side, own in zip(wanted, size, strict=True)))
    shrunk = mirrored(shrunk, (missing + 1) // 2)[0, 0]
    best = torch.zeros(h, w)
    for _ in range(4):
        top = int(torch.randint(shrunk.shape[0] - wanted[0] + 1, (1,), generator=rng))
        left = int(torch.randint(shrunk.shape[1] - wanted[1] + 1, (1,), generator=rng))
        part = shrunk[top : top + wanted[0], left : left + wanted[1]]
        high = (part - blurred(part, sigma))[border : border + h, border : border + w]
        if high.square().mean() > best.square().mean():
            best = high
        if best.square().mean().sqrt() > 0.02:
            break
    return best


def _thumbnail(image: Tensor) -> Tensor:
    """A picture (c, h, w) as a unit vector, by which copies of any size know each other."""
    grey = image.mean(0)[None, None]
    small = functional.interpolate(grey, (24, 24), mode="bilinear", antialias=True).flatten()
    return functional.normalize(small - small.mean(), dim=0, eps=1e-6)
