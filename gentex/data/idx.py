"""The IDX format of MNIST's files: arrays of bytes behind a header that gives their shape."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gentex.errors import DataError


def read_idx(path: Path, dimensions: int) -> Tensor:
    """The array of a file, uint8, with so many dimensions; unpacked when its name ends in .gz.

    Two zero bytes, the type (8: unsigned bytes), the number of dimensions, each as a big-endian
    32-bit integer, and the bytes (Y. LeCun, C. Cortes, C. Burges, The MNIST database).
    """
    try:
        content = (gzip.decompress if path.suffix == ".gz" else bytes)(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    start = 4 + 4 * dimensions
    if content[:4] != bytes((0, 0, 8, dimensions)) or len(content) < start:
        raise DataError(f"{path} is not an IDX file of bytes in {dimensions} dimensions")
    shape = [int.from_bytes(content[i : i + 4], "big") for i in range(4, start, 4)]
    values = np.frombuffer(content, np.uint8, offset=start)
    if values.size != math.prod(shape):
        told = "×".join(map(str, shape))
        raise DataError(f"{path} holds {values.size} bytes, where its header says {told}")
    return torch.from_numpy(values.reshape(shape).copy())
