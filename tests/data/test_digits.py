import hashlib

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from gentex.data import digits as module
from gentex.data.decode import FITTED
from gentex.data.digits import digits
from gentex.data.fingerprints import VERSIONS
from gentex.errors import DataError


def load(split, **options):
    return digits(split=split, argument="", root=None, **options)


def test_the_splits_are_the_digits_of_scikit_learn():
    images, labels = load_digits(return_X_y=True)
    wanted = np.column_stack([np.round(images * 255 / 16), labels])
    parts = [load(split) for split in ("train", "test")]
    assert all(part.image == (1, 8, 8) for part in parts)
    found = [np.column_stack([p.images.flatten(1).numpy(), p.labels.numpy()]) for p in parts]
    rows = [sorted(map(tuple, table)) for table in (wanted, np.concatenate(found))]
    assert rows[0] == rows[1]


def test_test_is_the_last_fifth_of_every_class():
    images, labels = load_digits(return_X_y=True)
    test = load("test")
    for digit in range(10):
        of_class = images[labels == digit]
        last = of_class[-(len(of_class) // 5) :]
        found = test.images[test.labels == digit].flatten(1).numpy()
        np.testing.assert_array_equal(found, np.round(last * 255 / 16))


def test_options():
    assert load("train", size=16, channels=3).image == (3, 16, 16)
    assert load("train", size=16).to("cpu").resize == FITTED
    assert load("train", size=8).resize == load("train").resize == ""
    big = load("test", size=32).images.float()
    small = load("test").images.float()
    corr = np.corrcoef(torch.nn.functional.avg_pool2d(big, 4).flatten(), small.flatten())
    assert corr[0, 1] > 0.99
    with pytest.raises(DataError, match="no split 'all'"):
        load("all")


def test_damage_is_a_data_error(tmp_path, monkeypatch):
    path = tmp_path / "digits.csv.gz"
    content = module.packaged_digits().read_bytes()
    monkeypatch.setattr(module, "packaged_digits", lambda: path)
    for damaged in (content[:1000], b"", b"no gzip"):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"digits\.csv\.gz is damaged"):
            load("train")


def test_a_change_of_the_reading_changes_the_version():
    """Whoever changes what is read raises VERSIONS, and then the hash here."""
    total = hashlib.sha256()
    for split in ("train", "test"):
        total.update(load(split).images.numpy().tobytes() + load(split).labels.numpy().tobytes())
    assert (VERSIONS["digits"], total.hexdigest()[:16]) == (1, "5e3c50aaf9345f4d")
