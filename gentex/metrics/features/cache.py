"""Features of real images kept on disk, as every cell of a comparison needs the same ones.

A file is named by the sha256 of the images themselves, their shape and number, and the name of the
feature space: so by all that a dataset, its options and the split decide. What it cannot be named
by, the code of the encoders and the machine, is held by a probe: what is computed of the first
images now must be, bit for bit, what was computed of them then.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from gentex.metrics.features.space import FeatureSpace

PROBE = 4
"""Images whose features are computed afresh each time."""


def cached_features(space: FeatureSpace, images: Tensor, folder: Path | None) -> list[Tensor]:
    """`space.features(images)`, bit for bit, from a file in the folder where there is one.

    images: uint8 (N, C, H, W).
    folder: None computes them. A file that is damaged, or was made by other code or on a machine
        that rounds otherwise, counts as missing and is written anew; where none can be written, it
        is done without.
    """
    if folder is None:
        return space.features(images)
    path = folder / f"{_digest([images], space.name)}.safetensors"
    probe = _digest(space.features(images[:PROBE]))
    features = _read(path, probe)
    if features is None:
        features = space.features(images)
        with suppress(OSError):
            _write(path, features, probe)
    return features


def _digest(tensors: Iterable[Tensor], name: str = "") -> str:
    digest = hashlib.sha256(name.encode())
    for tensor in tensors:
        digest.update(f"\0{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()


def _read(path: Path, probe: str) -> list[Tensor] | None:
    try:
        with safe_open(path, framework="pt") as file:
            kept = [file.get_tensor(str(number)) for number in range(len(file.keys()))]
            said = file.metadata() or {}
    except (OSError, SafetensorError):
        return None
    if said != {"probe": probe, "content": _digest(kept)}:
        return None
    return [tensor.double() for tensor in kept]


def _write(path: Path, features: list[Tensor], probe: str) -> None:
    """Whole or not at all; encoders compute in float32, and then that is all there is to keep."""
    single = [tensor.float() for tensor in features]
    exact = all(torch.equal(a.double(), b) for a, b in zip(single, features, strict=True))
    kept = single if exact else features
    tensors = {str(number): tensor.contiguous() for number, tensor in enumerate(kept)}
    content = save(tensors, metadata={"probe": probe, "content": _digest(kept)})
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
