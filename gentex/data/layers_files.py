"""Which files hold the layers of `layers-folder:PATH`, and their fingerprint, without torch."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from gentex.data.files import SPLITS, check_split, find_folder
from gentex.errors import DataError, NoSplitError, closest

VERSION = 1
"""To be raised with every change of the reader that gives other layers from the same files."""

SUFFIXES = (".png", ".npy")


@dataclass(frozen=True, slots=True)
class Pair:
    """The files of one item: its structure, and its texture or, where `whole`, its image."""

    name: str
    structure: Path
    other: Path
    whole: bool


def pairs(argument: str, root: Path | None, split: str) -> list[Pair]:
    """The items of a split, in the order of their names.

    Raises DataError where a folder or a partner is missing, naming the closest there is.
    """
    check_split("layers-folder", split)
    base = find_folder("layers-folder", argument, root)
    split_folders = [name for name in SPLITS if (base / name).is_dir()]
    if split_folders:
        if split not in split_folders:
            raise NoSplitError(f"layers-folder: no {split}/ beside {split_folders[0]}/ in {base}")
        base = base / split
    elif split != "test":
        raise NoSplitError(
            f"layers-folder: {base} is for testing as it is; layers to train on go into a folder "
            "train/ in it, the others into test/"
        )
    structures = _files(base, "structure")
    kind = "texture" if (base / "texture").is_dir() else "image"
    others = _files(base, kind)
    for here, there, missing in (
        (structures, others, kind),
        (others, structures, "structure"),
    ):
        lone = sorted(here.keys() - there.keys())
        if lone:
            raise DataError(
                f"layers-folder: nothing in {base / missing} belongs to {here[lone[0]].name}"
                f"{closest(lone[0], there)}"
            )
    return [Pair(n, structures[n], others[n], kind == "image") for n in sorted(structures)]


def fingerprint(argument: str, root: Path | None) -> str:
    """`layers-folder@version:sha256` over the names and contents of both splits' files."""
    digest = hashlib.sha256()
    base = find_folder("layers-folder", argument, root)
    for split in [name for name in SPLITS if (base / name).is_dir()] or ["test"]:
        for pair in pairs(argument, root, split):
            for path in (pair.structure, pair.other):
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                digest.update(f"{content}  {path.relative_to(base).as_posix()}\n".encode())
    return f"layers-folder@{VERSION}:{digest.hexdigest()}"


def _files(base: Path, kind: str) -> dict[str, Path]:
    folder = base / kind
    if not folder.is_dir():
        inside = [path.name for path in base.iterdir() if path.is_dir()]
        raise DataError(f"layers-folder: no folder {kind}/ in {base}{closest(kind, inside)}")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
            continue
        if path.stem in found:
            raise DataError(f"layers-folder: {found[path.stem].name} or {path.name} in {folder}?")
        found[path.stem] = path
    if not found:
        raise DataError(f"layers-folder: no {' or '.join(SUFFIXES)} file in {folder}")
    return found
