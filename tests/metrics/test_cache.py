"""Features of real images are kept: the same bits, and nothing stale or damaged passes for them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from gentex import Encoder, ImageShape
from gentex.metrics.features import FeatureSpace, random_conv
from gentex.metrics.features.cache import PROBE, cached_features

SHAPE = ImageShape(1, 6, 5)


class Counting(Encoder):
    """The pixels times a factor, and how many images it was asked about."""

    dim = 30

    def __init__(self, factor: float = 1 / 3, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.factor, self.dtype, self.seen = factor, dtype, 0

    def encode(self, images: Tensor) -> Tensor:
        self.seen += len(images)
        return images.flatten(1).to(self.dtype) * self.factor


def images(n: int = 20, seed: int = 0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(256, (n, *SHAPE), generator=rng, dtype=torch.uint8)


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return len(one) == len(other) and all(map(torch.equal, one, other))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_the_same_bits_with_and_without(tmp_path: Path, dtype: torch.dtype) -> None:
    space = FeatureSpace("two", (Counting(dtype=dtype), Counting(factor=0.7, dtype=dtype)))
    plain = space.features(images())
    for _ in range(2):
        kept = cached_features(space, images(), tmp_path / "cache")
        assert same(kept, plain)
        assert all(features.dtype == torch.float64 for features in kept)
    assert same(cached_features(space, images(), None), plain)


def test_random_conv_is_kept(tmp_path: Path) -> None:
    space = random_conv(SHAPE)
    plain = space.features(images())
    assert all(same(cached_features(space, images(), tmp_path), plain) for _ in range(2))
    assert len(list(tmp_path.iterdir())) == 1, "one file, and nothing half-written"


def test_computed_once(tmp_path: Path) -> None:
    first, second = Counting(), Counting()
    cached_features(FeatureSpace("one", (first,)), images(), tmp_path)
    cached_features(FeatureSpace("one", (second,)), images(), tmp_path)
    assert (first.seen, second.seen) == (PROBE + 20, PROBE)


@pytest.mark.parametrize("n", [1, PROBE - 1, PROBE])
def test_no_more_images_than_the_probe(tmp_path: Path, n: int) -> None:
    space = FeatureSpace("one", (Counting(),))
    assert all(
        same(cached_features(space, images(n), tmp_path), space.features(images(n)))
        for _ in range(2)
    )


def test_other_images_and_spaces_are_kept_apart(tmp_path: Path) -> None:
    some = images()
    for name, given in (
        ("a", some),
        ("b", some),
        ("a", some[:19]),
        ("a", images(seed=1)),
        ("a", some.view(20, 1, 5, 6)),
        ("a", some.flip(0)),
    ):
        encoder = Counting()
        cached_features(FeatureSpace(name, (encoder,)), given, tmp_path)
        assert encoder.seen == PROBE + len(given)
    assert len(list(tmp_path.iterdir())) == 6


def test_an_encoder_that_changed_under_its_name(tmp_path: Path) -> None:
    for factor in (1.0, 2.0, 1.0):
        space = FeatureSpace("one", (Counting(factor),))
        assert same(cached_features(space, images(), tmp_path), space.features(images()))
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: b"not a file of tensors" * 40,
        lambda content: content[:-7],
        lambda content: content[:-7] + bytes([content[-7] ^ 1]) + content[-6:],
        lambda content: content[:200] + bytes(len(content) - 200),
    ],
    ids=["empty", "other", "cut", "one bit", "zeros"],
)
def test_damaged_files_are_written_anew(tmp_path: Path, damage) -> None:
    space = FeatureSpace("one", (Counting(),))
    plain = cached_features(space, images(), tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    assert same(cached_features(space, images(), tmp_path), plain)
    again = Counting()
    assert same(cached_features(FeatureSpace("one", (again,)), images(), tmp_path), plain)
    assert again.seen == PROBE


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    space = FeatureSpace("one", (Counting(),))
    kept = cached_features(space, images(), tmp_path / "file" / "cache")
    assert same(kept, space.features(images()))
