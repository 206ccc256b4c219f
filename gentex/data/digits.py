"""The dataset `digits`: 1 797 handwritten digits of 8×8 pixels, from the scikit-learn wheel.

E. Alpaydin and C. Kaynak. Optical Recognition of Handwritten Digits. UCI Machine Learning
Repository, 1998, doi:10.24432/C50P49 (its test part).
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
import torch

from gentex.data.dataset import Dataset
from gentex.data.files import check_split, packaged_digits
from gentex.data.reading import from_arrays
from gentex.errors import DataError


def digits(
    *,
    split: str,
    argument: str,
    root: Path | None,
    size: int | None = None,
    channels: int | None = None,
) -> Dataset:
    """The digits; class = the digit, grey levels 0 to 16 scaled to 0 to 255.

    size: the side in pixels, 8 by default; channels: 1 by default.

    Test is the last fifth of each class in the order of the file (355 images, train has 1 442), for
    neighbours there look alike: the nearest neighbour in train has the right class for 95.5 % of
    these test images, but for 98.6 % of ones drawn at random.
    """
    check_split("digits", split)
    path = packaged_digits()
    try:
        with gzip.open(path, "rt") as lines:
            table = np.array([line.split(",") for line in lines], dtype=np.int64)
        if table.shape[1:] != (65,):
            raise ValueError(f"a table of {table.shape}, where 65 columns are wanted")
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DataError(f"digits: {path} is damaged: {error}") from None
    levels, labels = table[:, :-1], table[:, -1]
    held_out = np.zeros(len(labels), dtype=bool)
    for digit in range(10):
        places = np.flatnonzero(labels == digit)
        held_out[places[len(places) - len(places) // 5 :]] = True
    chosen = held_out if split == "test" else ~held_out
    images = (levels[chosen] * (255 / 16)).round().astype(np.uint8).reshape(-1, 1, 8, 8)
    return from_arrays(
        "digits",
        split,
        torch.from_numpy(images),
        torch.from_numpy(labels[chosen]),
        size=size,
        channels=channels,
        classes=[str(digit) for digit in range(10)],
    )
