"""Which photographs composites are made of, and their fingerprint; nothing here needs torch.

All are inside the scikit-image wheel. Each serves one split only, whichever layer it goes into.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from gentex.data.files import find_folder, image_files, packaged_photos
from gentex.errors import DataError, unknown

VERSION = 2
"""To be raised with every change of what any generator makes: recorded results rest on it."""

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
"""By split, and by the layer they serve: smoothed to cartoons, or high-passed to textures."""


def fingerprint(argument: str, root: Path | None) -> str:
    """`composites@version:sha256` over every photograph of both splits and texture folders."""
    level, folders = parse(argument)
    digest = hashlib.sha256(f"{level}\n".encode())
    for split in PHOTOGRAPHS.values():
        for names in split.values():
            for path in photograph_paths(names):
                _add(digest, path.name, path)
    for folder in folders:
        for file in image_files(find_folder("composites", folder, root)):
            _add(digest, file.name, file.path)
    return f"composites@{VERSION}:{digest.hexdigest()}"


def parse(argument: str) -> tuple[str, tuple[str, ...]]:
    """Level and texture folders of `LEVEL+FOLDER+FOLDER...`, each of which may be left out."""
    level, *folders = argument.split("+")
    if level and level not in LEVELS:
        raise unknown("level of composites", level, LEVELS)
    if not all(folders):
        raise DataError(f"composites:{argument} has an empty folder; LEVEL+FOLDER+... is meant")
    return level, tuple(folders)


def photograph_paths(names: Sequence[str]) -> list[Path]:
    """Where photographs lie that scikit-image's wheel brings.

    Raises DataError where one is missing.
    """
    base = packaged_photos()[0].parent
    missing = [name for name in names if not (base / name).is_file()]
    if missing:
        raise DataError(f"no {', '.join(missing)} in {base}, which scikit-image's wheel brings")
    return [base / name for name in names]


def _add(digest: hashlib._Hash, name: str, path: Path) -> None:
    try:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        content = "unreadable"  # a broken link: it is skipped, and named, when textures are read
    digest.update(os.fsencode(f"{content}  {name}\n"))
