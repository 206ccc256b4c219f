"""Write images and sheets of images as files."""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from torch import Tensor
from torchvision.utils import make_grid

from gentex.errors import DataError


def write_image(path: Path, image: Tensor) -> None:
    """Write a uint8 image (C, H, W), C = 1 or 3, in the format that the ending says."""
    array = image.permute(1, 2, 0).cpu().numpy()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        Image.fromarray(array[..., 0] if array.shape[2] == 1 else array).save(path)
    except ValueError as error:
        raise DataError(f"{path} cannot be written: {error}") from None


def write_sheet(path: Path, images: Tensor, *, columns: int | None = None) -> None:
    """Write uint8 images (N, C, H, W) as one sheet, by default as square as it comes."""
    columns = columns or round(len(images) ** 0.5) or 1
    write_image(path, make_grid(images, nrow=columns, padding=2, pad_value=255))
