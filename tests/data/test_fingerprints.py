"""Fingerprints follow the content of the files, and nothing else."""

import gzip
import os
import re
import shutil
import subprocess
import sys

import pytest

from gentex.data import fingerprints
from gentex.data.digits import digits
from gentex.data.files import IDX_FILES
from gentex.data.fingerprints import VERSIONS
from gentex.data.folder import folder
from gentex.data.mosaic import mosaic
from gentex.data.photos import photo_textures
from gentex.data.vision import torchvision
from gentex.errors import DataError

READERS = {
    "digits": digits,
    "folder": folder,
    "mosaic": mosaic,
    "photo-textures": photo_textures,
    "torchvision": torchvision,
}


def test_no_torch_is_needed():
    code = (
        "import sys, gentex.data.fingerprints as f\n"
        "print(f.digits('', None), f.photo_textures('', None))\n"
        "heavy = {'torch', 'numpy', 'PIL', 'torchvision', 'skimage', 'sklearn', 'scipy'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    own = fingerprints.digits("", None), fingerprints.photo_textures("", None)
    assert tuple(done.stdout.split()) == own


def test_the_form():
    for name, found in {
        "digits": fingerprints.digits("", None),
        "photo-textures": fingerprints.photo_textures("", None),
    }.items():
        assert re.fullmatch(rf"{name}@{VERSIONS[name]}:[0-9a-f]{{64}}", found)


def test_a_version_that_is_raised_changes_the_fingerprint(monkeypatch):
    before = fingerprints.digits("", None)
    monkeypatch.setitem(VERSIONS, "digits", VERSIONS["digits"] + 1)
    assert fingerprints.digits("", None) != before


@pytest.fixture
def pictures(tmp_path):
    for name in ("cat/a.png", "cat/b.png", "dog/a.png", "dog/broken.png"):
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    (tmp_path / "pictures" / "link.png").symlink_to("nowhere.png")
    os.mkfifo(tmp_path / "pictures" / "pipe.png")
    return tmp_path / "pictures"


def of_folder(path):
    return fingerprints.folder(str(path), None)


def test_place_date_and_other_files_do_not_matter(pictures, tmp_path):
    before = of_folder(pictures)
    os.utime(pictures / "cat" / "a.png", (0, 0))
    (pictures / "cat" / "notes.txt").write_text("later")
    (pictures / ".cache").mkdir()
    pictures.rename(tmp_path / "elsewhere")
    assert of_folder(tmp_path / "elsewhere") == before
    assert fingerprints.folder("elsewhere", tmp_path) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda p: (p / "cat" / "a.png").write_bytes(b"other"),
        lambda p: (p / "cat" / "a.png").rename(p / "cat" / "c.png"),
        lambda p: (p / "cat").rename(p / "cow"),
        lambda p: (p / "dog" / "broken.png").unlink(),
        lambda p: (p / "link.png").unlink(),
        lambda p: shutil.copy(p / "cat" / "a.png", p / "dog" / "new.png"),
        lambda p: (
            (p / "cat" / "a.png").write_bytes(b"cat/b.png")
            and (p / "cat" / "b.png").write_bytes(b"cat/a.png")
        ),
    ],
    ids=["content", "name", "class", "missing", "link", "new", "swapped"],
)
def test_content_and_names_matter(pictures, change):
    before = of_folder(pictures)
    change(pictures)
    assert of_folder(pictures) != before


def test_packed_or_not_is_the_same_data(tmp_path):
    stems = [stem for stems in IDX_FILES.values() for stem in stems]
    (tmp_path / "flat" / "mnist").mkdir(parents=True)
    (tmp_path / "torchvision" / "MNIST" / "raw").mkdir(parents=True)
    for stem in stems:
        packed = gzip.compress(stem.encode())
        (tmp_path / "flat" / "mnist" / f"{stem}.gz").write_bytes(packed)
        (tmp_path / "torchvision" / "MNIST" / "raw" / stem).write_text(stem)
    found = {fingerprints.torchvision("MNIST", tmp_path / n) for n in ("flat", "torchvision")}
    assert len(found) == 1
    (tmp_path / "flat" / "mnist" / f"{stems[2]}.gz").write_bytes(b"damaged")
    assert fingerprints.torchvision("MNIST", tmp_path / "flat") not in found


def test_every_file_of_a_set_counts(tmp_path):
    for name in ("train_32x32.mat", "test_32x32.mat"):
        (tmp_path / name).write_bytes(b"a")
    before = fingerprints.torchvision("SVHN", tmp_path)
    (tmp_path / "test_32x32.mat").write_bytes(b"b")
    assert fingerprints.torchvision("SVHN", tmp_path) != before
    for name in ("train_0.png", "test_0.png", "train-labels-idx1-ubyte"):
        (tmp_path / name).write_bytes(b"a")
    seen = {fingerprints.mosaic(str(tmp_path), None)}
    for name in ("train_0.png", "test_0.png", "train-labels-idx1-ubyte"):
        (tmp_path / name).write_bytes(b"b")
        seen.add(fingerprints.mosaic(str(tmp_path), None))
    assert len(seen) == 4


@pytest.mark.parametrize(
    ("name", "argument", "rooted"),
    [
        ("folder", "none", True),
        ("folder", "", True),
        ("mosaic", "", True),
        ("torchvision", "MNIST", True),
        ("torchvision", "SVHN", True),
        ("torchvision", "MNIST", False),
        ("torchvision", "MNISTT", True),
    ],
)
def test_what_is_missing_is_told_as_by_the_dataset(tmp_path, name, argument, rooted):
    root = tmp_path if rooted else None
    said = []
    for function in (
        getattr(fingerprints, name),
        lambda a, r: READERS[name](split="train", argument=a, root=r),
    ):
        with pytest.raises(DataError) as caught:
            function(argument, root)
        said.append(str(caught.value))
    assert said[0] == said[1]


@pytest.mark.parametrize("name", ["digits", "photo_textures"])
def test_a_wheel_without_its_data_is_told(monkeypatch, name):
    reader = READERS[name.replace("_", "-")]
    project = {"digits": "scikit-learn", "photo_textures": "scikit-image"}[name]
    for spec in (None, type("Spec", (), {"submodule_search_locations": ["nowhere"]})):
        monkeypatch.setattr("importlib.util.find_spec", lambda _, spec=spec: spec)
        with pytest.raises(DataError, match=project):
            getattr(fingerprints, name)("", None)
        with pytest.raises(DataError, match=project):
            reader(split="train", argument="", root=None)
