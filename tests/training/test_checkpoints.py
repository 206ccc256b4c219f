"""A run that was stopped goes on as if it had not been."""

import math
import os
import pickle
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn

import gentex
from gentex import Trainable, Update
from gentex.data import MemoryDataset
from gentex.errors import CheckpointError
from gentex.training import checkpoint as checkpoints
from gentex.training.checkpoint import read_checkpoint, write_checkpoint


class StopError(Exception):
    pass


class Noisy(Trainable):
    """Two networks with batch norm and dropout, and noise from every source; stops when told to."""

    def __init__(self, stop=math.inf):
        super().__init__()
        self.one = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.3))
        self.two = nn.Linear(4 * 36, 2)
        self.config = {"architecture": "noisy", "hyperparameters": {"lr": 0.01}}
        self.step, self.stop = 0, stop

    def optimizers(self):
        return {
            "one": torch.optim.Adam(self.one.parameters(), 0.01, fused=True),
            "two": torch.optim.SGD(self.two.parameters(), 0.01, momentum=0.9),
        }

    def training_step(self, batch):
        noise = torch.rand(()) + random.random() + np.random.normal()
        hidden = self.one(batch.images * noise)
        yield Update("one", hidden.square().mean(), {"noise": noise})
        self.step += 1
        if self.step == self.stop:
            raise StopError  # in the middle of a step
        yield Update("two", self.two(self.one(batch.images).flatten(1)).square().mean())


def go(model, dataset, path=None, **options):
    defaults = {"steps": 12, "batch_size": 8, "seed": 5, "ema": 0.8, "log_every": 5}
    return gentex.train(
        model,
        dataset,
        device="cpu",
        checkpoint=path,
        **{**defaults, "checkpoint_every": 3} | options,
    )


def build(seed, stop=math.inf):
    torch.manual_seed(seed)
    return Noisy(stop)


def contents(path):
    state = torch.load(path, weights_only=True)
    state["history"].pop("seconds")
    return state


def equal(one, other):
    """Whether two nested values are the same to the bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other


@settings(max_examples=18)
@given(
    precision=st.sampled_from(["fp32", "bf16", "fp16"]),
    stops=st.lists(st.integers(1, 12), max_size=3),
    every=st.integers(1, 13),
    log_every=st.integers(1, 13),
)
@example(precision="fp16", stops=[5, 11], every=2, log_every=5)
@example(precision="fp32", stops=[7], every=3, log_every=4)
def test_resumes_to_the_bit_wherever_it_stopped(
    tmp_path_factory, toys, precision, stops, every, log_every
):
    dataset, folder = toys(), tmp_path_factory.mktemp("runs")
    path = folder / "parts.pt"
    options = {"precision": precision, "checkpoint_every": every, "log_every": log_every}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)  # the disk has no part in this
        whole = build(seed=0)
        wanted = go(whole, dataset, folder / "whole.pt", **options)
        for number, stop in enumerate(stops):
            model = build(seed=number if path.exists() else 0, stop=stop)
            try:
                go(model, dataset, path, **options)
            except StopError:
                random.random(), np.random.rand(), torch.rand(())  # what a caller does in between
        # From the last checkpoint, not from the weights that the new object happens to have.
        resumed = build(seed=9 if path.exists() else 0)
        history = go(resumed, dataset, path, **options)

    assert equal(contents(path), contents(folder / "whole.pt"))
    assert equal(resumed.state_dict(), whole.state_dict())
    assert history.curves == wanted.curves
    assert (history.steps, history.images) == (wanted.steps, wanted.images) == (12, 96)


def test_a_longer_budget_goes_on_from_the_end_of_a_shorter_one(tmp_path, dataset):
    whole, parts = build(0), build(0)
    wanted = go(whole, dataset)
    for steps in (4, 4, 12):
        history = go(parts, dataset, tmp_path / "run.pt", steps=steps)
        assert history.steps == steps
        parts = parts if steps == 12 else build(1)
    assert equal(parts.state_dict(), whole.state_dict())
    assert history.curves == wanted.curves


def test_the_checkpoint_does_not_change_the_run(tmp_path, dataset):
    without, withal = build(0), build(0)
    curves = go(without, dataset).curves
    assert go(withal, dataset, tmp_path / "deep" / "er" / "run.pt").curves == curves
    assert equal(without.state_dict(), withal.state_dict())


def test_resumes_where_worker_processes_load_the_data(tmp_path, toys):
    """Starting the workers must not draw from the random numbers of training."""

    class Loaded(MemoryDataset):
        workers = True

    images = toys().images
    finals = []
    for stops in ([], [5]):
        path = tmp_path / f"{len(stops)}.pt"
        for stop in (*stops, math.inf):
            model = build(seed=0, stop=stop)
            try:
                go(model, Loaded("toy", "train", images), path, steps=6)
            except StopError:
                continue
        finals.append(model.state_dict())
    assert equal(*finals)


def test_the_random_numbers_of_the_caller_are_untouched(tmp_path, dataset):
    for path in (None, tmp_path / "run.pt", tmp_path / "run.pt"):
        random.seed(1), np.random.seed(2), torch.manual_seed(3)
        wanted = random.random(), np.random.rand(), torch.rand(3).tolist()
        for stop in (math.inf, 2):
            random.seed(1), np.random.seed(2), torch.manual_seed(3)
            model = Noisy(stop)
            random.seed(1), np.random.seed(2), torch.manual_seed(3)
            try:
                go(model, dataset, path, steps=4)
            except StopError:
                assert stop == 2
            assert (random.random(), np.random.rand(), torch.rand(3).tolist()) == wanted


OTHER = {
    "seed": ({"seed": 6}, "seed is 5 there and 6 here"),
    "batch size": ({"batch_size": 9}, "batch_size is 8 there and 9 here"),
    "precision": ({"precision": "bf16"}, "precision is 'fp32' there and 'bf16' here"),
    "ema": ({"ema": None}, "ema is 0.8 there and None here"),
    "clipping": ({"clip_grad_norm": 1.0}, "clip_grad_norm is None there and 1.0 here"),
}


@pytest.mark.parametrize(("options", "message"), OTHER.values(), ids=OTHER)
def test_a_checkpoint_of_another_run_is_refused(tmp_path, dataset, options, message):
    path = tmp_path / "run.pt"
    go(build(0), dataset, path, steps=2)
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match=f"run.pt is of another run: {message}"):
        go(build(0), dataset, path, **options)
    assert path.read_bytes() == before


def test_a_checkpoint_of_other_data_or_another_model_is_refused(tmp_path, dataset, toys):
    path = tmp_path / "run.pt"
    go(build(0), dataset, path, steps=2)
    with pytest.raises(CheckpointError, match="dataset is '<MemoryDataset toy train: 40 × 1×8×8>'"):
        go(build(0), toys(count=41), path)
    other = build(0)
    other.config = {"architecture": "noisy", "hyperparameters": {"lr": 0.02}}
    with pytest.raises(CheckpointError, match=r"hyperparameter lr is 0\.01 there and 0\.02 here"):
        go(other, dataset, path)
    other.config = {"architecture": "noise", "hyperparameters": {"lr": 0.01}}
    with pytest.raises(CheckpointError, match="architecture is 'noisy' there and 'noise' here"):
        go(other, dataset, path)
    other = build(0)
    other.two = nn.Linear(4 * 36, 3)
    with pytest.raises(CheckpointError, match="does not fit the model"):
        go(other, dataset, path)


@pytest.fixture
def saved(tmp_path, dataset):
    path = tmp_path / "run.pt"
    go(build(0), dataset, path, steps=2)
    return path


@pytest.mark.parametrize("moment", ["half written", "not yet on the disk", "not yet renamed"])
def test_a_crash_while_writing_leaves_the_old_checkpoint(saved, dataset, monkeypatch, moment):
    old = saved.read_bytes()

    def half(state, file):
        file.write(old[: len(old) // 2])
        raise KeyboardInterrupt

    def crash(*_):
        raise KeyboardInterrupt

    if moment == "half written":
        monkeypatch.setattr(checkpoints.torch, "save", half)
    elif moment == "not yet on the disk":
        monkeypatch.setattr(os, "fsync", crash)
    else:
        monkeypatch.setattr(Path, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        go(build(0), dataset, saved)
    monkeypatch.undo()
    assert saved.read_bytes() == old
    assert list(saved.parent.iterdir()) == [saved]
    assert go(build(0), dataset, saved).steps == 12


def test_is_on_the_disk_before_it_takes_the_place_of_the_old(tmp_path, monkeypatch):
    path, done = tmp_path / "run.pt", []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (done.append("fsync"), fsync(handle)))
    monkeypatch.setattr(Path, "replace", lambda *paths: (done.append("replace"), replace(*paths)))
    write_checkpoint(path, {"run": {}})
    assert done == ["fsync", "replace"]


def test_where_there_is_none_yet_it_is_none(tmp_path):
    assert read_checkpoint(tmp_path / "run.pt", {}) is None


def test_a_damaged_checkpoint_is_an_error_or_whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("damage") / "run.pt"
    state = {"run": {"seed": 1}, "history": {"steps": 3, "curves": {"loss": [(1, 0.5)]}}}
    state["model"] = {"weight": torch.arange(6.0)}
    write_checkpoint(path, state)
    whole = path.read_bytes()

    @settings(max_examples=150)
    @given(length=st.integers(0, len(whole) - 1))
    def cut_off(length):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"run.pt cannot be read"):
            read_checkpoint(path, state["run"])

    @settings(max_examples=150)
    @given(at=st.integers(0, len(whole) - 1), byte=st.integers(0, 255))
    def overwritten(at, byte):
        path.write_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :])
        try:
            read = read_checkpoint(path, state["run"])
        except CheckpointError:
            return
        assert equal(read, state)

    cut_off()
    overwritten()


@pytest.mark.parametrize(
    "content",
    [b"", b"not a checkpoint", pickle.dumps({"run": {}}), [1, 2], {"model": {}}, {"run": 3}],
)
def test_what_is_no_checkpoint_is_an_error(tmp_path, dataset, content):
    path = tmp_path / "run.pt"
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    with pytest.raises(CheckpointError, match=r"run.pt cannot be read|another run"):
        go(build(0), dataset, path)


def test_code_in_a_checkpoint_is_not_executed(tmp_path, dataset):
    path, mark = tmp_path / "run.pt", tmp_path / "executed"

    class Evil:
        def __reduce__(self):
            return Path.touch, (mark,)

    for legacy in (True, False):  # pickles as torch wrote them once, and in its archives
        torch.save({"run": Evil()}, path, _use_new_zipfile_serialization=not legacy)
        with pytest.raises(CheckpointError, match=r"run.pt cannot be read"):
            go(build(0), dataset, path)
        assert not mark.exists()
    torch.load(path, weights_only=False)
    assert mark.exists()  # it would have been


@pytest.mark.parametrize("key", ["history", "window", "model", "optimizers", "average", "random"])
def test_a_checkpoint_that_lacks_something_is_refused(saved, dataset, key):
    state = torch.load(saved, weights_only=True)
    for broken in (None, 3):
        write_checkpoint(saved, {**state, key: broken})
        with pytest.raises(CheckpointError, match=r"run.pt does not fit the model"):
            go(build(0), dataset, saved)
    del state[key]
    write_checkpoint(saved, state)
    with pytest.raises(CheckpointError, match=r"run.pt does not fit the model"):
        go(build(0), dataset, saved)
