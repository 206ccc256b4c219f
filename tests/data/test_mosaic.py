import gzip

import numpy as np
import pytest
from PIL import Image

from gentex.data.mosaic import mosaic
from gentex.errors import DataError

RNG = np.random.default_rng(0)
TILES = RNG.integers(0, 256, (30, 8, 8, 3), dtype=np.uint8)
LABELS = RNG.integers(0, 4, 40, dtype=np.uint8)


def write_sheet(path, tiles, columns=5):
    rows = [np.concatenate(list(tiles[i : i + columns]), 1) for i in range(0, len(tiles), columns)]
    Image.fromarray(np.concatenate(rows)).save(path, lossless=True)


def write_labels(path, labels):
    content = bytes((0, 0, 8, 1)) + len(labels).to_bytes(4, "big") + labels.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@pytest.fixture
def made(tmp_path):
    write_sheet(tmp_path / "train_00-14.webp", TILES[:15])
    write_sheet(tmp_path / "train_15-29.webp", TILES[15:])
    write_sheet(tmp_path / "test_0.png", TILES[:5])
    write_labels(tmp_path / "train-labels-idx1-ubyte.gz", LABELS)
    write_labels(tmp_path / "test5-labels-idx1-ubyte", LABELS[:5])
    return tmp_path


def load(path, split="train", **options):
    return mosaic(split=split, argument=str(path), root=None, **{"tile": 8, **options})


def test_tiles_are_read_row_by_row(made):
    for split, count in (("train", 30), ("test", 5)):
        dataset = load(made, split)
        np.testing.assert_array_equal(dataset.images.permute(0, 2, 3, 1), TILES[:count])
        np.testing.assert_array_equal(dataset.labels, LABELS[:count])
        assert dataset.classes[:2] == ("0", "1")
    assert load(made, size=4, channels=1).image == (1, 4, 4)


def test_below_the_root(made):
    dataset = mosaic(split="train", argument=made.name, root=made.parent, tile=8)
    assert len(dataset) == 30


def test_the_blank_end_of_the_last_picture_has_no_labels(made):
    write_labels(made / "train-labels-idx1-ubyte.gz", LABELS[:27])
    np.testing.assert_array_equal(load(made).images.permute(0, 2, 3, 1), TILES[:27])
    write_labels(made / "train-labels-idx1-ubyte.gz", LABELS[:15])
    with pytest.raises(DataError, match="15 labels for 30 tiles"):
        load(made)


def test_without_labels(made):
    (made / "train-labels-idx1-ubyte.gz").unlink()
    dataset = load(made)
    assert (len(dataset), dataset.labels, dataset.classes) == (30, None, ())


def test_errors(made):
    with pytest.raises(DataError, match="24×40 pixels, no whole number of 7×7"):
        load(made, tile=7)
    write_labels(made / "train2-labels-idx1-ubyte", LABELS)
    with pytest.raises(DataError, match="which are the labels"):
        load(made)
    write_sheet(made / "test_1.png", TILES[:5, ..., 0])
    (made / "test5-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match="some pictures are grey"):
        load(made, "test")
    assert load(made, "test", channels=3).image == (3, 8, 8)
    (made / "test_1.png").write_bytes(b"")
    with pytest.raises(DataError, match="an empty file"):
        load(made, "test")
    for path in made.glob("test*"):
        path.unlink()
    with pytest.raises(DataError, match=r"no test_\*\.webp or test_\*\.png in"):
        load(made, "test")
