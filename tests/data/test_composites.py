"""Composites: what training and testing share (nothing), exactness, purity, and errors."""

from __future__ import annotations

import hashlib
import itertools
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from gentex.data import batches, read_image
from gentex.data.composites.bank import Bank, reach, windows
from gentex.data.composites.compose import HEADROOM, compose
from gentex.data.composites.dataset import DIFFICULTY, Composites, composites
from gentex.data.composites.draws import Draws
from gentex.data.composites.fields import blurred
from gentex.data.composites.fingerprint import (
    LEVELS,
    PHOTOGRAPHS,
    fingerprint,
    parse,
    photograph_paths,
)
from gentex.data.composites.sources import folder_textures, photographs
from gentex.data.composites.structures import STRUCTURES
from gentex.data.composites.textures import TEXTURES
from gentex.errors import DataError, UnknownNameError

SIZE = 24


@pytest.fixture(scope="module", autouse=True)
def small_banks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gentex.data.composites.dataset._count", lambda *_: 60)
        yield


@pytest.fixture(scope="module")
def train() -> Composites:
    return composites(split="train", size=SIZE, seed=3)


@pytest.fixture(scope="module")
def tests() -> dict[str, Composites]:
    return {level: composites(split="test", size=32, level=level) for level in LEVELS}


def test_no_family_and_no_photograph_is_in_both_splits() -> None:
    for table in (STRUCTURES, TEXTURES):
        train, test = table["train"], table["test"]
        assert set(table) == {"train", "test"}
        assert not train.keys() & test.keys()
        codes = [{function.__code__ for function in split.values()} for split in (train, test)]
        assert not codes[0] & codes[1]
        assert len(codes[0]) == len(train)
    files = {
        split: [path for names in layers.values() for path in photograph_paths(names)]
        for split, layers in PHOTOGRAPHS.items()
    }
    assert not {p.name for p in files["train"]} & {p.name for p in files["test"]}
    digests = {
        split: {hashlib.sha256(read_image(p).numpy().tobytes()).digest() for p in paths}
        for split, paths in files.items()
    }
    assert not digests["train"] & digests["test"]
    assert {p.stem for p in photograph_paths(PHOTOGRAPHS["test"]["texture"])} == {
        "brick",
        "grass",
        "gravel",
    }


def test_datasets_use_what_the_tables_say(
    monkeypatch: pytest.MonkeyPatch, tests: dict[str, Composites]
) -> None:
    asked: list[tuple[str, str]] = []
    kinds = {"structures": set[str](), "textures": set[str]()}

    def noted(split: str, layer: str) -> dict[str, Tensor]:
        asked.append((split, layer))
        return photographs(split, layer)

    def recorded(kind: str):  # type: ignore[no-untyped-def]  # stands in for two signatures
        def make(split: str, names: list[str], *rest: object) -> Tensor:
            kinds[kind] |= {*names}
            assert split == "train"
            return torch.zeros(len(names), 3 if kind == "structures" else 1, 75, 75).half()

        return make

    module = "gentex.data.composites.dataset"
    monkeypatch.setattr(f"{module}.photographs", noted)
    for kind in kinds:
        monkeypatch.setattr(f"{module}.banks.{kind}", recorded(kind))
    composites(split="train", size=SIZE)
    assert asked == [("train", "texture")]
    assert kinds["structures"] == {*STRUCTURES["train"]}
    stems = {name.partition(".")[0] for name in PHOTOGRAPHS["train"]["texture"]}
    assert kinds["textures"] == {*TEXTURES["train"]} | stems
    used = tests["easy"]
    assert not {*used.sources} & kinds["textures"]
    assert not {*used.families} & kinds["structures"]


def test_every_test_source_counts_alike_and_meets_every_family(
    tests: dict[str, Composites],
) -> None:
    for dataset in tests.values():
        assert len(dataset) == len(dataset.sources) == len(dataset.families) == 60
        assert set(dataset.sources) == {"brick", "grass", "gravel", *TEXTURES["test"]}
        assert {dataset.sources.count(name) for name in dataset.sources} == {10}
        pairs = itertools.product(set(dataset.sources), STRUCTURES["test"])
        assert set(zip(dataset.sources, dataset.families, strict=True)) == set(pairs)


@pytest.mark.parametrize("split", ["train", "test"])
def test_layers_add_up_exactly_and_nothing_is_clipped(
    split: str, train: Composites, tests: dict[str, Composites]
) -> None:
    for dataset in [train] if split == "train" else tests.values():
        batch = dataset.batch(range(60))
        assert batch.layers is not None
        structure, texture = batch.layers
        assert torch.equal(batch.images, structure + texture)
        assert batch.images.dtype == torch.float32
        assert batch.images.shape == (60, *dataset.image)
        assert batch.images.min() >= 0
        assert batch.images.max() <= 1
        # Clipped values would pile up at the ends.
        assert ((batch.images < 1e-9) | (batch.images > 1 - 1e-9)).float().mean() < 1e-3
        assert texture.mean((2, 3)).abs().max() < 1e-5
        assert texture.abs().max() <= HEADROOM * (1 + 1e-6)
        assert (texture.square().mean((1, 2, 3)).sqrt() > 0.002).all()
        assert (structure.std((1, 2, 3)) > 0.002).float().mean() > 0.9


@given(
    seed=st.integers(0, 2**40),
    peaked=st.floats(0.2, 12),
    amplitude=st.floats(0.001, 0.3),
    channels=st.sampled_from([1, 3]),
)
def test_any_texture_leaves_the_sum_within_range(
    seed: int, peaked: float, amplitude: float, channels: int
) -> None:
    rng = torch.Generator().manual_seed(seed)
    n, h, w = 4, 12, 17
    structure = torch.rand(n, channels, h, w, generator=rng).round(decimals=1)
    fields = torch.randn(2, n, 1, h, w, generator=rng)
    fields = fields.sign() * fields.abs() ** peaked
    region = torch.randn(n, 1, h, w, generator=rng)
    draw = Draws(seed, torch.arange(n))
    layers = compose(structure, fields, region, (amplitude, amplitude), draw)
    image = layers.structure + layers.texture
    assert image.min() >= 0
    assert image.max() <= 1
    assert layers.texture.abs().max() <= HEADROOM * (1 + 1e-6)
    assert layers.texture.mean((2, 3)).abs().max() < 1e-5
    # The structure is compressed as a whole: its order and relative distances stay.
    flat, kept = structure.flatten(1).double(), layers.structure.flatten(1).double()
    for a, b in zip(flat, kept, strict=True):
        slope = (b.max() - b.min()) / (a.max() - a.min())
        assert 0.2 < slope <= 1
        assert torch.allclose(b - b.min(), slope * (a - a.min()), atol=1e-6)


def test_amplitude_is_the_root_mean_square_of_the_texture() -> None:
    n = 256
    rng = torch.Generator().manual_seed(0)
    structure, region = torch.rand(n, 3, 16, 16, generator=rng), torch.randn(n, 1, 16, 16)
    waves = torch.sin(torch.arange(16.0)).expand(2, n, 1, 16, 16)  # no peak to speak of
    draw = Draws(1, torch.arange(n))
    texture = compose(structure, waves, region, (0.05, 0.05), draw).texture
    rms = texture.square().mean((1, 2, 3)).sqrt()
    everywhere = (rms - 0.05).abs() < 1e-5
    assert 0.5 < everywhere.float().mean() < 0.95
    assert (rms < 0.06).all()  # where two regions meet, both add a little


@pytest.mark.parametrize("split", ["train", "test"])
def test_an_item_depends_on_seed_and_index_alone(
    split: str, train: Composites, tests: dict[str, Composites]
) -> None:
    dataset = train if split == "train" else tests["hard"]
    index = [7, 59, 0, 31] if split == "test" else [7, 999_999, 0, 123_456]
    together = dataset.batch(index)
    for place, i in enumerate(index):
        alone = dataset.batch(torch.tensor([i]))
        assert alone.layers is not None
        assert together.layers is not None
        assert torch.equal(alone.images[0], together.images[place])
        assert torch.equal(alone.layers.texture[0], together.layers.texture[place])
    again = composites(split=split, size=dataset.image.height, seed=3, level="hard")
    assert torch.equal(again.batch(index).images, together.images) == (split == "test")


def test_the_seed_makes_other_training_images_and_the_same_test_images(train: Composites) -> None:
    same, other = (composites(split="train", size=SIZE, seed=seed) for seed in (3, 4))
    assert torch.equal(same.batch([5]).images, train.batch([5]).images)
    assert not torch.equal(other.batch([5]).images, train.batch([5]).images)
    assert len(train) == 1_000_000
    many = train.batch(range(64)).images.flatten(1)
    assert torch.pdist(many).min() > 0.1
    first, second = (composites(split="test", size=16, seed=seed) for seed in (3, 4))
    assert torch.equal(first.batch([5]).images, second.batch([5]).images)


def test_levels_get_harder(tests: dict[str, Composites]) -> None:
    strength, slowness, structures = [], [], []
    for level in LEVELS:
        layers = tests[level].batch(range(60)).layers
        assert layers is not None
        strength.append(float(layers.texture.square().mean((1, 2, 3)).sqrt().mean()))
        slow = blurred(layers.texture, 1.5).square().mean((1, 2, 3))
        slowness.append(float((slow / layers.texture.square().mean((1, 2, 3))).mean()))
        structures.append(tests[level]._bank.structures)
    assert strength == sorted(strength)
    assert slowness == sorted(slowness)
    assert all(torch.equal(structures[0], other) for other in structures)
    assert [*DIFFICULTY] == [*LEVELS]


def test_textures_are_high_passed_at_the_stated_scale(train: Composites) -> None:
    high = composites(split="train", size=SIZE, scale=(1.0, 1.0))._bank.textures.float()
    assert high.mean((2, 3)).abs().max() < 0.01
    assert (high.square().mean((1, 2, 3)) - 1).abs().max() < 0.01
    assert blurred(high, 2.0).square().mean() < 0.02
    low = composites(split="train", size=SIZE, scale=(4.0, 4.0))._bank.textures.float()
    assert blurred(low, 2.0).square().mean() > 5 * blurred(high, 2.0).square().mean()


def test_draws_agree_with_splitmix64_in_plain_integers() -> None:
    mask, golden = (1 << 64) - 1, 0x9E3779B97F4A7C15

    def mixed(x: int) -> int:
        x = (x + golden) & mask
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
        return x ^ (x >> 31)

    indices = torch.tensor([0, 1, 999_999])
    draw = Draws(-5, indices)
    columns = [draw() for _ in range(3)]
    for row, index in enumerate(indices.tolist()):
        key = mixed(mixed(-5 & mask) ^ index)
        for column in range(3):
            bits = mixed((key + (column + 1) * golden) & mask)
            assert columns[column][row].item() == (bits >> 40) / (1 << 24)
    many = Draws(0, torch.arange(20_000))
    first, second = many(), many(2, 4)
    assert abs(first.mean() - 0.5) < 0.01
    assert abs(first.std() - math.sqrt(1 / 12)) < 0.01
    assert second.min() >= 2
    assert second.max() < 4
    assert abs(torch.corrcoef(torch.stack([first, second]))[0, 1]) < 0.03
    assert Draws(0, torch.arange(999)).integers(7).unique().tolist() == [*range(7)]


@pytest.mark.parametrize(("h", "w"), [(8, 8), (7, 8), (9, 5)])
def test_windows_keep_pixels_or_turn_them_freely(h: int, w: int) -> None:
    side = reach(h, w) + 4
    pixels = torch.arange(side * side, dtype=torch.float32).view(1, 1, side, side)
    index = torch.zeros(64, dtype=torch.long)
    cut = windows(pixels, index, Draws(0, torch.arange(64)), h, w, magnify=1.6)
    assert cut.shape == (64, 1, h, w)
    assert cut.min() >= 0
    assert cut.max() < side * side
    kept = [x[0].round().long() for x in cut if torch.allclose(x, x.round(), atol=1e-2)]
    assert 20 < len(kept) < 44
    seen = set()
    for window in kept:
        steps = (int(window[1, 0] - window[0, 0]), int(window[0, 1] - window[0, 0]))
        seen.add(steps)
        down, right = torch.arange(h)[:, None] * steps[0], torch.arange(w)[None] * steps[1]
        assert torch.equal(window, window[0, 0] + down + right)
    quarters = {(s * side, t) for s in (1, -1) for t in (1, -1)}
    assert seen == quarters | {(t, s) for s, t in quarters}


def test_training_streams_carry_their_layers(train: Composites) -> None:
    batch = next(batches(train, 4, seed=1))
    assert batch.layers is not None
    assert torch.equal(batch.images, batch.layers.image)
    assert batch.labels is None


def test_other_shapes() -> None:
    for split in ("train", "test"):
        dataset = composites(split=split, size=(17, 30), channels=1)
        batch = dataset.batch([0, 5])
        assert batch.images.shape == (2, 1, 17, 30)
        assert isinstance(dataset._bank, Bank)


def photograph(path: Path, seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    pixels = torch.randint(256, (60, 70), generator=rng, dtype=torch.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.numpy()).save(path)


def test_folders_add_textures_but_never_test_photographs(tmp_path: Path) -> None:
    photograph(tmp_path / "mine" / "a" / "one.png", 1)
    photograph(tmp_path / "mine" / "two.png", 2)
    (tmp_path / "mine" / "broken.png").write_bytes(b"no image")
    Image.new("L", (20, 300)).save(tmp_path / "mine" / "narrow.png")
    brick = Image.open(photograph_paths(["brick.png"])[0])
    brick.resize((200, 180)).save(tmp_path / "mine" / "wall.jpg", quality=60)
    shutil.copy(photograph_paths(["chelsea.png"])[0], tmp_path / "mine" / "cat.png")
    named = composites(split="train", argument="easy+mine", root=tmp_path, size=SIZE)
    asked = composites(
        split="train", level="easy", textures=f"folder:{tmp_path / 'mine'}", size=SIZE
    )
    reasons = {Path(s.path).name: s.reason for s in named.skipped}
    assert [*reasons] == ["broken.png", "cat.png", "narrow.png", "wall.jpg"]
    assert "'brick'" in reasons["wall.jpg"]
    assert "'chelsea'" in reasons["cat.png"]
    assert "20" in reasons["narrow.png"]
    assert torch.equal(named.batch([1, 2]).images, asked.batch([1, 2]).images)
    plain = composites(split="train", level="easy", size=SIZE)
    assert not torch.equal(named.batch([1, 2]).images, plain.batch([1, 2]).images)
    test = composites(split="test", argument="easy+mine", root=tmp_path, size=16)
    plain = composites(split="test", level="easy", size=16)
    assert torch.equal(test.batch([3]).images, plain.batch([3]).images)
    for name in ("one.png", "two.png"):
        next((tmp_path / "mine").rglob(name)).unlink()
    with pytest.raises(DataError, match="none of 4 textures can be used"):
        composites(split="train", textures=[tmp_path / "mine"], size=SIZE)


@pytest.mark.slow
def test_of_real_texture_folders_only_the_test_photographs_are_left_out() -> None:
    root = os.environ.get("GENTEX_DATA")
    if not root or not (Path(root) / "textures").is_dir():
        pytest.skip("GENTEX_DATA names no folder with textures/ in it")
    found, skipped = folder_textures([Path(root) / "textures"])
    assert len(found) > 400
    assert {Path(s.path).stem for s in skipped} == {"brick", "grass", "gravel"}


def test_the_fingerprint_is_of_contents_and_needs_no_torch(tmp_path: Path) -> None:
    for place in ("a", "b"):
        photograph(tmp_path / place / "mine" / "one.png", 1)
    prints = [fingerprint("hard+mine", tmp_path / place) for place in ("a", "b")]
    assert prints[0] == prints[1]
    assert prints[0].startswith("composites@2:")
    photograph(tmp_path / "b" / "mine" / "one.png", 2)
    others = [fingerprint("hard+mine", tmp_path / "b"), fingerprint("hard", None)]
    others += [fingerprint("easy", None), fingerprint("", None), prints[0]]
    assert len(set(others)) == 5
    code = (
        "import sys; from gentex.data.composites.fingerprint import fingerprint;"
        "print(fingerprint('hard', None));"
        "sys.exit(bool({'torch', 'numpy', 'PIL', 'skimage'} & {*sys.modules}))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout.strip()) == (0, fingerprint("hard", None)), ran.stderr


def test_errors_name_what_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="'medum'; did you mean 'medium'"):
        composites(split="test", level="medum")
    with pytest.raises(UnknownNameError, match="'hrd'; did you mean 'hard'"):
        composites(split="test", argument="hrd+folder")
    with pytest.raises(DataError, match="no split 'val'; there are train and test"):
        composites(split="val")
    with pytest.raises(DataError, match="at least 16×16"):
        composites(split="test", size=8)
    with pytest.raises(DataError, match="1 or 3"):
        composites(split="test", channels=4)
    with pytest.raises(DataError, match=r"amplitude=\(0.2, 0.1\).*within \[0.001, 0.3\]"):
        composites(split="test", amplitude=(0.2, 0.1))
    with pytest.raises(DataError, match=r"scale=\(1, 40\).*within \[0.5, 32\]"):
        composites(split="test", scale=(1, 40))
    with pytest.raises(DataError, match="no folder"):
        composites(split="train", textures=("nowhere",), root=tmp_path)
    with pytest.raises(DataError, match="empty folder"):
        parse("easy+")
