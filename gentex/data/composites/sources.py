"""Real photographs: those of the scikit-image wheel, and folders of one's own for training."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn import functional as F

from gentex.data.composites.fields import blurred, margin, mirrored
from gentex.data.composites.fingerprint import PHOTOGRAPHS, image_files, photographs_folder
from gentex.data.dataset import Skipped
from gentex.errors import DataError


@functools.cache
def photographs(split: str, layer: str) -> dict[str, Tensor]:
    """The photographs (3, h, w) in [0, 1] that serve a layer ("structure", "texture") in a split."""
    folder = photographs_folder()
    return {Path(name).stem: _read(folder / name, "RGB") for name in PHOTOGRAPHS[split][layer]}


def folder_textures(folders: Sequence[Path]) -> tuple[dict[str, Tensor], list[Skipped]]:
    """Grey photographs (h, w) in [0, 1] by their paths, and what was left out.

    A photograph that the test split uses is left out, also when it was scaled or stored anew.
    """
    found: dict[str, Tensor] = {}
    skipped: list[Skipped] = []
    held_out = {name: _thumbnail(grey(x)) for name, x in photographs("test", "texture").items()}
    held_out |= {name: _thumbnail(grey(x)) for name, x in photographs("test", "structure").items()}
    for path in (path for folder in folders for path in image_files(folder)):
        try:
            image = _read(path, "L")[0]
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            skipped.append(Skipped(str(path), str(error) or type(error).__name__))
            continue
        if min(image.shape) < 16:
            skipped.append(Skipped(str(path), f"{image.shape[1]}×{image.shape[0]} is too small"))
            continue
        thumbnail = _thumbnail(image)
        same = [name for name, other in held_out.items() if float(thumbnail @ other) > 0.95]
        if same:
            skipped.append(Skipped(str(path), f"is the photograph {same[0]!r}, kept for tests"))
            continue
        found[str(path)] = image
    if not found:
        places = ", ".join(str(folder) for folder in folders)
        raise DataError(f"no usable image in {places}: {len(skipped)} of {len(skipped)} left out")
    return found, skipped


def grey(image: Tensor) -> Tensor:
    """Luma (Rec. 601) of a (3, h, w) image: (h, w)."""
    return torch.einsum("chw,c->hw", image, torch.tensor([0.299, 0.587, 0.114]))


def texture_window(
    photograph: Tensor, sigma: float, h: int, w: int, rng: torch.Generator
) -> Tensor:
    """A window (h, w) of a photograph (h, w), shrunk at random and high-passed at `sigma` px.

    High-passed is less its Gaussian blur, after shrinking: so `sigma` counts in pixels of the
    window. It makes 4 to 12 px of the photograph, where that is large enough; a photograph is
    mirrored only where it is smaller than the window. Flat windows (sky) are passed over.
    """
    border = margin(sigma)
    wanted = h + 2 * border, w + 2 * border
    smallest = max(side / own for side, own in zip(wanted, photograph.shape, strict=True))
    zoom = min(1.0, max(smallest, sigma / (4 * 3 ** float(torch.rand(1, generator=rng)))))
    size = [math.ceil(zoom * side) for side in photograph.shape]
    shrunk = F.interpolate(photograph[None, None], size, mode="bilinear", antialias=True)
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


def _read(path: Path, mode: str) -> Tensor:
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith("I;16"):  # Pillow would clip 16 bits at 255
            pixels = np.asarray(upright, dtype=np.float32) / 65535
            planes = torch.from_numpy(pixels)[None].expand(len(mode), -1, -1)
        else:
            pixels = np.asarray(upright.convert(mode), dtype=np.float32) / 255
            planes = torch.from_numpy(pixels).view(*pixels.shape[:2], -1).permute(2, 0, 1)
    return planes.contiguous()


def _thumbnail(image: Tensor) -> Tensor:
    """A picture (h, w) as a unit vector, by which copies of any size know each other."""
    small = F.interpolate(image[None, None], (24, 24), mode="bilinear", antialias=True).flatten()
    centred = small - small.mean()
    return centred / centred.norm().clamp_min(1e-6)
