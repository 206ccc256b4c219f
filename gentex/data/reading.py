"""Files and arrays into datasets: what every reader of images shares."""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from gentex.data.dataset import Dataset, FileDataset, MemoryDataset, Skipped
from gentex.data.decode import (
    FITTED,
    UnreadableError,
    fit,
    read_header,
    read_image,
    to_channels,
)
from gentex.errors import DataError
from gentex.interfaces import ImageShape

MEMORY_LIMIT = 1 << 30
"""Bytes of pixels that a dataset may hold in memory; a larger one is decoded file by file."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def from_arrays(
    name: str,
    split: str,
    images: Tensor,
    labels: Tensor | None,
    *,
    size: int | None,
    channels: int | None,
    classes: Sequence[str] = (),
) -> MemoryDataset:
    """Images uint8 (N, C, H, W), brought to squares of `size` and to `channels` where given."""
    if channels is not None:
        images = to_channels(images, channels)
    resize = ""
    if size is not None and images.shape[2:] != (check_size(size), size):
        resize = FITTED
        images = torch.cat([fit(part, size) for part in images.split(1024)])  # bounds the copies
    return MemoryDataset(name, split, images, labels, classes=classes, resize=resize)


def headers(paths: Sequence[Path]) -> list[ImageShape | UnreadableError]:
    """The shape of every file, or why it has none."""
    return list(_parallel(_header, paths))


def common_shape(
    name: str,
    shapes: Sequence[ImageShape | UnreadableError],
    *,
    size: int | None,
    channels: int | None,
) -> ImageShape:
    """The shape that all images are brought to.

    size: None for their own, which must be one and the same.
    channels: None for 3 if any has colour, else 1.

    Raises DataError where no file can be read, or their sizes differ and none was asked for.
    """
    readable = [shape for shape in shapes if isinstance(shape, ImageShape)]
    if not readable:
        reasons = "; ".join(str(shape) for shape in shapes[:3])
        raise DataError(f"{name}: none of {len(shapes)} images can be read: {reasons}")
    if channels is None:
        channels = max(shape.channels for shape in readable)
    if size is not None:
        return ImageShape(channels, check_size(size), size)
    sides = Counter((shape.height, shape.width) for shape in readable)
    if len(sides) > 1:
        few = ", ".join(f"{n} of {h}×{w}" for (h, w), n in sides.most_common(3))
        raise DataError(f"{name}: images of {len(sides)} sizes ({few}, ...) need the option size")
    return ImageShape(channels, *next(iter(sides)))


def from_files(
    name: str,
    split: str,
    paths: Sequence[Path],
    shapes: Sequence[ImageShape | UnreadableError],
    image: ImageShape,
    labels: Sequence[int] | None,
    *,
    crop: bool,
    classes: Sequence[str] = (),
    base: Path,
) -> Dataset:
    """A dataset of image files: in memory if it fits (`MEMORY_LIMIT`), else decoded when asked for.

    shapes: the `headers` of the paths; the files without one are skipped.
    image: the shape of every image. With `crop` they are brought to it by `fit`; otherwise those
        of another size are skipped.
    base: the folder that the paths of skipped files are told relative to.

    Raises DataError where nothing is left.
    """
    decode = functools.partial(_decode, image=image, crop=crop)
    reasons = [shape.reason if isinstance(shape, UnreadableError) else "" for shape in shapes]
    whole = [i for i, reason in enumerate(reasons) if not reason]
    fits = len(whole) * image.channels * image.height * image.width <= MEMORY_LIMIT
    pixels = torch.empty((len(whole) if fits else 0, *image), dtype=torch.uint8)

    def read(row: int) -> str:
        try:
            pixels[row] = decode(str(paths[whole[row]]))
        except UnreadableError as error:
            return error.reason
        return ""

    if fits:
        kept = []
        for row, reason in enumerate(_parallel(read, range(len(whole)))):
            reasons[whole[row]] = reason
            if not reason:
                kept.append(row)
        if len(kept) < len(whole):
            pixels, whole = pixels[kept], [whole[row] for row in kept]
    skipped = [
        Skipped(path.relative_to(base).as_posix(), reason)
        for path, reason in zip(paths, reasons, strict=True)
        if reason
    ]
    if not whole:
        first = "; ".join(f"{s.path}: {s.reason}" for s in skipped[:3])
        raise DataError(f"{name}: none of {len(paths)} images can be read: {first}")
    chosen = None if labels is None else [labels[i] for i in whole]
    resize = FITTED if crop and any(_other_size(shapes[i], image) for i in whole) else ""
    if fits:
        classed = None if chosen is None else torch.tensor(chosen)
        return MemoryDataset(
            name, split, pixels, classed, classes=classes, skipped=skipped, resize=resize
        )
    files = [str(paths[i]) for i in whole]
    return FileDataset(
        name,
        split,
        image,
        files,
        decode,
        chosen,
        classes=classes,
        skipped=skipped,
        resize=resize,
    )


def check_size(size: int) -> int:
    """The size itself; DataError where it is no side of an image."""
    if size < 1:
        raise DataError(f"size={size}: the side of an image in pixels, at least 1")
    return size


def _other_size(shape: ImageShape | UnreadableError, image: ImageShape) -> bool:
    return isinstance(shape, ImageShape) and shape[1:] != image[1:]


def _header(path: Path) -> ImageShape | UnreadableError:
    try:
        return read_header(path)
    except UnreadableError as error:
        return error


def _decode(path: str, *, image: ImageShape, crop: bool) -> Tensor:
    pixels = read_image(path, image.channels)
    if crop:
        return fit(pixels, (image.height, image.width))
    if tuple(pixels.shape) != image:
        height, width = pixels.shape[1:]
        reason = f"{height}×{width}, where the others are {image.height}×{image.width}"
        raise UnreadableError(Path(path), reason)
    return pixels


def _parallel(function: Callable[[_Item], _Result], items: Sequence[_Item]) -> Iterator[_Result]:
    """`map` in threads, for Pillow decodes without the GIL."""
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for first in range(0, len(items), 4096):  # a million items need no million futures
            yield from pool.map(function, items[first : first + 4096])
