"""The stream of batches: a pure function of (dataset, batch size, seed, step)."""

import importlib
import itertools
from itertools import chain

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import gentex.data
from gentex.data import FileDataset, MemoryDataset, batches, in_order
from gentex.errors import DataError
from gentex.interfaces import ImageShape


def numbered(length):
    """A dataset whose item i has label i, and every pixel i modulo 256."""
    images = (torch.arange(length) % 256).to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 2, 3)
    return MemoryDataset("numbered", "train", images, torch.arange(length))


def labels(dataset, steps, batch_size, **options):
    stream = itertools.islice(batches(dataset, batch_size, **options), steps)
    return [batch.labels.tolist() for batch in stream]


sizes = st.integers(1, 40)
seeds = st.integers(0, 2**40)


@given(sizes, sizes, seeds, st.integers(0, 50))
def test_the_stream_resumes_anywhere(length, batch_size, seed, start):
    dataset = numbered(length)
    whole = labels(dataset, start + 3, batch_size, seed=seed)
    assert labels(dataset, 3, batch_size, seed=seed, start=start) == whole[start:]
    assert all(len(batch) == batch_size for batch in whole)


@given(sizes, sizes, seeds)
def test_every_item_comes_once_an_epoch(length, batch_size, seed):
    steps = -(-3 * length // batch_size)
    flat = [*chain(*labels(numbered(length), steps, batch_size, seed=seed))]
    for epoch in range(3):
        assert sorted(flat[epoch * length : (epoch + 1) * length]) == list(range(length))


@given(sizes, st.integers(1, 8), st.integers(1, 4), seeds, st.integers(0, 9))
def test_the_slices_of_the_ranks_are_the_global_batch(length, batch_size, world, seed, start):
    dataset = numbered(length)
    single = labels(dataset, 4, batch_size * world, seed=seed, start=start)
    options = {"seed": seed, "start": start, "world_size": world}
    ranks = [labels(dataset, 4, batch_size, rank=rank, **options) for rank in range(world)]
    assert [[*chain(*parts)] for parts in zip(*ranks, strict=True)] == single


def test_seeds_and_epochs_are_shuffled_differently():
    many = [*range(10), *(seed << 32 for seed in range(1, 11))]
    orders = {tuple(order) for seed in many for order in labels(numbered(50), 20, 50, seed=seed)}
    assert len(orders) == 400


@pytest.mark.parametrize("make", [numbered, lambda length: files(length)])
def test_the_global_random_state_is_left_alone(make):
    state = torch.get_rng_state()
    labels(make(10), 5, 4)
    assert torch.equal(torch.get_rng_state(), state)


def test_images_are_floats_and_go_with_their_labels():
    for batch in itertools.islice(batches(numbered(300), 7), 50):
        assert batch.images.dtype == torch.float32
        assert batch.images.shape == (7, 1, 2, 3)
        expected = (batch.labels % 256).view(-1, 1, 1, 1).expand(-1, 1, 2, 3) / 255
        assert torch.equal(batch.images, expected)


def test_an_empty_dataset_is_refused():
    with pytest.raises(DataError, match="'numbered' has no images in its train split"):
        next(batches(numbered(0), 4))


@given(sizes, sizes, st.none() | st.integers(0, 60))
def test_in_order(length, batch_size, count):
    found = [batch.labels.tolist() for batch in in_order(numbered(length), batch_size, count)]
    wanted = list(range(length if count is None else min(count, length)))
    assert [*chain(*found)] == wanted
    assert all(len(batch) == batch_size for batch in found[:-1])


def decode_number(path):
    if path == "broken":
        raise DataError("broken: it is")
    return torch.full((1, 2, 3), int(path) % 256, dtype=torch.uint8)


def files(length, broken=(), labelled=True):
    paths = ["broken" if i in broken else str(i) for i in range(length)]
    numbers = range(length) if labelled else None
    return FileDataset("files", "train", ImageShape(1, 2, 3), paths, decode_number, numbers)


def test_files_give_the_same_stream_as_memory():
    streams = (
        batches(data, 6, seed=5, start=3, rank=1, world_size=2)
        for data in (files(20), numbered(20))
    )
    for _, (a, b) in zip(range(8), zip(*streams, strict=True), strict=False):
        assert torch.equal(a.images, b.images)
        assert torch.equal(a.labels, b.labels)


def test_files_without_labels():
    dataset = files(5, labelled=False)
    assert dataset.batch([1]).labels is None
    assert next(batches(dataset, 3)).labels is None


@given(st.integers(1, 30).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))))
def test_the_next_file_stands_in_for_a_broken_one(case):
    length, broken = case
    dataset = files(length, broken)
    if len(broken) == length:
        with pytest.raises(DataError, match=f"none of {length} files in a row can be read"):
            dataset.batch(range(length))
        return
    wanted = [
        next(j % length for j in range(i, 99) if j % length not in broken) for i in range(length)
    ]
    batch = dataset.batch(range(length))
    assert batch.labels.tolist() == wanted
    assert (batch.images[:, 0, 0, 0] * 255).round().tolist() == wanted
    assert dataset.replaced == ("broken",) * len(broken)


def test_patience_ends():
    dataset = files(500, set(range(400)))
    assert dataset.batch([301]).labels.tolist() == [400]  # its 99 forerunners are broken
    with pytest.raises(DataError, match=r"none of 100 files in a row can be read.*broken: it is"):
        dataset.batch([300])


def test_the_names_of_the_package_are_no_modules():
    importlib.import_module(
        "gentex.data.stream"
    )  # importing a submodule must not hide what is called like it

    assert callable(gentex.data.batches)
    for name in gentex.data.__all__:
        assert callable(getattr(gentex.data, name))
    with pytest.raises(AttributeError, match="no attribute 'bacthes'"):
        gentex.data.bacthes  # noqa: B018 (the access is the test)
