"""`layers-folder:PATH`: images of one's own whose structure and texture are known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gentex.data.dataset import Dataset, Skipped
from gentex.data.layers_files import Pair, pairs
from gentex.data.sixteen_bits import exchange_bytes, is_wide, joined
from gentex.errors import DataError
from gentex.interfaces import Batch, ImageShape, Layers

MID_GREY = {8: 128, 16: 32768}
"""The value that stands for a texture of 0 in a PNG, by its bits a channel."""

ROUNDING = 2 / 255
"""How far layers may add up to outside of [0, 1]: what converting two to eight bits can do."""


class LayersDataset(Dataset):
    """Known layers held in memory as float32 (N, C, H, W)."""

    def __init__(
        self, name: str, split: str, layers: Layers, *, skipped: Sequence[Skipped] = ()
    ) -> None:
        super().__init__(name, split, ImageShape(*layers.structure.shape[1:]), skipped=skipped)
        self.layers = layers

    def __len__(self) -> int:
        return len(self.layers.structure)

    def batch(self, indices: Sequence[int] | Tensor) -> Batch:
        """Images with their layers; `images == structure + texture` in float32, bit for bit."""
        index = torch.as_tensor(indices, device=self.layers.structure.device)
        layers = Layers(self.layers.structure[index], self.layers.texture[index])
        return Batch(layers.image, layers=layers)

    def to(self, device: torch.device | str) -> Self:
        moved = type(self).__new__(type(self))
        moved.__dict__.update(self.__dict__)
        moved.layers = Layers(*(layer.to(device) for layer in self.layers))
        return moved


def layers_folder(
    *,
    split: str,
    argument: str,
    root: Path | None = None,
    size: int | tuple[int, int] | None = None,
    channels: int | None = None,
) -> LayersDataset:
    """Layers in PATH/structure and PATH/texture, or PATH/structure and PATH/image, by file name.

    argument: the folder; a relative path is looked for below `root`, then in the working directory.
        With sub-folders train/ and test/ these are the splits, otherwise all of it is for testing.
    size: (height, width) or the side of a square to take from the middle, unscaled; None keeps the
        images as they are, if all have one size.
    channels: 1 or 3; None for 3 if any file has colour, else 1. Colour becomes grey as Rec. 601
        luma of both layers, so that they still add up.

    | format | structure, image | texture |
    | --- | --- | --- |
    | PNG, 8 bits, grey or RGB | v / 255 | (v − 128) / 255 |
    | PNG, 16 bits, grey or RGB | v / 65535 | (v − 32768) / 65535 |
    | .npy, float, (H, W) or (H, W, C) | as it is | as it is, signed |

    Colour profiles and gamma of PNG files are not applied: layers add up in the stored values. A
    sum that leaves [0, 1] by no more than conversion to eight bits explains (`ROUNDING`) is brought
    back in the texture. Items that cannot be used are listed in `skipped`, with the reason.

    Raises DataError for a folder, layer or partner that is missing, with the closest there is, and
    where no item can be used.
    """
    name = f"layers-folder:{argument}"
    if channels not in (None, 1, 3):
        raise DataError(f"{name}: channels={channels}; 1, 3 or None is meant")
    crop = (size, size) if isinstance(size, int) else size
    found: list[Layers] = []
    skipped: list[Skipped] = []
    for pair in pairs(argument, root, split):
        try:
            layers = _read_pair(pair)
            found.append(layers if crop is None else Layers(*(_middle(x, crop) for x in layers)))
        except _UnusableError as error:
            skipped.append(Skipped(pair.name, str(error)))
    if not found:
        reasons = "; ".join(f"{s.path}: {s.reason}" for s in skipped[:3])
        raise DataError(f"{name}: none of {len(skipped)} items can be used: {reasons}")
    channels = channels or max(len(layers.structure) for layers in found)
    found = [Layers(*(_with_channels(x, channels) for x in layers)) for layers in found]
    sizes = {tuple(layers.structure.shape[1:]) for layers in found}
    if len(sizes) > 1:
        few = ", ".join(f"{h}×{w}" for h, w in sorted(sizes)[:3])
        raise DataError(f"{name}: images of {len(sizes)} sizes ({few}, ...) need the option size")
    stacked = Layers(*(torch.stack(layer) for layer in zip(*found, strict=True)))
    return LayersDataset(name, split, stacked, skipped=skipped)


_DEPTHS = {
    b"\x08\x00": (8, 255),
    b"\x08\x02": (8, 255),
    b"\x10\x00": (16, 65535),
    b"\x10\x02": (16, 65535),
}


class _UnusableError(Exception):
    """Why one item is left out."""


def _read_pair(pair: Pair) -> Layers:
    structure = _read(pair.structure, signed=False)
    other = _read(pair.other, signed=not pair.whole)
    if structure.shape[1:] != other.shape[1:]:
        first, second = ("×".join(map(str, x.shape[1:])) for x in (structure, other))
        raise _UnusableError(f"the structure is {first}, the {pair.other.parent.name} {second}")
    colours = max(len(structure), len(other))
    structure, other = (_with_channels(x, colours) for x in (structure, other))
    image = other if pair.whole else structure + other
    excess = max(float(image.max()) - 1, -float(image.min()))
    if excess > ROUNDING:
        raise _UnusableError(f"the image leaves [0, 1] by {excess:.3g}")
    return Layers(structure, image.clamp(0, 1) - structure if pair.whole or excess > 0 else other)


def _read(path: Path, *, signed: bool) -> Tensor:
    """A layer (C, H, W), float32."""
    try:
        return _read_npy(path) if path.suffix.lower() == ".npy" else _read_png(path, signed=signed)
    except _UnusableError:
        raise
    except Exception as error:  # broken files end in a dozen kinds, struct.error among them
        first = str(error).partition("\n")[0]
        raise _UnusableError(f"{path.parent.name}/{path.name} cannot be read: {first}") from error


def _read_npy(path: Path) -> Tensor:
    values = np.load(path, allow_pickle=False)
    if not np.issubdtype(values.dtype, np.floating):
        raise _UnusableError(f"{path.name} holds {values.dtype}, where float is meant")
    if values.ndim == 2:
        values = values[..., None]
    if values.ndim != 3 or values.shape[2] not in (1, 3) or not values.size:
        raise _UnusableError(f"{path.name} has the shape {values.shape}; (H, W, 1 or 3) is meant")
    if not np.isfinite(values).all():
        raise _UnusableError(f"{path.name} holds NaN or inf")
    return torch.from_numpy(values.astype(np.float32)).permute(2, 0, 1)


def _read_png(path: Path, *, signed: bool) -> Tensor:
    with path.open("rb") as file:
        header = file.read(26)  # the last two bytes: bit depth, and 0 for grey, 2 for RGB
    if header[:8] != b"\x89PNG\r\n\x1a\n" or header[24:] not in _DEPTHS:
        raise _UnusableError(f"{path.name} is no PNG of 8 or 16 bits, grey or RGB")
    bits, white = _DEPTHS[header[24:]]
    with Image.open(path, formats=("PNG",)) as image:
        if is_wide(image):
            with Image.open(path, formats=("PNG",)) as again:
                exchange_bytes(again)
                pixels = joined(image, again).astype(np.float32)
        else:
            pixels = np.array(image, np.float32)
    layer = torch.from_numpy(pixels.reshape(*pixels.shape[:2], -1)).permute(2, 0, 1)
    return (layer - MID_GREY[bits] if signed else layer) / white


def _middle(layer: Tensor, size: tuple[int, int]) -> Tensor:
    h, w = layer.shape[1:]
    if h < size[0] or w < size[1] or min(size) < 1:
        raise _UnusableError(f"{h}×{w} is smaller than {size[0]}×{size[1]}")
    top, left = (h - size[0]) // 2, (w - size[1]) // 2
    return layer[:, top : top + size[0], left : left + size[1]]


def _with_channels(layer: Tensor, channels: int) -> Tensor:
    if len(layer) == channels:
        return layer
    if channels == 3:
        return layer.expand(3, -1, -1)
    weights = torch.tensor([0.299, 0.587, 0.114])
    return torch.einsum("chw,c->hw", layer, weights)[None]
