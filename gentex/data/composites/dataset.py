"""`composites`: images whose structure and texture are known, apart by source in train and test.

| | train | test |
| --- | --- | --- |
| structure families | dead-leaves, ramps, islands, polygons, mondrian, coasts, contours, stars, \
kuwahara-cartoons | voronoi, discs-and-curves, segment-cartoons |
| made into cartoons | astronaut, camera, coins, retina, rocket | chelsea, coffee, motorcycle_left |
| texture families | gabor, fbm, periodic, stripes, mottle, worley, grains, speckle, hatch, \
tiling | woven, reaction-diffusion, flow |
| texture photographs | hubble_deep_field, ihc, moon, page, text, folders of one's own | brick, \
grass, gravel |

Nothing is in both columns, whichever layer it serves.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import torch
from torch import Tensor

from gentex.data.composites import bank as banks
from gentex.data.composites.bank import Bank
from gentex.data.composites.compose import compose
from gentex.data.composites.draws import Draws
from gentex.data.composites.fingerprint import LEVELS, parse
from gentex.data.composites.sources import folder_textures, photographs
from gentex.data.composites.structures import STRUCTURES
from gentex.data.composites.textures import TEXTURES
from gentex.data.dataset import Dataset, Skipped
from gentex.data.files import check_split, find_folder
from gentex.errors import DataError, unknown
from gentex.interfaces import Batch, ImageShape

TEST_LENGTH = 60
TRAIN_LENGTH = 1_000_000
_TEST_SEED = 20_000


class Level(NamedTuple):
    """How hard the layers are to tell apart.

    amplitude: range of the texture's root mean square; the image's range is 1.
    scale: range of the sigma (px) of the high-pass that textures have gone through; structures have
        details from about 3 px on at every level.
    """

    amplitude: tuple[float, float]
    scale: tuple[float, float]


DIFFICULTY = {
    "easy": Level(amplitude=(0.03, 0.06), scale=(1.0, 2.0)),
    "medium": Level(amplitude=(0.05, 0.09), scale=(2.0, 4.0)),
    "hard": Level(amplitude=(0.08, 0.12), scale=(4.0, 7.0)),
}


class Composites(Dataset):
    """Composites of one split and level: item i is a function of the seed and i alone.

    sources: the texture source of every test item, over which results are averaged; () in training.
    families: the structure family of every test item; () in training.
    """

    def __init__(
        self,
        split: str,
        image: ImageShape,
        level: Level,
        bank: Bank,
        *,
        seed: int = 0,
        sources: Sequence[str] = (),
        families: Sequence[str] = (),
        skipped: Sequence[Skipped] = (),
    ) -> None:
        super().__init__("composites", split, image, skipped=skipped)
        self.level, self.seed, self._bank = level, seed, bank
        self.sources, self.families = tuple(sources), tuple(families)

    def __len__(self) -> int:
        return len(self.sources) or TRAIN_LENGTH

    def batch(self, indices: Sequence[int] | Tensor) -> Batch:
        """Images with `layers`; `images == structure + texture` in float32, bit for bit."""
        index = torch.as_tensor(indices, dtype=torch.int64)
        draw = Draws(self.seed, index, self._bank.textures.device)
        parts = self._test_parts(index) if self.sources else self._train_parts(draw)
        layers = compose(*parts, self.level.amplitude, draw)
        return Batch(layers.image, layers=layers)

    def to(self, device: torch.device | str) -> Self:
        moved = type(self).__new__(type(self))
        moved.__dict__.update(self.__dict__)
        moved._bank = self._bank.to(device)
        return moved

    def _test_parts(self, index: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        pairs = self._bank.textures.unflatten(0, (-1, 2)).transpose(0, 1)
        index = index.to(pairs.device)
        return (
            self._bank.structures[index].float(),
            pairs[:, index].float(),
            self._bank.regions[index].float(),
        )

    def _train_parts(self, draw: Draws) -> tuple[Tensor, Tensor, Tensor]:
        _, h, w = self.image
        structures, textures, regions = self._bank
        structure = _recoloured(
            banks.windows(structures, draw.integers(len(structures)), draw, h, w, magnify=1.6), draw
        )
        first = banks.windows(textures, draw.integers(len(textures)), draw, h, w)
        second = banks.windows(textures, draw.integers(len(textures)), draw, h, w)
        region = banks.windows(regions, draw.integers(len(regions)), draw, h, w)
        return structure, torch.stack([first, second]), region


def composites(
    *,
    split: str,
    argument: str = "",
    root: Path | None = None,
    size: int | tuple[int, int] = 64,
    channels: int = 3,
    level: str = "medium",
    textures: str | Sequence[str | Path] = (),
    amplitude: tuple[float, float] | None = None,
    scale: tuple[float, float] | None = None,
    seed: int = 0,
) -> Composites:
    """Composites: 60 images a level to test on, and a million to train on, made as they are asked.

    argument: `LEVEL+FOLDER+FOLDER...`, each of which may be left out; as `level` and `textures`,
        but part of the dataset's name and so of its fingerprint.
    root: what relative texture folders lie in.
    size: height and width in px, or one number for both.
    level: "easy", "medium" or "hard": see `DIFFICULTY`.
    textures: folders of photographs that training takes textures from besides its own, as paths or
        as "folder:PATH,PATH". No file of theirs is used in the test split, and test photographs
        among them are skipped.
    amplitude, scale: sweeps; ranges to use in place of the level's.
    seed: of the training split. Test images are the same for every seed, and their structures the
        same at every level, so that levels can be compared image by image.

    Raises DataError for a split, level, size, range or folder that will not do.
    """
    named, folders = parse(argument)
    level = named or level
    if level not in DIFFICULTY:
        raise unknown("level of composites", level, LEVELS)
    check_split("composites", split)
    image = _shape(size, channels)
    chosen = Level(
        _range("amplitude", amplitude or DIFFICULTY[level].amplitude, 0.001, 0.3),
        _range("scale", scale or DIFFICULTY[level].scale, 0.5, min(image[1:]) / 2),
    )
    if split == "test":
        return _test(image, chosen)
    if isinstance(textures, str):
        textures = textures.removeprefix("folder:").split(",") if textures else ()
    return _train(
        image,
        chosen,
        [find_folder("composites", str(path), root) for path in (*folders, *textures)],
        seed,
    )


def _test(image: ImageShape, level: Level) -> Composites:
    channels, h, w = image
    rng = torch.Generator().manual_seed(_TEST_SEED)
    pictures = photographs("test", "texture")
    names = [*pictures, *TEXTURES["test"]]
    kinds = [*STRUCTURES["test"]]
    # Sources change fastest, so that each meets every family of structures.
    sources = [names[i % len(names)] for i in range(TEST_LENGTH)]
    families = [kinds[i // len(names) % len(kinds)] for i in range(TEST_LENGTH)]
    pairs = [source for source in sources for _ in range(2)]
    bank = Bank(
        banks.structures("test", families, h, w, channels, rng),
        banks.textures("test", pairs, pictures, level.scale, h, w, rng),
        banks.regions(TEST_LENGTH, h, w, rng),
    )
    return Composites(
        "test", image, level, bank, seed=_TEST_SEED, sources=sources, families=families
    )


def _train(image: ImageShape, level: Level, folders: Sequence[Path], seed: int) -> Composites:
    channels, h, w = image
    rng = torch.Generator().manual_seed(seed)
    pictures = photographs("train", "texture")
    own, skipped = folder_textures(folders) if folders else ({}, [])
    pictures |= own
    side = banks.reach(h, w)
    wide = math.ceil(1.7 * side)
    order = torch.randperm(len(pictures), generator=rng).tolist()
    names = [[*pictures][i] for i in order]
    # Photographs make two thirds of the textures where there are many, a fifth where few.
    real = _count(side, 16, 128, 2048) if own else _count(side, 2, 32, 192)
    bank = Bank(
        banks.structures(
            "train",
            _cycled(STRUCTURES["train"], _count(wide, 8, 40, 384)),
            wide,
            wide,
            channels,
            rng,
        ),
        banks.textures(
            "train",
            _cycled(names, real) + _cycled(TEXTURES["train"], _count(side, 8, 120, 960)),
            pictures,
            level.scale,
            side,
            side,
            rng,
        ),
        banks.regions(64, side, side, rng),
    )
    return Composites("train", image, level, bank, seed=seed, skipped=skipped)


def _recoloured(structure: Tensor, draw: Draws) -> Tensor:
    """Structures with light and dark exchanged in half of them, and channels in any order."""
    inverted, order = draw() < 0.5, draw.integers(6)
    structure = torch.where(inverted[:, None, None, None], 1 - structure, structure)
    if structure.shape[1] == 1:
        return structure
    orders = torch.tensor([*itertools.permutations(range(3))], device=structure.device)
    return structure.gather(1, orders[order][:, :, None, None].expand_as(structure))


def _cycled(names: Iterable[str], count: int) -> list[str]:
    return [*itertools.islice(itertools.cycle(names), count)]


def _count(side: int, megapixels: int, least: int, most: int) -> int:
    """How many squares of that side a bank holds: so many that it is made within seconds."""
    return min(most, max(least, (megapixels << 20) // side**2))


def _shape(size: int | tuple[int, int], channels: int) -> ImageShape:
    h, w = (size, size) if isinstance(size, int) else size
    if min(h, w) < 16:
        raise DataError(f"composites of {h}×{w} px: at least 16×16 is wanted")
    if channels not in (1, 3):
        raise DataError(f"composites with {channels} channels: 1 or 3 is wanted")
    return ImageShape(channels, h, w)


def _range(name: str, values: tuple[float, float], low: float, high: float) -> tuple[float, float]:
    first, last = values
    if not low <= first <= last <= high:
        raise DataError(
            f"{name}=({first:g}, {last:g}): a range (low, high) within [{low:g}, {high:g}] is meant"
        )
    return first, last
