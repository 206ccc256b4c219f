"""What composites are made of, and their fingerprint; nothing here needs torch.

The photographs are those inside the scikit-image wheel. Each serves one split only, whichever layer
it goes into:

| photograph | split | serves as |
| --- | --- | --- |
| astronaut, camera, coins, rocket, retina | train | structure (smoothed to cartoons) |
| hubble_deep_field, ihc, moon, page, text | train | texture |
| chelsea, coffee, motorcycle_left | test | structure (smoothed to cartoons) |
| brick, grass, gravel | test | texture |
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from gentex.errors import DataError, unknown

VERSION = 1
"""Raised by whoever changes what any generator makes: recorded results rest on it."""

LEVELS = ("easy", "medium", "hard")

PHOTOGRAPHS: dict[str, dict[str, tuple[str, ...]]] = {
    "train": {
        "structure": ("astronaut.png", "camera.png", "coins.png", "retina.jpg", "rocket.jpg"),
        "texture": ("hubble_deep_field.jpg", "ihc.png", "moon.png", "page.png", "text.png"),
    },
    "test": {
        "structure": ("chelsea.png", "coffee.png", "motorcycle_left.png"),
        "texture": ("brick.png", "grass.png", "gravel.png"),
    },
}

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})


def fingerprint(argument: str, root: str | Path | None = None) -> str:
    """sha256 over the generators' version and every photograph that goes into either split."""
    level, folders = parse(argument)
    digest = hashlib.sha256(f"composites {VERSION} {level}".encode())
    wheel = photographs_folder()
    names = sorted(n for layers in PHOTOGRAPHS.values() for files in layers.values() for n in files)
    _add(digest, wheel, [wheel / name for name in names])
    for folder in folders:
        path = resolved(folder, root)
        _add(digest, path, image_files(path))
    return digest.hexdigest()


def parse(argument: str) -> tuple[str, tuple[str, ...]]:
    """Level and texture folders of `LEVEL+FOLDER+FOLDER...`, each of which may be left out."""
    level, *folders = argument.split("+")
    if level and level not in LEVELS:
        raise unknown("level of composites", level, LEVELS)
    if not all(folders):
        raise DataError(f"composites:{argument}: an empty folder name; LEVEL+FOLDER is wanted")
    return level, tuple(folders)


def resolved(folder: str | Path, root: str | Path | None) -> Path:
    """A folder of photographs, relative ones under the data root where they are there."""
    path = Path(folder).expanduser()
    under = Path(root).expanduser() / path if root is not None else path
    found = under if under.is_dir() else path
    if not found.is_dir():
        near = sorted(p.name for p in under.parent.glob("*/")) if under.parent.is_dir() else []
        raise DataError(f"{unknown('folder of textures', path.name, near)} in {under.parent}")
    return found


def image_files(folder: Path) -> list[Path]:
    """Every image file below a folder, in the order of their paths."""
    found = (p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    return sorted(found, key=lambda p: p.relative_to(folder).as_posix())


def photographs_folder() -> Path:
    """Where scikit-image keeps the photographs that its wheel brings."""
    spec = find_spec("skimage")  # finds, and does not import
    if spec is None or spec.origin is None:
        raise DataError("composites need the photographs of scikit-image, which is not installed")
    return Path(spec.origin).parent / "data"


def _add(digest: hashlib._Hash, base: Path, files: Iterable[Path]) -> None:
    for file in files:
        content = file.read_bytes()
        digest.update(f"{file.relative_to(base).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
