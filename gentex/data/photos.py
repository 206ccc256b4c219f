"""The dataset `photo-textures`: patches of the photographs in the scikit-image wheel.

A default to start with, which needs no download. Three of its twelve photographs are textures
(brick, grass, gravel), and train and test are parts of the same ones: no ranking on it is citable.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import torch

from gentex.data.dataset import Dataset, MemoryDataset
from gentex.data.decode import read_image
from gentex.data.files import check_split, packaged_photos
from gentex.data.reading import check_size
from gentex.errors import DataError

PATCHES = {"train": 384, "test": 96}
"""Patches of each photograph: 4 608 to train on and 1 152 to test on."""


def photo_textures(
    *,
    split: str,
    argument: str,
    root: Path | None,
    size: int | None = 32,
    channels: int | None = 1,
) -> Dataset:
    """Square patches of `size` pixels, at the resolution of the photographs; class = photograph.

    channels: 1 or 3; the three true textures are grey.

    The photographs are those of the wheel of which at least three 32-pixel patches in four vary by
    more than 8 grey levels (standard deviation); stars, sky and out-of-focus pictures, drawings and
    logos are left out. Every class has the same number of patches (`PATCHES`), unless a photograph
    has fewer positions than that. Train and test are cut from the disjoint `regions`; patches of
    one split overlap. Nothing is random.
    """
    check_split("photo-textures", split)
    side = check_size(32 if size is None else size)
    patches, labels, classes = [], [], []
    for label, path in enumerate(packaged_photos()):
        photo = read_image(path, 1 if channels is None else channels)
        places = list(positions(photo.shape[1], photo.shape[2], side, split))
        patches += [photo[:, y : y + side, x : x + side] for y, x in places]
        labels += [label] * len(places)
        classes.append(path.stem)
    return MemoryDataset(
        "photo-textures", split, torch.stack(patches), torch.tensor(labels), classes=classes
    )


def regions(length: int, size: int) -> dict[str, list[range]]:
    """How the longer side of a photograph (the height of a square) is cut, for patches of `size`
    pixels: spans of pixels, each of which reaches over the whole of the shorter side.

    Test takes about a quarter: two bands around the first and third quarter point of the side or,
    where patches are too large for that, one in the middle, or one at the end. A gap as wide as a
    patch parts it from train on either side; it shrinks only for patches of more than a third of
    the side. (Two bands, for the nearer they lie to all of the photograph, the more alike are the
    splits: mean, contrast and gradients of 32-pixel patches differ by 0.29 standard deviations on
    average, with one band in the middle by 0.49, and at an end by 0.51 to 0.61.)
    """
    for bands in (2, 1):
        width = max(size, length // (4 * bands))
        starts = [length * (2 * i + 1) // (2 * bands) - width // 2 for i in range(bands)]
        ends = [0, *(start + width + size for start in starts)]
        train = [
            range(a, b) for a, b in zip(ends, [*(s - size for s in starts), length], strict=True)
        ]
        if min(map(len, train)) >= size:
            return {"train": train, "test": [range(s, s + width) for s in starts]}
    gap = max(0, min(size, length - 2 * size))
    width = max(size, min(length // 4, length - gap - size))
    return {"train": [range(length - width - gap)], "test": [range(length - width, length)]}


def positions(height: int, width: int, size: int, split: str) -> Iterator[tuple[int, int]]:
    """The upper left corners (y, x) of the patches of a split, all different.

    They follow a quasi-random sequence, which covers the region more evenly than drawn ones would:
    multiples of the powers of 1/ρ modulo 1, with ρ³ = ρ + 1 (M. Roberts, The Unreasonable
    Effectiveness of Quasirandom Sequences, 2018).
    """
    long, short = max(height, width), min(height, width)
    if size > min(short, long // 2):
        raise DataError(
            f"photo-textures: size={size} is more than the smallest photograph can give to train "
            f"and test, {min(short, long // 2)} pixels"
        )
    along = [a for span in regions(long, size)[split] for a in span[: len(span) - size + 1]]
    across = range(short - size + 1)
    seen: set[tuple[int, int]] = set()
    rho = 1.32471795724474602596
    i = 0
    while len(seen) < min(PATCHES[split], len(along) * len(across)):
        a = along[math.floor((0.5 + i / rho) % 1 * len(along))]
        b = across[math.floor((0.5 + i / rho**2) % 1 * len(across))]
        place = (a, b) if height >= width else (b, a)
        if place not in seen:
            seen.add(place)
            yield place
        i += 1
