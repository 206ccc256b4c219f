"""The dataset `folder:PATH`: any folder of images."""

from __future__ import annotations

from pathlib import Path

from gentex.data.dataset import Dataset
from gentex.data.files import check_split, find_folder, image_files
from gentex.data.reading import common_shape, from_files, headers
from gentex.errors import DataError


def folder(
    *,
    split: str,
    argument: str,
    root: Path | None,
    size: int | None = 64,
    channels: int | None = None,
    held_out: str = "",
) -> Dataset:
    """The images in a folder and below, centre-cropped to squares and resized.

    argument: the folder; a relative path is looked for below `root`, then in the working directory.
    size: the side in pixels; None keeps the images as they are, if all have one size.
    channels: 1 or 3; None for 3 if any image in the folder has colour, else 1.
    held_out: a shell pattern; the files whose path relative to the folder fits it are the test
        split, such as "*scale_[789]_*" where names say what images have in common.

    Splits are the sub-folders `train` and `test` (or `val`, where there is no `test`) if there are
    both. Otherwise they are what `held_out` says; without it, one file in five is held out, drawn
    by a hash of its path relative to the folder: the split of a file never changes when others come
    or go.

    Classes are the sub-folders at the top (of each split), sorted by name; there are none where
    any image lies outside of them.

    Files that cannot be read are listed in `skipped`, with the reason. Nothing is ever written to
    the folder. Up to 1 GiB of pixels (at `size`, one byte a channel) are held in memory. Beyond
    that the files are decoded when they are asked for, by worker processes; only their headers are
    verified beforehand, and the rule for one that turns out broken is that of `FileDataset`.

    Raises DataError for a folder that is missing or without a readable image in the split.
    """
    check_split("folder", split)
    where = find_folder("folder", argument, root)
    name = f"folder:{argument}"
    files = image_files(where, held_out)
    shapes = headers([file.path for file in files])
    image = common_shape(name, shapes, size=size, channels=channels)
    groups = sorted({file.group for file in files})
    classes = [] if "" in groups else groups
    mine = [i for i, file in enumerate(files) if file.split == split]
    if not mine:
        drawn = f"what fits {held_out!r}" if held_out else "drawn by a hash of the path"
        raise DataError(
            f"{name}: none of {len(files)} images falls in the {split} split; test is {drawn}, "
            "or sub-folders train/ and test/ say which is which"
        )
    return from_files(
        name,
        split,
        [files[i].path for i in mine],
        [shapes[i] for i in mine],
        image,
        [classes.index(files[i].group) for i in mine] if classes else None,
        crop=size is not None,
        classes=classes,
        base=where,
    )
