"""torchvision's data sets, on small stand-ins of their files."""

import gzip
import inspect
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
import torchvision
from PIL import Image

from gentex.data import FileDataset, reading
from gentex.data.decode import FITTED
from gentex.data.files import IDX, IDX_FILES, TORCHVISION
from gentex.data.idx import read_idx
from gentex.data.vision import torchvision as load_torchvision
from gentex.errors import DataError

RNG = np.random.default_rng(0)
SPLITS = ("train", "test")


def load(name, root, split="train", **options):
    return load_torchvision(split=split, argument=name, root=root, **options)


def idx(array):
    """An array of bytes in the IDX format."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes((0, 0, 8, array.ndim)) + sizes + array.tobytes()


def write_mnist(folder, packed=False):
    """A small MNIST; returns images and labels by split."""
    folder.mkdir(parents=True)
    made = {}
    for split, (images, labels) in IDX_FILES.items():
        count = 30 if split == "train" else 20
        made[split] = (
            RNG.integers(0, 256, (count, 28, 28), dtype=np.uint8),
            RNG.integers(0, 10, count, dtype=np.uint8),
        )
        for stem, array in zip((images, labels), made[split], strict=True):
            if packed:
                (folder / f"{stem}.gz").write_bytes(gzip.compress(idx(array)))
            else:
                (folder / stem).write_bytes(idx(array))
    return made


@pytest.mark.parametrize("name", IDX)
@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("packed", [False, True])
def test_mnist_and_its_likes(tmp_path, name, place, packed):
    made = write_mnist(tmp_path / IDX[name][place], packed)
    for split, (images, labels) in made.items():
        dataset = load(name, tmp_path, split)
        assert dataset.image == (1, 28, 28)
        assert len(dataset.classes) == 10
        np.testing.assert_array_equal(dataset.images[:, 0], images)
        np.testing.assert_array_equal(dataset.labels, labels)


@pytest.mark.parametrize("name", IDX)
def test_what_torchvision_reads_is_what_is_read_here(tmp_path, name):
    write_mnist(tmp_path / name / "raw")
    cls = getattr(torchvision.datasets, name)
    for split in SPLITS:
        theirs, ours = cls(tmp_path, train=split == "train"), load(name, tmp_path, split)
        assert torch.equal(theirs.data, ours.images[:, 0])
        assert torch.equal(theirs.targets, ours.labels)
    # What MNIST calls «0 - zero» is «0» here.
    assert all(a.startswith(b) for a, b in zip(theirs.classes, ours.classes, strict=True))


def test_options(tmp_path):
    write_mnist(tmp_path / "mnist")
    assert load("MNIST", tmp_path, size=16, channels=3).image == (3, 16, 16)
    with pytest.raises(DataError, match="no split 'val'; there are train and test"):
        load("MNIST", tmp_path, "val")


@pytest.mark.parametrize("damage", [b"", b"\0\0\x08\x01\0\0\0\x1e", b"\0\0\x0d\x03", None])
@pytest.mark.parametrize("packed", [False, True])
def test_a_damaged_idx_file_is_a_data_error(tmp_path, damage, packed):
    write_mnist(tmp_path / "mnist", packed)
    path = next((tmp_path / "mnist").glob("train-images*"))
    path.write_bytes(path.read_bytes()[:1000] if damage is None else damage)
    with pytest.raises(DataError, match="train-images"):
        load("MNIST", tmp_path)


def test_idx_dimensions(tmp_path):
    array = RNG.integers(0, 256, (2, 3, 4), dtype=np.uint8)
    (tmp_path / "a").write_bytes(idx(array))
    np.testing.assert_array_equal(read_idx(tmp_path / "a", 3), array)
    with pytest.raises(DataError, match="bytes in 1 dimensions"):
        read_idx(tmp_path / "a", 1)


def test_images_and_labels_that_do_not_match(tmp_path):
    write_mnist(tmp_path / "mnist")
    (tmp_path / "mnist" / IDX_FILES["train"][1]).write_bytes(idx(np.zeros(7, np.uint8)))
    with pytest.raises(DataError, match="30 images but 7 labels"):
        load("MNIST", tmp_path)


def test_unknown_names_have_a_closest():
    with pytest.raises(DataError, match=r"did you mean 'CIFAR10'\?"):
        load("CIFAR-10", None)
    with pytest.raises(DataError, match=r"Imagenette is not read here.*as folder:PATH"):
        load("Imagenette", None)


@pytest.mark.parametrize("name", [*IDX, *TORCHVISION])
def test_what_is_missing_is_named_with_the_way_to_get_it(tmp_path, name):
    with pytest.raises(DataError, match="give --data or GENTEX_DATA"):
        load(name, None)
    with pytest.raises(DataError) as caught:
        load(name, tmp_path)
    for told in (str(tmp_path), "download=true", f"torchvision.datasets.{name}(", "GENTEX_DATA"):
        assert told in str(caught.value)


@pytest.mark.parametrize("name", TORCHVISION)
def test_the_table_agrees_with_torchvision(tmp_path, name):
    layout, cls = TORCHVISION[name], getattr(torchvision.datasets, name)
    assert layout.keyword in inspect.signature(cls).parameters
    if folder := getattr(cls, "base_folder", None):
        assert all(pattern.startswith(f"{folder}/") for pattern in layout.files)
    for split in (layout.train, layout.test):
        # Were the split not one of its own, torchvision would say so before it looks for files.
        with pytest.raises((RuntimeError, FileNotFoundError), match=r"not found|No such file"):
            cls(tmp_path, **{layout.keyword: split})


@pytest.fixture
def unchecked(monkeypatch):
    """torchvision without its checks of the whole files' MD5."""
    for name in TORCHVISION:
        cls = getattr(torchvision.datasets, name)
        if hasattr(cls, "_check_integrity"):
            monkeypatch.setattr(cls, "_check_integrity", lambda self: True)


def test_cifar(tmp_path, unchecked, monkeypatch):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    rows = RNG.integers(0, 256, (60, 3072), dtype=np.uint8)
    for i in range(6):
        name = f"data_batch_{i + 1}" if i < 5 else "test_batch"
        content = {"data": rows[10 * i : 10 * i + 10], "labels": list(range(10))}
        (folder / name).write_bytes(pickle.dumps(content))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": [*"abcdefghij"]}))
    monkeypatch.setattr(torchvision.datasets.cifar, "check_integrity", lambda *args: True)
    train, test = (load("CIFAR10", tmp_path, split) for split in SPLITS)
    assert train.classes == tuple("abcdefghij")
    np.testing.assert_array_equal(train.images.flatten(1), rows[:50])
    np.testing.assert_array_equal(test.images.flatten(1), rows[50:])
    assert test.labels.tolist() == list(range(10))


def test_svhn(tmp_path, unchecked):
    made = {}
    for split in SPLITS:
        made[split] = RNG.integers(0, 256, (12, 3, 32, 32), dtype=np.uint8)
        labels = np.arange(1, 13)[:, None] % 10 + 10 * (np.arange(1, 13)[:, None] % 10 == 0)
        content = {"X": made[split].transpose(2, 3, 1, 0), "y": labels}
        scipy.io.savemat(tmp_path / f"{split}_32x32.mat", content)
    for split in SPLITS:
        dataset = load("SVHN", tmp_path, split)
        np.testing.assert_array_equal(dataset.images, made[split])
        assert dataset.labels.tolist() == [*range(1, 10), 0, 1, 2]
        assert dataset.classes == tuple("0123456789")


def test_stl(tmp_path, unchecked):
    folder = tmp_path / "stl10_binary"
    folder.mkdir()
    (folder / "class_names.txt").write_text("\n".join("abcdefghij"))
    for split in SPLITS:
        images = RNG.integers(0, 256, (3, 3, 96, 96), dtype=np.uint8)
        (folder / f"{split}_X.bin").write_bytes(images.tobytes())
        (folder / f"{split}_y.bin").write_bytes(bytes((1, 10, 3)))
        dataset = load("STL10", tmp_path, split, size=48)
        assert dataset.image == (3, 48, 48)
        assert dataset.labels.tolist() == [0, 9, 2]
        assert dataset.classes == tuple("abcdefghij")


def save(path, colour, size=(30, 20)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def write_dtd(root):
    folder = root / "dtd" / "dtd"
    (folder / "labels").mkdir(parents=True)
    for split, kinds in {"train": "ab", "test": "ab", "val": "ab"}.items():
        names = [f"{kind}/{kind}_{split}{i}.jpg" for kind in kinds for i in range(2)]
        (folder / "labels" / f"{split}1.txt").write_text("\n".join(names) + "\n")
        for name in names:
            save(folder / "images" / name, (50 * ord(name[0]) % 256, 0, 200))


def test_dtd_is_read_by_its_lists(tmp_path, monkeypatch):
    write_dtd(tmp_path)
    cut = tmp_path / "dtd" / "dtd" / "images" / "a" / "a_train1.jpg"
    cut.write_bytes(cut.read_bytes()[:-100])
    for split in SPLITS:
        dataset = load("DTD", tmp_path, split, size=16)
        theirs = torchvision.datasets.DTD(tmp_path, split=split)
        assert dataset.classes == tuple(theirs.classes) == ("a", "b")
        kept = [i for i in range(4) if (split, i) != ("train", 1)]
        assert dataset.labels.tolist() == [theirs._labels[i] for i in kept]
        for i, j in enumerate(kept):
            centre = np.asarray(theirs[j][0])[10, 15]
            np.testing.assert_allclose(dataset.images[i, :, 8, 8], centre, atol=2)
    for path in tmp_path.rglob("*_test*.jpg"):
        os.truncate(path, 0)
    with pytest.raises(DataError, match="none of 4 images can be read"):
        load("DTD", tmp_path, "test", size=16)


def test_its_own_size_where_that_is_one(tmp_path):
    write_dtd(tmp_path)
    assert load("DTD", tmp_path).image == (3, 20, 30)
    assert load("DTD", tmp_path, channels=1).image == (1, 20, 30)
    save(tmp_path / "dtd/dtd/images/a/a_train0.jpg", "red", (40, 40))
    with pytest.raises(DataError, match=r"2 sizes .* need the option size"):
        load("DTD", tmp_path)


def test_too_large_for_memory(tmp_path, monkeypatch):
    write_dtd(tmp_path)
    small = load("DTD", tmp_path, size=16)
    monkeypatch.setattr(reading, "MEMORY_LIMIT", 100)
    dataset = load("DTD", tmp_path, size=16)
    assert isinstance(dataset, FileDataset)
    assert dataset.resize == small.resize == FITTED
    assert load("DTD", tmp_path).resize == "", "a FileDataset of their own size"
    assert torch.equal(dataset.batch([3, 0]).images, small.batch([3, 0]).images)
    assert torch.equal(dataset.batch([3, 0]).labels, small.batch([3, 0]).labels)


def test_celeba_has_no_classes(tmp_path, unchecked):
    folder = tmp_path / "celeba"
    names = [f"{i:06}.jpg" for i in range(1, 7)]
    for i, name in enumerate(names):
        save(folder / "img_align_celeba" / name, (40 * i,) * 3, (178, 218))
    (folder / "list_eval_partition.txt").write_text(
        "".join(f"{name} {i // 2}\n" for i, name in enumerate(names))
    )
    for table in ("identity_CelebA", "list_bbox_celeba", "list_landmarks_align_celeba"):
        head = "" if table == "identity_CelebA" else "6\nx\n"
        (folder / f"{table}.txt").write_text(head + "".join(f"{name} 1\n" for name in names))
    (folder / "list_attr_celeba.txt").write_text("6\nx\n" + "".join(f"{n} -1\n" for n in names))
    dataset = load("CelebA", tmp_path, "test", size=64)
    assert (dataset.image, dataset.labels, dataset.classes) == ((3, 64, 64), None, ())
    np.testing.assert_allclose(dataset.images[:, 0, 9, 9], [160, 200], atol=2)
    assert load("CelebA", tmp_path).image == (3, 218, 178)


def test_download_is_torchvisions_and_only_when_asked_for(tmp_path, monkeypatch):
    calls = []

    def download(root, train, download):
        calls.append((train, download))
        if not (tmp_path / "MNIST" / "raw").exists():
            write_mnist(Path(root) / "MNIST" / "raw")

    monkeypatch.setattr(torchvision.datasets, "MNIST", download)
    with pytest.raises(DataError):
        load("MNIST", tmp_path)
    assert calls == []
    assert len(load("MNIST", tmp_path, download=True)) == 30
    assert calls == [(True, True), (False, True)]
    load("MNIST", tmp_path, "test", download=True)
    assert len(calls) == 2  # it is there


def test_a_download_that_fails_is_a_data_error(tmp_path, monkeypatch):
    def refused(*args, **options):
        raise OSError("no network")

    monkeypatch.setattr(torchvision.datasets, "MNIST", refused)
    with pytest.raises(DataError, match="no network"):
        load("MNIST", tmp_path, download=True)


@pytest.mark.skipif("GENTEX_DATA" not in os.environ, reason="needs MNIST below GENTEX_DATA")
def test_mnist_itself():
    train, test = (load("MNIST", Path(os.environ["GENTEX_DATA"]), split) for split in SPLITS)
    assert (len(train), len(test)) == (60_000, 10_000)
    assert train.labels[:5].tolist() == [5, 0, 4, 1, 9]  # as every tutorial shows
    mean, std = train.images.float().mean() / 255, train.images.float().std() / 255
    assert (round(mean.item(), 4), round(std.item(), 4)) == (0.1307, 0.3081)
