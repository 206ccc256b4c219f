"""Patches of the packaged photographs: where they are cut, and that train never sees test."""

import hashlib
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gentex.data import photos
from gentex.data.files import PHOTOS, packaged_photos
from gentex.data.fingerprints import VERSIONS
from gentex.data.photos import PATCHES, photo_textures, positions, regions
from gentex.errors import DataError


def load(split, **options):
    return photo_textures(split=split, argument="", root=None, **options)


def test_the_default_is_grey_patches_in_balanced_classes():
    for split, count in PATCHES.items():
        dataset = load(split)
        assert dataset.image == (1, 32, 32)
        assert len(dataset.classes) == len(PHOTOS) == 12
        assert {"brick", "grass", "gravel"} < set(dataset.classes)
        assert torch.bincount(dataset.labels).tolist() == [count] * 12
    assert len(load("train")) == 4608
    assert len(load("test")) == 1152


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
@pytest.mark.parametrize("split", PATCHES)
def test_patches_are_pixels_of_their_photograph(split, channels, mode):
    dataset = load(split, channels=channels)
    for label, path in enumerate(packaged_photos()):
        with Image.open(path) as photo:
            if photo.mode == "L" and "icc_profile" in photo.info:
                continue  # the page, whose grey levels are printer's dots: not for Pillow alone
            whole = np.asarray(photo.convert(mode))
        height, width = whole.shape[:2]
        patches = dataset.images[dataset.labels == label].permute(0, 2, 3, 1).numpy()
        places = positions(height, width, 32, split)
        for patch, (y, x) in zip(patches, places, strict=True):
            np.testing.assert_array_equal(patch.squeeze(), whole[y : y + 32, x : x + 32])


@pytest.mark.parametrize("size", [8, 32, 64])
def test_no_pixel_is_in_both_splits(monkeypatch, size):
    """Every pixel is replaced by its own number, written in three bytes."""

    def numbered(path, channels):
        with Image.open(path) as photo:
            width, height = photo.size
        numbers = torch.arange(height * width).view(height, width)
        return torch.stack([numbers >> 16, numbers >> 8 & 255, numbers & 255]).to(torch.uint8)

    monkeypatch.setattr(photos, "read_image", numbered)
    used = {}
    for split in PATCHES:
        dataset = load(split, size=size, channels=3)
        high, middle, low = dataset.images.long().unbind(1)
        numbers = (dataset.labels.view(-1, 1, 1) << 20) + (high << 16) + (middle << 8) + low
        assert len(numbers[:, 0, 0].unique()) == len(numbers)  # no patch twice
        used[split] = torch.zeros(12 << 20, dtype=torch.bool)
        used[split][numbers] = True
        assert used[split].sum() > 50_000
    assert not (used["train"] & used["test"]).any()


@given(st.integers(1, 400), st.integers(0, 1200))
def test_regions(size, more):
    length = 2 * size + more
    cut = regions(length, size)
    spans = sorted((s.start, s.stop, split) for split, part in cut.items() for s in part)
    assert spans[0][0] >= 0
    assert spans[-1][1] <= length
    assert all(stop - start >= size for start, stop, _ in spans)
    for (_, stop, split), (start, _, next_split) in itertools.pairwise(spans):
        assert split != next_split
        assert start - stop >= min(size, length - 2 * size)
    parts = {split: sum(map(len, part)) / length for split, part in cut.items()}
    if length >= 12 * size:
        assert len(cut["test"]) == 2
        assert 0.2 <= parts["test"] <= 0.3
        assert parts["train"] >= 0.4


@given(st.integers(64, 300), st.integers(64, 300), st.integers(1, 32))
def test_positions_lie_in_the_region_and_cover_it(height, width, size):
    long = max(height, width)
    for split, count in PATCHES.items():
        places = list(positions(height, width, size, split))
        assert len(set(places)) == len(places) <= count
        spans = regions(long, size)[split]
        along = [place[0 if height >= width else 1] for place in places]
        across = [place[1 if height >= width else 0] for place in places]
        assert all(any(s.start <= a <= s.stop - size for s in spans) for a in along)
        room = min(height, width) - size
        assert 0 <= min(across) <= 0.1 * room + 1
        assert 0.9 * room - 1 <= max(across) <= room


def test_larger_and_smaller_patches():
    assert load("train", size=128).image == (1, 128, 128)
    assert load("test", size=8, channels=3).image == (3, 8, 8)
    for wrong in (173, 1000):
        with pytest.raises(DataError, match=f"size={wrong} is more than .* can give"):
            load("train", size=wrong)
    with pytest.raises(DataError, match="size=0"):
        load("train", size=0)
    with pytest.raises(DataError, match="no split 'val'"):
        load("val")


def test_a_change_of_the_geometry_changes_the_version():
    """Whoever changes what is cut raises VERSIONS, and then the hash here."""
    cut = [
        list(positions(height, width, size, split))
        for height, width in ((512, 512), (300, 451), (172, 448))
        for size in (32, 64)
        for split in PATCHES
    ]
    found = hashlib.sha256(repr((PHOTOS, cut)).encode()).hexdigest()[:16]
    assert (VERSIONS["photo-textures"], found) == (1, "1424c7b8472235fb")
