"""Where the files of the datasets lie, for those who read them and those who fingerprint them.

No torch and no numpy on this floor, and no package that holds data is imported to find it.
"""

from __future__ import annotations

import fnmatch
import hashlib
import importlib.util
import os
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gentex.errors import DataError, closest

SPLITS = ("train", "test")

IMAGE_SUFFIXES = (
    *(".apng", ".avif", ".bmp", ".gif", ".heic", ".heif", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg"),
    *(".jpg", ".mpo", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
)
"""What counts as an image in a folder. HEIC does, though it is not read: it is skipped aloud."""

PHOTOS = (
    "astronaut.png",
    "brick.png",
    "chelsea.png",
    "coffee.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "motorcycle_left.png",
    "page.png",
    "text.png",
)


def check_split(dataset: str, split: str) -> None:
    """DataError unless the split is one of `SPLITS`."""
    if split not in SPLITS:
        allowed = " and ".join(SPLITS)
        raise DataError(f"{dataset} has no split {split!r}; there are {allowed}")


def packaged_photos() -> list[Path]:
    """The photographs inside the scikit-image wheel that `photo-textures` cuts up."""
    return _packaged("skimage", "scikit-image", "data", PHOTOS)


def packaged_digits() -> Path:
    """The handwritten digits inside the scikit-learn wheel: 64 grey values and a label a line."""
    return _packaged("sklearn", "scikit-learn", "datasets/data", ("digits.csv.gz",))[0]


def _packaged(package: str, project: str, folder: str, names: tuple[str, ...]) -> list[Path]:
    spec = importlib.util.find_spec(package)  # importlib.resources would import the package
    if spec is None or not spec.submodule_search_locations:
        raise DataError(
            f"{project} is not installed, whose files are wanted: pip install {project}"
        )
    base = Path(spec.submodule_search_locations[0], folder)
    missing = [name for name in names if not (base / name).is_file()]
    if missing:
        raise DataError(
            f"no {', '.join(missing)} in {base}: this {project} comes without the data files of "
            f"the wheel; pip install --force-reinstall {project}"
        )
    return [base / name for name in names]


def find_folder(dataset: str, argument: str, root: Path | None) -> Path:
    """The folder that a path means: absolute, below `root`, or else below the working directory."""
    given = Path(argument).expanduser()
    places = [given] if root is None else [root / given, given]
    for place in dict.fromkeys(places):
        if place.is_dir():
            return place
    looked = " or ".join(str(place.absolute()) for place in dict.fromkeys(places))
    if any(place.exists() for place in places):
        raise DataError(f"{dataset}: {looked} is a file, where a folder is wanted")
    raise DataError(f"{dataset}: no folder {looked}")


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image file of a folder; whether it can be read is not known yet.

    name: its path relative to the folder, with slashes.
    split, group: the split it is in, and the sub-folder, empty for none.
    """

    path: Path
    name: str
    split: str
    group: str


def image_files(folder: Path, held_out: str = "") -> list[ImageFile]:
    """The image files in a folder and below, in the order of their names.

    With sub-folders `train` and `test` (or `val` where there is no `test`) these are the splits,
    and what lies beside them is left out. Otherwise the files are held out whose name fits the
    shell pattern `held_out`; without one, one file in five by a hash of its name, so that new files
    never move old ones from one split to the other.

    Files count by their ending (`IMAGE_SUFFIXES`); hidden ones do not. Links are followed, each
    folder being visited once.

    Raises DataError where there is no image, naming what was found, and for a pattern where
    sub-folders are the splits.
    """
    second = next((n for n in ("test", "val") if (folder / n).is_dir()), None)
    if second and (folder / "train").is_dir():
        if held_out:
            raise DataError(f"held_out={held_out!r}: {folder} has train/ and {second}/ already")
        parts = {"train": folder / "train", "test": folder / second}
    else:
        parts = {"": folder}
    found: list[ImageFile] = []
    others: Counter[str] = Counter()
    for split, part in parts.items():
        for path in _walk(part):
            if path.suffix.lower() not in IMAGE_SUFFIXES:
                others[path.suffix.lower() or "no ending"] += 1
                continue
            inner, name = path.relative_to(part), path.relative_to(folder).as_posix()
            group = inner.parts[0] if len(inner.parts) > 1 else ""
            found.append(ImageFile(path, name, split or _split(name, held_out), group))
    if not found:
        listed = ", ".join(f"{n} × {suffix}" for suffix, n in others.most_common(8))
        endings = " ".join(sorted(IMAGE_SUFFIXES))
        raise DataError(
            f"no image in {folder}: found {listed or 'nothing'}; images end in {endings}"
        )
    return sorted(found, key=lambda file: file.name)


def _walk(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:  # else a whole class would be missing in silence
        raise DataError(f"cannot list the folder {error.filename}: {error.strerror}")

    visited: set[Path] = set()
    for where, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        real = Path(where).resolve()
        folders[:] = [] if real in visited else sorted(f for f in folders if f[0] != ".")
        if real not in visited:
            yield from (Path(where, name) for name in names if name[0] != ".")
        visited.add(real)


def _split(name: str, held_out: str) -> str:
    if not held_out:
        return _drawn_split(name)
    return "test" if fnmatch.fnmatchcase(name, held_out) else "train"


def _drawn_split(name: str) -> str:
    # Composed and decomposed accents are one name: file systems differ in which they hand out.
    normal = os.fsencode(unicodedata.normalize("NFC", name))
    return "test" if hashlib.sha256(normal).digest()[0] % 5 == 0 else "train"


@dataclass(frozen=True, slots=True)
class Mosaics:
    """The files of one split of a `mosaic` dataset: pictures in order, and labels if any."""

    images: list[Path]
    labels: Path | None


def mosaics(folder: Path, split: str) -> Mosaics:
    """The pictures `<split>_*.webp` or `.png` and the labels `<split>*-labels-idx1-ubyte[.gz]`."""
    images = sorted(p for p in folder.glob(f"{split}_*") if p.suffix in (".webp", ".png"))
    labels = sorted(folder.glob(f"{split}*-labels-idx1-ubyte*"))
    if not images:
        raise DataError(f"mosaic: no {split}_*.webp or {split}_*.png in {folder}")
    if len(labels) > 1:
        raise DataError(f"mosaic: which are the labels, {' or '.join(p.name for p in labels)}?")
    return Mosaics(images, labels[0] if labels else None)


@dataclass(frozen=True, slots=True)
class Layout:
    """How one of torchvision's datasets lies below the root.

    files: glob patterns, each of which must find something.
    keyword, train, test: how its class is asked for a split.
    """

    files: tuple[str, ...]
    keyword: str = "split"
    train: str | bool = "train"
    test: str | bool = "test"


_CIFAR10 = "cifar-10-batches-py/"
TORCHVISION = {
    "CIFAR10": Layout(
        (f"{_CIFAR10}data_batch_*", f"{_CIFAR10}test_batch", f"{_CIFAR10}batches.meta"),
        "train",
        train=True,
        test=False,
    ),
    "CIFAR100": Layout(
        tuple(f"cifar-100-python/{name}" for name in ("train", "test", "meta")),
        "train",
        train=True,
        test=False,
    ),
    "CelebA": Layout(("celeba/*.txt", "celeba/img_align_celeba/*.jpg")),
    "DTD": Layout(("dtd/dtd/labels/*.txt", "dtd/dtd/images/*/*.jpg")),
    "FGVCAircraft": Layout(
        ("fgvc-aircraft-2013b/data/*.txt", "fgvc-aircraft-2013b/data/images/*.jpg"),
        train="trainval",
    ),
    "Flowers102": Layout(("flowers-102/*.mat", "flowers-102/jpg/*.jpg")),
    "Food101": Layout(("food-101/meta/*.json", "food-101/images/*/*.jpg")),
    "STL10": Layout(("stl10_binary/*_[Xy].bin", "stl10_binary/class_names.txt")),
    "SVHN": Layout(("train_32x32.mat", "test_32x32.mat")),
}

IDX = {
    "FashionMNIST": ("FashionMNIST/raw", "fashion-mnist"),
    "KMNIST": ("KMNIST/raw", "kmnist"),
    "MNIST": ("MNIST/raw", "mnist"),
}
"""Those in MNIST's own format, and the folders that hold the files, unpacked or as .gz."""

IDX_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


def torchvision_files(name: str, root: Path | None) -> dict[str, Path]:
    """The files of one of torchvision's datasets: where each lies, by its name below the root.

    A file of MNIST's format has the name that it has unpacked, wherever and however it lies.

    Raises DataError where something is missing, saying where it was looked for and how to get it.
    """
    if name not in IDX and name not in TORCHVISION:
        known = [*IDX, *TORCHVISION]
        raise DataError(
            f"torchvision:{name} is not read here{closest(name, known)} "
            "(images in folders of any other are, as folder:PATH)"
        )
    if root is None:
        raise DataError(f"torchvision:{name} lies below a root folder: give --data or GENTEX_DATA")
    found: dict[str, Path] = {}
    if name in IDX:
        for stem in (stem for stems in IDX_FILES.values() for stem in stems):
            places = [f"{folder}/{stem}{gz}" for folder in IDX[name] for gz in ("", ".gz")]
            found[stem] = _first(name, root, places)[0]
    else:
        for pattern in TORCHVISION[name].files:
            paths = _first(name, root, [pattern])
            found |= {path.relative_to(root).as_posix(): path for path in paths}
    return found


def _first(name: str, root: Path, patterns: list[str]) -> list[Path]:
    for pattern in patterns:
        if paths := sorted(path for path in root.glob(pattern) if path.is_file()):
            return paths
    raise DataError(
        f"torchvision:{name}: no {' or '.join(patterns)} below {root.absolute()}; is --data or "
        "GENTEX_DATA another folder? The option download=true fetches the files from where "
        f"torchvision knows them, as does torchvision.datasets.{name}(root, download=True)"
    )
