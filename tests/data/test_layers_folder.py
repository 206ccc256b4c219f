"""`layers-folder:PATH`: formats to the last bit, pairs, splits, and what is refused or skipped."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gentex.data.layers_files import fingerprint
from gentex.data.layers_folder import layers_folder
from gentex.errors import DataError

RNG = np.random.default_rng(0)
STRUCTURE = RNG.uniform(0.3, 0.7, (12, 14, 3))
TEXTURE = RNG.uniform(-0.2, 0.2, (12, 14, 3))


def save_png(path: Path, values: np.ndarray) -> None:
    """A PNG of 8 or 16 bits, grey or RGB; Pillow cannot write 16 bits in colour."""
    h, w, channels = values.shape

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    bits = values.dtype.itemsize * 8
    header = struct.pack(">IIBBBBB", w, h, bits, {1: 0, 3: 2}[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(values.dtype.newbyteorder(">")).tobytes() for row in values)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def save_npy(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, values)


def open_folder(path: Path, **options: object):  # type: ignore[no-untyped-def]  # a test's shorthand
    return layers_folder(split="test", argument=str(path), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("dtype", "white", "zero"), [("u1", 255, 128), ("u2", 65535, 32768)])
@pytest.mark.parametrize("channels", [1, 3])
def test_png_layers(tmp_path: Path, dtype: str, white: int, zero: int, channels: int) -> None:
    structure = np.round(STRUCTURE[..., :channels] * white).astype(dtype)
    texture = np.round(TEXTURE[..., :channels] * white + zero).astype(dtype)
    save_png(tmp_path / "structure" / "a.png", structure)
    save_png(tmp_path / "texture" / "a.png", texture)
    dataset = open_folder(tmp_path)
    batch = dataset.batch([0])
    expected = structure.astype(float) / white, (texture.astype(float) - zero) / white
    for layer, values in zip(batch.layers, expected, strict=True):
        assert layer.dtype == torch.float32
        assert np.abs(layer[0].permute(1, 2, 0).numpy() - values).max() < 1e-7
    assert torch.equal(batch.images, batch.layers.structure + batch.layers.texture)
    assert (len(dataset), dataset.image) == (1, (channels, 12, 14))


def test_npy_layers_and_whole_images(tmp_path: Path) -> None:
    for name, colour in (("a", STRUCTURE), ("b", STRUCTURE.astype(np.float32))):
        save_npy(tmp_path / "sums" / "structure" / f"{name}.npy", colour)
        save_npy(tmp_path / "sums" / "texture" / f"{name}.npy", TEXTURE)
        save_npy(tmp_path / "wholes" / "structure" / f"{name}.npy", colour)
        save_npy(tmp_path / "wholes" / "image" / f"{name}.npy", colour + TEXTURE)
    save_npy(tmp_path / "sums" / "structure" / "c.npy", STRUCTURE[..., 0])
    save_npy(tmp_path / "sums" / "texture" / "c.npy", TEXTURE)
    sums, wholes = open_folder(tmp_path / "sums"), open_folder(tmp_path / "wholes")
    for dataset in (sums, wholes):
        batch = dataset.batch([1, 0])
        assert torch.equal(batch.images, batch.layers.image)
        found = batch.layers.texture.permute(0, 2, 3, 1).numpy()
        assert np.abs(found - TEXTURE).max() < 1e-6
    grey = sums.batch([2]).layers.structure[0]
    assert torch.equal(grey[0], grey[2])
    assert np.abs(grey[1].numpy() - STRUCTURE[..., 0]).max() < 1e-7


def test_grey_layers_still_add_up(tmp_path: Path) -> None:
    save_npy(tmp_path / "structure" / "a.npy", STRUCTURE)
    save_npy(tmp_path / "texture" / "a.npy", TEXTURE)
    layers = open_folder(tmp_path, channels=1).batch([0]).layers
    weights = np.array([0.299, 0.587, 0.114])
    assert np.abs(layers.structure[0, 0].numpy() - STRUCTURE @ weights).max() < 1e-6
    assert np.abs(layers.texture[0, 0].numpy() - TEXTURE @ weights).max() < 1e-6


def test_sizes_are_cut_from_the_middle_or_must_agree(tmp_path: Path) -> None:
    for name, rows in (("a", 12), ("b", 9), ("c", 5)):
        save_npy(tmp_path / "structure" / f"{name}.npy", STRUCTURE[:rows])
        save_npy(tmp_path / "texture" / f"{name}.npy", TEXTURE[:rows])
    with pytest.raises(DataError, match=r"3 sizes \(5×14, 9×14, 12×14.*option size"):
        open_folder(tmp_path)
    dataset = open_folder(tmp_path, size=(8, 6))
    assert [(s.path, s.reason) for s in dataset.skipped] == [("c", "5×14 is smaller than 8×6")]
    found = dataset.batch([0]).layers.structure[0].permute(1, 2, 0).numpy()
    assert np.abs(found - STRUCTURE[2:10, 4:10]).max() < 1e-7


def test_sums_out_of_range(tmp_path: Path) -> None:
    structure = np.full((4, 4, 1), 250, np.uint8)
    for name, texture in (("rounded", 134), ("wrong", 140)):
        save_png(tmp_path / "structure" / f"{name}.png", structure)
        save_png(tmp_path / "texture" / f"{name}.png", np.full((4, 4, 1), texture, np.uint8))
    dataset = open_folder(tmp_path)
    assert [s.path for s in dataset.skipped] == ["wrong"]
    assert "leaves [0, 1] by 0.0275" in dataset.skipped[0].reason
    batch = dataset.batch([0])
    assert (batch.images == 1).all()
    assert torch.allclose(batch.layers.structure, torch.tensor(250 / 255))


def test_what_cannot_be_read_is_skipped_with_the_reason(tmp_path: Path) -> None:
    def pair(name: str, suffix: str = "npy") -> Path:
        save_npy(tmp_path / "texture" / f"{name}.npy", TEXTURE)
        (tmp_path / "structure").mkdir(exist_ok=True)
        return tmp_path / "structure" / f"{name}.{suffix}"

    np.save(pair("good"), STRUCTURE)
    np.save(pair("bytes"), (STRUCTURE * 255).astype(np.uint8))
    np.save(pair("four"), np.zeros((12, 14, 4)))
    np.save(pair("nan"), np.full((12, 14), np.nan))
    np.save(pair("other"), STRUCTURE[:-1])
    np.save(pair("pickled"), np.array([{"a": 1}], dtype=object), allow_pickle=True)
    pair("broken").write_bytes(b"none")
    Image.new("P", (14, 12)).save(pair("palette", "png"))
    Image.new("RGBA", (14, 12)).save(pair("transparent", "png"))
    whole = pair("cut", "png")
    save_png(whole, np.round(STRUCTURE * 255).astype(np.uint8))
    whole.write_bytes(whole.read_bytes()[:80])
    dataset = open_folder(tmp_path)
    assert len(dataset) == 1
    reasons = {s.path: s.reason for s in dataset.skipped}
    assert "uint8, where float" in reasons.pop("bytes")
    assert "(12, 14, 4)" in reasons.pop("four")
    assert "NaN" in reasons.pop("nan")
    assert reasons.pop("other") == "the structure is 11×14, the texture 12×14"
    assert "allow_pickle" in reasons.pop("pickled")
    for name in ("palette", "transparent"):
        assert "8 or 16 bits, grey or RGB" in reasons.pop(name)
    for name in ("broken", "cut"):
        assert "cannot be read" in reasons.pop(name)
    assert not reasons
    (tmp_path / "structure" / "good.npy").unlink()
    (tmp_path / "texture" / "good.npy").unlink()
    with pytest.raises(DataError, match="none of 9 items can be used: broken"):
        open_folder(tmp_path)


def test_splits_are_folders(tmp_path: Path) -> None:
    save_npy(tmp_path / "structure" / "a.npy", STRUCTURE)
    save_npy(tmp_path / "texture" / "a.npy", TEXTURE)
    with pytest.raises(DataError, match="go into a folder train/"):
        layers_folder(split="train", argument=str(tmp_path))
    shutil.copytree(tmp_path / "structure", tmp_path / "train" / "structure")
    shutil.copytree(tmp_path / "texture", tmp_path / "train" / "texture")
    assert len(layers_folder(split="train", argument=tmp_path.name, root=tmp_path.parent)) == 1
    with pytest.raises(DataError, match="no test/ beside train/"):
        layers_folder(split="test", argument=str(tmp_path))


def test_errors_name_the_closest(tmp_path: Path) -> None:
    save_npy(tmp_path / "structure" / "leaf-1.npy", STRUCTURE)
    with pytest.raises(DataError, match="no folder image/"):
        open_folder(tmp_path)
    save_npy(tmp_path / "texture" / "leaf1.npy", TEXTURE)
    with pytest.raises(DataError, match=r"leaf-1.npy; did you mean 'leaf1'\?"):
        open_folder(tmp_path)
    (tmp_path / "structure").rename(tmp_path / "structures")
    with pytest.raises(DataError, match=r"no folder structure/ .* did you mean 'structures'\?"):
        open_folder(tmp_path)
    (tmp_path / "structures").rename(tmp_path / "structure")
    (tmp_path / "structure" / "leaf-1.npy").rename(tmp_path / "structure" / "leaf1.npy")
    save_png(tmp_path / "structure" / "leaf1.png", np.zeros((2, 2, 1), np.uint8))
    with pytest.raises(DataError, match=r"leaf1\.npy or leaf1\.png"):
        open_folder(tmp_path)
    with pytest.raises(DataError, match="no folder"):
        open_folder(tmp_path / "nowhere")
    with pytest.raises(DataError, match="channels=2"):
        open_folder(tmp_path, channels=2)


def test_the_fingerprint_is_of_names_and_contents_without_torch(tmp_path: Path) -> None:
    for place in ("a", "b", "c"):
        name = "y" if place == "c" else "x"
        save_npy(tmp_path / place / "structure" / f"{name}.npy", STRUCTURE)
        save_npy(tmp_path / place / "texture" / f"{name}.npy", TEXTURE)
    prints = [fingerprint(place, tmp_path) for place in ("a", "b", "c")]
    assert prints[0] == prints[1] != prints[2]
    save_npy(tmp_path / "b" / "texture" / "x.npy", TEXTURE / 2)
    assert fingerprint("b", tmp_path) != prints[0]
    code = (
        "import sys; from pathlib import Path; from gentex.data.layers_files import fingerprint;"
        f"print(fingerprint('a', Path({str(tmp_path)!r})));"
        "sys.exit(bool({'torch', 'numpy', 'PIL'} & {*sys.modules}))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout.strip()) == (0, prints[0]), ran.stderr
