"""The pictures of the documentation's gallery of separated photographs.

    python benchmarks/recipes/gallery.py docs/pictures

writes one sheet for each photograph. The photographs are inside the scikit-image wheel, dedicated
to the public domain (CC0), and no textures of theirs were seen by the trained network.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

import gentex
from gentex import ImageShape
from gentex.data import read_image
from gentex.data.files import packaged_photos

SIDE = 256
CROPS = {"brick": (128, 128), "chelsea": (20, 90), "coffee": (70, 330)}  # upper left corners
STRENGTHS: dict[str, tuple[float, ...]] = {"rof": (0.07, 0.2, 0.6), "rtv": (0.0015, 0.005, 0.015)}
"""Less than the default, the default, more."""

CONTRAST = 2  # of the texture, which is faint
GAP, TITLE = 6, 24
QUALITY = 82


class Panel(NamedTuple):
    """One picture with its title, where it stands on the sheet."""

    row: int
    column: int
    title: str
    image: Tensor


@click.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
def main(out: Path) -> None:
    """Write the sheets into the folder OUT."""
    out.mkdir(parents=True, exist_ok=True)
    photos = {path.stem: path for path in packaged_photos()}
    for name, (top, left) in CROPS.items():
        photo = read_image(photos[name])[:, top : top + SIDE, left : left + SIDE].float() / 255
        path = out / f"gallery-{name}.jpg"
        sheet(panels(name, photo)).save(path, quality=QUALITY, optimize=True)
        click.echo(f"{path}: {path.stat().st_size / 1024:.0f} KiB")


def panels(name: str, photo: Tensor) -> Iterable[Panel]:
    """Two columns for what has no strengths to choose from, then two for each method that has."""
    yield Panel(0, 0, f"{name}, the photograph", photo)
    yield from layers(1, 0, "unet, shipped weights", "unet", photo, weights="default")
    yield from layers(2, 0, "gaussian (default): the floor", "gaussian", photo)
    for number, (method, strengths) in enumerate(STRENGTHS.items(), start=1):
        for row, strength in enumerate(strengths):
            title = f"{method}, strength {strength:g}{' (default)' if row == 1 else ''}"
            yield from layers(row, 2 * number, title, method, photo, strength=strength)


def layers(
    row: int, column: int, title: str, method: str, photo: Tensor, **values: float | str
) -> Iterable[Panel]:
    """Structure and texture side by side."""
    model = gentex.create(method, image=ImageShape(*photo.shape), seed=0, **values).eval()
    with torch.inference_mode():
        structure, texture = model.separate(photo[None])
    yield Panel(row, column, title, structure[0])
    yield Panel(row, column + 1, "", CONTRAST * texture[0] + 0.5)


def sheet(shown: Iterable[Panel]) -> Image.Image:
    """The panels on white, each below its title."""
    shown = list(shown)
    rows = 1 + max(panel.row for panel in shown)
    columns = 1 + max(panel.column for panel in shown)
    picture = Image.new("RGB", (columns * (SIDE + GAP) - GAP, rows * (SIDE + TITLE)), "white")
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size=17)
    for row, column, title, image in shown:
        left, top = column * (SIDE + GAP), row * (SIDE + TITLE)
        draw.text((left, top + 2), title, "black", font)
        levels = image.expand(3, -1, -1).permute(1, 2, 0).clamp(0, 1).mul(255).round()
        picture.paste(Image.fromarray(levels.numpy().astype(np.uint8)), (left, top + TITLE))
    return picture


if __name__ == "__main__":
    main()
