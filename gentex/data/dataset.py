"""A dataset: a named source of images with splits, classes or layers, and a content fingerprint."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from gentex.errors import DataError
from gentex.interfaces import Batch, ImageShape


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that could not be read, and why; it is counted, and the run goes on."""

    path: str
    reason: str


class Dataset(ABC):
    """Items by index, a batch at a time.

    name, split: what it was asked for.
    image: the shape of every image.
    classes: names of the classes, by label; empty where there are none.
    skipped: files left out, with the reason.
    resize: how images were brought to this shape; empty where none was resized.
    """

    def __init__(
        self,
        name: str,
        split: str,
        image: ImageShape,
        *,
        classes: Sequence[str] = (),
        skipped: Sequence[Skipped] = (),
        resize: str = "",
    ) -> None:
        self.name = name
        self.split = split
        self.image = image
        self.classes = tuple(classes)
        self.skipped = tuple(skipped)
        self.resize = resize

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def batch(self, indices: Sequence[int] | Tensor) -> Batch:
        """The items at `indices`, images float in [0, 1]; the same indices give the same batch."""

    @property
    def workers(self) -> bool:
        """Whether `batch` is slow enough (decoding files) to be called in worker processes."""
        return False

    def to(self, device: torch.device | str) -> Self:
        """The same dataset with what it holds in memory on `device`."""
        return self

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} {self.split}: {len(self)} × {self.image}>"


class MemoryDataset(Dataset):
    """Images held in memory as uint8 (N, C, H, W), with labels (N,); batched where they lie."""

    def __init__(
        self,
        name: str,
        split: str,
        images: Tensor,
        labels: Tensor | None = None,
        *,
        classes: Sequence[str] = (),
        skipped: Sequence[Skipped] = (),
        resize: str = "",
    ) -> None:
        if images.dtype != torch.uint8 or images.ndim != 4:
            raise ValueError(f"uint8 (N, C, H, W) images wanted, got {images.dtype} {images.shape}")
        image = ImageShape(*images.shape[1:])
        super().__init__(name, split, image, classes=classes, skipped=skipped, resize=resize)
        self.images = images
        self.labels = None if labels is None else labels.to(torch.int64)

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, indices: Sequence[int] | Tensor) -> Batch:
        index = torch.as_tensor(indices, device=self.images.device)
        images = self.images[index].to(torch.float32).div_(255)
        return Batch(images, None if self.labels is None else self.labels[index])

    def to(self, device: torch.device | str) -> Self:
        moved = type(self).__new__(type(self))
        moved.__dict__.update(self.__dict__)
        moved.images = self.images.to(device)
        moved.labels = None if self.labels is None else self.labels.to(device)
        return moved


class FileDataset(Dataset):
    """Images decoded when they are asked for, for sets larger than memory should hold.

    decode: path -> uint8 (C, H, W), or DataError. It is called in worker processes, so that it must
        be picklable.

    A file that turns out broken, or breaks during the run, does not end it: the next one in the
    list that can be read stands in for it, with its own label, and `replaced` names the file.
    """

    PATIENCE = 100
    """So many files in a row that cannot be read are no longer a blemish, but a lost disk."""

    def __init__(
        self,
        name: str,
        split: str,
        image: ImageShape,
        paths: Sequence[str],
        decode: Callable[[str], Tensor],
        labels: Sequence[int] | None = None,
        *,
        classes: Sequence[str] = (),
        skipped: Sequence[Skipped] = (),
        resize: str = "",
    ) -> None:
        super().__init__(name, split, image, classes=classes, skipped=skipped, resize=resize)
        self.paths = tuple(paths)
        self.decode = decode
        self.labels = None if labels is None else torch.as_tensor(labels, dtype=torch.int64)
        # In shared memory, so that what a worker process finds is known to all.
        self._broken = torch.zeros(len(self.paths), dtype=torch.bool).share_memory_()

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def workers(self) -> bool:
        return True

    @property
    def replaced(self) -> tuple[str, ...]:
        """The files met so far that could not be read, for which another stood in."""
        return tuple(self.paths[i] for i in self._broken.nonzero().flatten().tolist())

    def batch(self, indices: Sequence[int] | Tensor) -> Batch:
        rows = [self._readable(index) for index in torch.as_tensor(indices).tolist()]
        images = torch.stack([image for _, image in rows])
        taken = torch.tensor([index for index, _ in rows])
        labels = None if self.labels is None else self.labels[taken]
        return Batch(images.to(torch.float32).div_(255), labels)

    def _readable(self, index: int) -> tuple[int, Tensor]:
        """The image at `index`, or the next that can be read, and where that is."""
        index %= len(self)
        tries = min(self.PATIENCE, len(self))
        for at in ((index + offset) % len(self) for offset in range(tries)):
            try:
                return at, self.decode(self.paths[at])
            except DataError as error:
                self._broken[at] = True
                reason = str(error)
        raise DataError(
            f"{self.name}: none of {tries} files in a row can be read, the last of them because: "
            f"{reason}"
        )
