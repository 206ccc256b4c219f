"""Folders of images: splits, classes, and what happens to files that cannot be read."""

import io
import os
import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from gentex.data import FileDataset, MemoryDataset, batches, in_order, reading
from gentex.data.folder import folder
from gentex.errors import DataError


def save(path, colour=(200, 100, 50), size=(24, 24)):
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = "L" if isinstance(colour, int) else "RGB"
    Image.new(mode, size, colour).save(path)


def level(i):
    return 20 * (i + 1)


def load(path, split="train", **options):
    options = {"size": 8, **options}
    return folder(split=split, argument=str(path), root=None, **options)


def images(dataset):
    return torch.cat([batch.images for batch in in_order(dataset, 7)])


def levels(dataset):
    """The grey level that every image has of its own."""
    return [round(value * 255) for value in images(dataset).mean((1, 2, 3)).tolist()]


def test_splits_and_classes_are_sub_folders(tmp_path):
    for i, kind in enumerate(["cat", "dog", "emu"]):
        for j in range(3):
            save(tmp_path / "train" / kind / f"{j}.png", level(i))
        save(tmp_path / "test" / kind / "deep" / "er.png", level(i) + 1)
    save(tmp_path / "beside.png", 255)
    train, test = load(tmp_path), load(tmp_path, "test")
    assert train.classes == test.classes == ("cat", "dog", "emu")
    assert (len(train), len(test)) == (9, 3)
    for dataset, offset in ((train, 0), (test, 1)):
        assert levels(dataset) == [level(i) + offset for i in dataset.labels.tolist()]


def test_val_is_the_test_split_where_there_is_no_test(tmp_path):
    save(tmp_path / "train" / "a.png", 1)
    save(tmp_path / "val" / "b.png", 2)
    assert levels(load(tmp_path, "test")) == [2]
    save(tmp_path / "test" / "c.png", 3)
    assert levels(load(tmp_path, "test")) == [3]


def test_a_class_that_is_missing_from_a_split_keeps_the_labels_of_the_others(tmp_path):
    for kind in "abc":
        save(tmp_path / "train" / kind / "0.png")
    save(tmp_path / "test" / "c" / "0.png")
    test = load(tmp_path, "test")
    assert test.classes == ("a", "b", "c")
    assert test.labels.tolist() == [2]


def test_without_sub_folders_there_are_no_classes(tmp_path):
    for i in range(20):
        save(tmp_path / f"{i}.png")
    assert load(tmp_path).classes == ()
    assert load(tmp_path).labels is None
    save(tmp_path / "some" / "20.png")
    assert load(tmp_path).classes == ()


def test_the_drawn_split_is_a_partition_and_new_files_move_none(tmp_path):
    for i in range(0, 200, 2):
        save(tmp_path / f"{i}.png", i)
    before = {split: set(levels(load(tmp_path, split))) for split in ("train", "test")}
    assert before["train"] | before["test"] == set(range(0, 200, 2))
    assert not before["train"] & before["test"]
    assert 10 <= len(before["test"]) <= 30
    for i in range(1, 200, 2):
        save(tmp_path / f"{i}.png", i)
    after = {split: set(levels(load(tmp_path, split))) for split in ("train", "test")}
    assert before["train"] < after["train"]
    assert before["test"] < after["test"]


def test_a_pattern_says_what_is_held_out(tmp_path):
    for kind in "ab":
        for i in range(10):
            save(tmp_path / kind / f"{kind}-scale_{i}_im.png", level(i))
    train, test = (load(tmp_path, split, held_out="*scale_[789]_*") for split in ("train", "test"))
    assert levels(test) == [level(i) for i in (7, 8, 9)] * 2
    assert levels(train) == [level(i) for i in range(7)] * 2
    assert test.classes == train.classes == ("a", "b")
    assert levels(load(tmp_path, "test", held_out="b/*")) == [level(i) for i in range(10)]
    with pytest.raises(DataError, match=r"test split; test is what fits '\*\.jpg'"):
        load(tmp_path, "test", held_out="*.jpg")


def test_a_pattern_beside_train_and_test_folders_is_a_mistake(tmp_path):
    save(tmp_path / "train" / "a.png")
    save(tmp_path / "val" / "b.png")
    with pytest.raises(DataError, match=r"held_out='b\*': .* has train/ and val/ already"):
        load(tmp_path, held_out="b*")


def test_composed_and_decomposed_accents_are_the_same_draw():
    from gentex.data.files import _drawn_split

    for i in range(40):
        assert _drawn_split(f"caf\u00e9{i}.png") == _drawn_split(f"cafe\u0301{i}.png")


def broken_files(path):
    """One of each kind of file that cannot be read, by the reason."""
    path.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, "jpeg")
    (path / "cut.jpg").write_bytes(buffer.getvalue()[:2000])
    (path / "empty.png").write_bytes(b"")
    (path / "text.png").write_text("this is no image")
    (path / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    (path / "link.png").symlink_to(path / "nowhere.png")
    Image.fromarray(noise[..., 0] / np.float32(9)).save(path / "float.tif")
    return {
        "cut.jpg": "truncated",
        "empty.png": "an empty file",
        "text.png": "not an image in one of",
        "phone.heic": "not an image in one of",
        "link.png": "a broken link",
        "float.tif": "where 0 to 1 can be shown",
    }


def test_files_that_cannot_be_read_are_skipped_with_the_reason(tmp_path):
    for kind in "ab":
        save(tmp_path / "train" / kind / "good.png", ord(kind))
    save(tmp_path / "test" / "a" / "good.png")
    reasons = broken_files(tmp_path / "train" / "a")
    dataset = load(tmp_path)
    assert dataset.labels.tolist() == [0, 1]
    assert levels(dataset) == [97, 98]
    skipped = {skipped.path: skipped.reason for skipped in dataset.skipped}
    assert skipped.keys() == {f"train/a/{name}" for name in reasons}
    for name, reason in reasons.items():
        assert reason in skipped[f"train/a/{name}"]
        assert str(tmp_path) not in skipped[f"train/a/{name}"]
    assert not load(tmp_path, "test").skipped


def test_what_is_not_an_image_by_its_ending_is_no_matter(tmp_path):
    for i in range(40):
        save(tmp_path / f"{i}.PNG")
    for name in ("notes.txt", "Thumbs.db", ".hidden.png", "._0.png"):
        (tmp_path / name).write_bytes(b"?")
    save(tmp_path / ".cache" / "x.png")
    datasets = [load(tmp_path, split) for split in ("train", "test")]
    assert sum(map(len, datasets)) == 40
    assert not any(dataset.skipped for dataset in datasets)


def test_nothing_is_written(tmp_path):
    for i in range(20):
        save(tmp_path / f"{i}.png")

    def state():
        return [(p.name, p.stat().st_mtime_ns, p.stat().st_size) for p in tmp_path.rglob("*")]

    before = sorted(state()), tmp_path.stat().st_mtime_ns
    images(load(tmp_path))
    assert before == (sorted(state()), tmp_path.stat().st_mtime_ns)


def test_links_are_followed_once(tmp_path):
    for i in range(10):
        save(tmp_path / "store" / f"{i}.png", level(i))
    data = tmp_path / "data"
    (data / "test").mkdir(parents=True)
    (data / "train").symlink_to(tmp_path / "store")
    (data / "test" / "0.png").symlink_to(tmp_path / "store" / "0.png")
    (tmp_path / "store" / "round").symlink_to(data, target_is_directory=True)
    assert len(load(data, "test")) == 1
    assert len(load(data)) == 11  # the store, and through its link the test folder


def test_what_is_found_is_named_when_nothing_can_be_used(tmp_path):
    with pytest.raises(DataError, match="found nothing"):
        load(tmp_path)
    for name in ("a.npy", "b.npy", "c.txt", "README"):
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=r"found 2 × \.npy, 1 × (\.txt|no ending), 1 × "):
        load(tmp_path)
    (tmp_path / "a.png").touch()
    with pytest.raises(DataError, match=r"none of 1 images can be read: .*a\.png: an empty file"):
        load(tmp_path)


def test_an_empty_split_says_how_splits_are_made(tmp_path):
    save(tmp_path / "a.png")
    lengths = []
    for split in ("train", "test"):
        try:
            lengths.append(len(load(tmp_path, split)))
        except DataError as error:
            lengths.append(str(error))
    assert 1 in lengths
    assert any("sub-folders train/ and test/" in str(found) for found in lengths)


def test_a_split_of_broken_files_is_an_error(tmp_path):
    save(tmp_path / "train" / "a.png")
    broken_files(tmp_path / "test")
    with pytest.raises(DataError, match="none of 6 images can be read"):
        load(tmp_path, "test")


def test_where_a_path_is_looked_for(tmp_path, monkeypatch):
    for i, place in enumerate(["root", "here"]):
        save(tmp_path / place / "pictures" / "train" / "a.png", level(i))
        save(tmp_path / place / "pictures" / "test" / "a.png", level(i))
    save(tmp_path / "here" / "only" / "train" / "a.png", level(2))
    save(tmp_path / "here" / "only" / "test" / "a.png", level(2))
    monkeypatch.chdir(tmp_path / "here")
    for argument, root, i in [
        ("pictures", tmp_path / "root", 0),
        ("pictures", None, 1),
        ("only", tmp_path / "root", 2),
        (str(tmp_path / "here" / "pictures"), tmp_path / "root", 1),
    ]:
        dataset = folder(split="train", argument=argument, root=root, size=8)
        assert levels(dataset) == [level(i)]
    with pytest.raises(DataError, match=f"no folder .*root/none or {tmp_path}/here/none"):
        folder(split="train", argument="none", root=tmp_path / "root")
    with pytest.raises(DataError, match="is a file, where a folder is wanted"):
        load(tmp_path / "here" / "only" / "train" / "a.png")


def test_options(tmp_path):
    for i in range(10):
        save(tmp_path / "train" / f"{i}.png", level(i), (20, 30))
        save(tmp_path / "test" / f"{i}.png", level(i), (20, 30))
    assert folder(split="train", argument=str(tmp_path), root=None).image == (1, 64, 64)
    assert load(tmp_path, channels=3).image == (3, 8, 8)
    assert load(tmp_path, size=None).image == (1, 30, 20)
    save(tmp_path / "test" / "colour.png")
    assert load(tmp_path).image == (3, 8, 8)  # of both splits, though only one has colour
    with pytest.raises(DataError, match=r"2 sizes \(20 of 30×20, 1 of 24×24, \.\.\.\) need"):
        load(tmp_path, size=None)
    with pytest.raises(DataError, match="size=0"):
        load(tmp_path, size=0)
    with pytest.raises(DataError, match="channels=4"):
        load(tmp_path, channels=4)
    with pytest.raises(DataError, match="no split 'valid'; there are train and test"):
        load(tmp_path, "valid")


@pytest.fixture
def large(tmp_path, monkeypatch):
    """A folder of classes that counts as too large for memory, and the same in memory."""
    for i in range(10):
        for split in ("train", "test"):
            save(tmp_path / split / f"class {i // 4}" / f"{i}.png", level(i))
    small = load(tmp_path)
    monkeypatch.setattr(reading, "MEMORY_LIMIT", small.images.numel() - 1)
    return small, load(tmp_path)


def test_too_large_for_memory_is_decoded_when_asked_for(large):
    small, dataset = large
    assert isinstance(small, MemoryDataset)
    assert isinstance(dataset, FileDataset)
    assert (dataset.image, dataset.classes, len(dataset)) == (small.image, small.classes, 10)
    index = torch.tensor([7, 0, 7, 3])
    for a, b in ((small, dataset), (small, pickle.loads(pickle.dumps(dataset)))):
        assert torch.equal(a.batch(index).images, b.batch(index).images)
        assert torch.equal(a.batch(index).labels, b.batch(index).labels)


def test_worker_processes_give_the_same_stream(large):
    streams = [batches(dataset, 4, seed=3, start=2) for dataset in large]
    for _, a, b in zip(range(5), *streams, strict=False):
        assert torch.equal(a.images, b.images)
        assert torch.equal(a.labels, b.labels)


def test_a_file_that_is_gone_is_replaced_by_the_next_with_its_label(large):
    small, dataset = large
    for i in (2, 3, 9):
        os.remove(dataset.paths[i])  # noqa: PTH107 (paths are strings)
    batch = dataset.batch(torch.arange(10))
    stands_in = torch.tensor([0, 1, 4, 4, 4, 5, 6, 7, 8, 0])
    assert torch.equal(batch.images, small.batch(stands_in).images)
    assert torch.equal(batch.labels, small.batch(stands_in).labels)
    assert dataset.replaced == tuple(dataset.paths[i] for i in (2, 3, 9))


def test_what_worker_processes_replace_is_known_here(large):
    _, dataset = large
    os.remove(dataset.paths[5])  # noqa: PTH107 (paths are strings)
    stream = batches(dataset, 10)
    for _ in range(2):
        assert len(next(stream)) == 10
    assert dataset.replaced == (dataset.paths[5],)


def test_a_truncated_file_of_a_large_folder_is_replaced(large, tmp_path):
    broken_files(tmp_path / "elsewhere")
    path = tmp_path / "train" / "class 0" / "1.png"
    path.write_bytes((tmp_path / "elsewhere" / "cut.jpg").read_bytes())  # the header is whole
    dataset = load(tmp_path)
    assert len(dataset) == 10
    assert not dataset.skipped
    assert torch.allclose(dataset.batch([1]).images, torch.tensor(level(2) / 255))
    assert dataset.replaced == (str(path),)


def test_a_lost_disk_ends_the_run(large):
    _, dataset = large
    for path in dataset.paths:
        os.remove(path)  # noqa: PTH107 (paths are strings)
    with pytest.raises(DataError, match=r"none of 10 files in a row can be read.*no such file"):
        dataset.batch([4])
