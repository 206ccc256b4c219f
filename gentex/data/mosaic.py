"""The dataset `mosaic:PATH`: many small images as the tiles of a few large, lossless pictures."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from gentex.data.dataset import Dataset
from gentex.data.decode import read_image
from gentex.data.files import check_split, find_folder, mosaics
from gentex.data.idx import read_idx
from gentex.data.reading import check_size, from_arrays
from gentex.errors import DataError


def mosaic(
    *,
    split: str,
    argument: str,
    root: Path | None,
    tile: int = 32,
    size: int | None = None,
    channels: int | None = None,
) -> Dataset:
    """Square tiles, read row by row from the pictures `train_*` and `test_*` in a folder.

    argument: the folder; a relative path is looked for below `root`, then in the working directory.
        The pictures are WebP (lossless) or PNG, in the order of their names. Labels are one byte
        a tile in `train*-labels-idx1-ubyte.gz` and `test*-labels-idx1-ubyte.gz` (`.gz` or not);
        there may be more of them than tiles. Where there are fewer, the tiles without one are the
        blank end of the last picture and are left out.
    tile: the side of a tile in pixels.
    size: the side to which tiles are resized; channels: 1 or 3; None for their own.

    Raises DataError for pictures that are missing, damaged, or no whole number of tiles.
    """
    check_split("mosaic", split)
    found = mosaics(find_folder("mosaic", argument, root), split)
    sheets = [_tiles(path, check_size(tile), channels) for path in found.images]
    if len({sheet.shape[1] for sheet in sheets}) > 1:
        raise DataError(f"mosaic:{argument}: some pictures are grey, some coloured; say channels")
    images, labels, classes = torch.cat(sheets), None, []
    if found.labels is not None:
        labels = read_idx(found.labels, 1)[: len(images)]
        if len(labels) <= len(images) - len(sheets[-1]):
            raise DataError(
                f"mosaic:{argument}: {len(labels)} labels for {len(images)} tiles in {split}"
            )
        images = images[: len(labels)]
        classes = [str(i) for i in range(int(labels.max()) + 1)]
    return from_arrays(
        f"mosaic:{argument}", split, images, labels, size=size, channels=channels, classes=classes
    )


def _tiles(path: Path, tile: int, channels: int | None) -> Tensor:
    """The tiles of a picture, (N, C, tile, tile)."""
    picture = read_image(path, channels)
    _, height, width = picture.shape
    if height % tile or width % tile:
        raise DataError(
            f"{path} has {height}×{width} pixels, no whole number of {tile}×{tile} tiles"
        )
    parts = picture.unfold(1, tile, tile).unfold(2, tile, tile)  # (C, rows, columns, tile, tile)
    return parts.permute(1, 2, 0, 3, 4).reshape(-1, len(picture), tile, tile)
