"""Write images and sheets of images as files."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from torch import Tensor
from torchvision.utils import make_grid

from gentex.errors import DataError


@contextmanager
def writing_into(folder: Path) -> Iterator[None]:
    """Make the folder that is written into; DataError where it cannot be, as on a full disk."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise DataError(f"cannot write into {folder}: {error.strerror or error}") from None


def write_image(path: Path, image: Tensor) -> None:
    """Write a uint8 image (C, H, W), C = 1 or 3, in the format that the ending says."""
    array = image.permute(1, 2, 0).cpu().numpy()
    with writing_into(path.parent):
        try:
            Image.fromarray(array[..., 0] if array.shape[2] == 1 else array).save(path)
        except ValueError as error:
            raise DataError(f"{path} cannot be written: {error}") from None


def write_sheet(path: Path, images: Tensor, *, columns: int | None = None) -> None:
    """Write uint8 images (N, C, H, W) as one sheet, by default as square as it comes."""
    columns = columns or round(len(images) ** 0.5) or 1
    write_image(path, make_grid(images, nrow=columns, padding=2, pad_value=255))


Levels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
"""Grey (H, W) or colour (H, W, 3), in 8 or 16 bits a channel."""


def write_png(path: Path, levels: Levels, *, profile: bytes | None = None) -> None:
    """Write a PNG of 8 or 16 bits, with an ICC colour profile embedded."""
    with writing_into(path.parent):
        if levels.dtype == np.uint8:
            Image.fromarray(levels).save(path, format="PNG", icc_profile=profile)
        else:
            path.write_bytes(_png_of_sixteen_bits(levels, profile))


def _png_of_sixteen_bits(levels: Levels, profile: bytes | None) -> bytes:
    """What Pillow cannot write in colour: the PNG specification, third edition, of one IDAT."""
    height, width = levels.shape[:2]
    rows = levels.astype(">u2").reshape(height, -1).view(np.uint8)
    up = np.diff(rows, axis=0, prepend=np.zeros_like(rows[:1]))  # filter 2, modulo 256
    filtered = np.concatenate([np.full((height, 1), 2, np.uint8), up], axis=1)
    colour = 2 if levels.ndim == 3 else 0
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0))]
    if profile is not None:
        chunks.append((b"iCCP", b"ICC Profile\0\0" + zlib.compress(profile)))
    chunks += [(b"IDAT", zlib.compress(filtered.tobytes(), 6)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
