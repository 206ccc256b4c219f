"""Colours of sixteen bits, of which Pillow keeps the first byte.

Told that the bytes stand in the other order, it keeps the second. So a file is decoded twice.
"""

from __future__ import annotations

import re
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL.Image import Image
from PIL.ImageFile import ImageFile

_WIDE = re.compile(r"RGBA?;16[BLN]")
_OTHER = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}


def is_wide(image: ImageFile) -> bool:
    """Whether an image that is opened, but not loaded, has colours of sixteen bits."""
    return bool(image.tile) and all(_WIDE.fullmatch(_rawmode(tile.args)) for tile in image.tile)


def exchange_bytes(image: ImageFile) -> None:
    """Let `image`, which `is_wide` and not yet loaded, be loaded with the second bytes."""
    for index, tile in enumerate(image.tile):
        mode = _rawmode(tile.args)
        changed: Any = mode[:-1] + _OTHER[mode[-1]]
        if isinstance(tile.args, tuple):
            changed = (changed, *tile.args[1:])
        image.tile[index] = tile._replace(args=changed)


def joined(first: Image, second: Image) -> npt.NDArray[np.uint16]:
    """The colours (H, W, C) of which two images have the first and the second byte."""
    levels = np.array(first, np.uint16)
    levels <<= 8
    levels |= np.asarray(second)
    return levels


def _rawmode(arguments: Any) -> str:
    return str(arguments[0] if isinstance(arguments, tuple) else arguments)
