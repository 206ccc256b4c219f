"""Fingerprints of datasets: what a result was made from, by content, without torch.

A fingerprint is `dataset@version:sha256` over names and contents of the source files, those that
cannot be read as images included. It depends neither on where the files lie nor on their dates.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gentex.data import files

VERSIONS = {"digits": 1, "folder": 1, "mosaic": 1, "photo-textures": 1, "torchvision": 1}
"""To be raised with every change of the readers that gives other images, labels or splits from the
same files: records made with the old reading must not pass for results of the new one."""


def photo_textures(argument: str, root: Path | None) -> str:
    """Of the photographs inside the installed scikit-image."""
    return _combined("photo-textures", ((path.name, path) for path in files.packaged_photos()))


def digits(argument: str, root: Path | None) -> str:
    """Of the digits inside the installed scikit-learn."""
    path = files.packaged_digits()
    return _combined("digits", [(path.name, path)], digest=_unpacked)


def folder(argument: str, root: Path | None) -> str:
    """Of all image files in a folder and below, both splits."""
    entries = files.image_files(files.find_folder("folder", argument, root))
    return _combined("folder", ((entry.name, entry.path) for entry in entries))


def mosaic(argument: str, root: Path | None) -> str:
    """Of the mosaics and labels in a folder, both splits."""
    where = files.find_folder("mosaic", argument, root)
    parts = [files.mosaics(where, split) for split in files.SPLITS]
    paths = [path for part in parts for path in (*part.images, part.labels) if path]
    return _combined("mosaic", ((path.name, path) for path in paths))


def torchvision(argument: str, root: Path | None) -> str:
    """Of the files of one of torchvision's datasets, all splits, packed or not."""
    found = files.torchvision_files(argument, root)
    digest = _unpacked if argument in files.IDX else _content
    return _combined("torchvision", found.items(), digest=digest)


def _content(path: Path) -> str:
    if not path.is_file():
        return "unreadable"  # a broken link or a pipe; the reader skips it
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return "unreadable"


def _unpacked(path: Path) -> str:
    if path.suffix != ".gz":
        return _content(path)
    digest = hashlib.sha256()
    try:
        with gzip.open(path) as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    except (OSError, EOFError, zlib.error):
        return "unreadable"
    return digest.hexdigest()


def _combined(
    dataset: str, named: Iterable[tuple[str, Path]], digest: Callable[[Path], str] = _content
) -> str:
    """One hash over lines of «hash of the content, name», in the order of the names."""
    pairs = sorted(named)
    total = hashlib.sha256()
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:  # hashing releases the GIL
        for (name, _), content in zip(pairs, pool.map(digest, [p for _, p in pairs]), strict=True):
            total.update(os.fsencode(f"{content}  {name}\n"))
    return f"{dataset}@{VERSIONS[dataset]}:{total.hexdigest()}"
