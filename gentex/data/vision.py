"""The dataset `torchvision:NAME`: torchvision's data sets, from the files that are there."""

from __future__ import annotations

import contextlib
import inspect
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gentex.data.dataset import Dataset
from gentex.data.files import IDX, IDX_FILES, SPLITS, TORCHVISION, check_split, torchvision_files
from gentex.data.idx import read_idx
from gentex.data.reading import common_shape, from_arrays, from_files, headers
from gentex.errors import DataError

_FASHION = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
_KUZUSHIJI = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
_CLASSES = {"FashionMNIST": _FASHION, "KMNIST": _KUZUSHIJI, "MNIST": tuple("0123456789")}


def torchvision(
    *,
    split: str,
    argument: str,
    root: Path | None,
    size: int | None = None,
    channels: int | None = None,
    download: bool = False,
) -> Dataset:
    """One of torchvision's data sets: MNIST, FashionMNIST, KMNIST, CIFAR10, CIFAR100, CelebA, DTD,
    FGVCAircraft, Flowers102, Food101, STL10 or SVHN.

    root: the folder that torchvision calls `root`. MNIST and its likes may also lie as `.gz` files
        in `mnist/`, `fashion-mnist/` or `kmnist/`.
    size: the side to which they are centre-cropped and resized; None for their own, if it is one.
    channels: 1 or 3; None for their own.
    download: let torchvision fetch what is missing.

    Splits are the published ones, of DTD the first of ten, of FGVCAircraft train and validation
    together as train; CelebA has no classes here.

    Raises DataError for a name that is not known, and for files that are missing or damaged.
    """
    check_split("torchvision", split)
    if download:
        _fetch(argument, root)
    found = torchvision_files(argument, root)
    assert root is not None  # torchvision_files would have raised
    name = f"torchvision:{argument}"
    if argument in IDX:
        pixels, numbers = (found[stem] for stem in IDX_FILES[split])
        images, labels = read_idx(pixels, 3).unsqueeze(1), read_idx(numbers, 1)
        if len(images) != len(labels):
            raise DataError(f"{name}: {len(images)} images but {len(labels)} labels in the files")
        known = _CLASSES[argument]
        return from_arrays(name, split, images, labels, size=size, channels=channels, classes=known)

    data = _ask(argument, root, split, download=False)
    classes = [str(label) for label in getattr(data, "classes", ())]
    if hasattr(data, "data"):
        images, labels = _arrays(data)
        classes = classes or [str(i) for i in range(int(labels.max()) + 1)]
        return from_arrays(
            name, split, images, labels, size=size, channels=channels, classes=classes
        )
    paths, targets = _files(data, root)
    shapes = headers(paths)
    image = common_shape(name, shapes, size=size, channels=3 if channels is None else channels)
    crop = size is not None
    return from_files(
        name, split, paths, shapes, image, targets, crop=crop, classes=classes, base=root
    )


def _fetch(name: str, root: Path | None) -> None:
    """Have torchvision download a set that is not there, and unpack one that is."""
    if root is None or name not in {*IDX, *TORCHVISION}:
        return  # what is wrong with that is said where the files are looked for
    if name in IDX:
        with contextlib.suppress(DataError):
            torchvision_files(name, root)
            return  # they may lie where torchvision would not see them
    for split in SPLITS:
        _ask(name, root, split, download=True)


def _ask(name: str, root: Path, split: str, *, download: bool) -> Any:
    """The data set object of torchvision, whose errors are told as DataError."""
    import torchvision.datasets  # takes a second, and MNIST does without

    cls = getattr(torchvision.datasets, name)
    layout = TORCHVISION.get(name)
    asked: dict[str, Any] = {"train": split == "train"}
    if layout is not None:
        asked = {layout.keyword: layout.train if split == "train" else layout.test}
    if "loader" in inspect.signature(cls).parameters:
        asked["loader"] = Path  # items are then (path, label): the images are decoded here
    try:
        return cls(root, download=download, **asked)
    except (RuntimeError, OSError, ValueError, ImportError) as error:
        raise DataError(f"torchvision:{name} below {root.absolute()}: {error}") from error


def _arrays(data: Any) -> tuple[Tensor, Tensor]:
    """Of a set that torchvision holds in memory: images (N, C, H, W) and labels (N,)."""
    images = torch.as_tensor(data.data)
    if images.shape[-1] == 3:
        images = images.permute(0, 3, 1, 2)
    labels = data.targets if hasattr(data, "targets") else data.labels
    return images.contiguous(), torch.as_tensor(labels, dtype=torch.int64)


def _files(data: Any, root: Path) -> tuple[list[Path], list[int] | None]:
    """Of a set of image files: the files, and the labels if it has any."""
    if hasattr(data, "filename"):  # CelebA, which takes no loader
        folder = root / data.base_folder / "img_align_celeba"
        return [folder / name for name in data.filename], None
    items = [data[i] for i in range(len(data))]
    return [path for path, _ in items], [int(label) for _, label in items]
