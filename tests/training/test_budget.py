"""When a run ends, and what it says of itself on the way."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import gentex
from gentex import Trainable
from gentex.errors import DataError, TrainingError
from gentex.training import loop


class Grey(Trainable):
    def __init__(self):
        super().__init__()
        self.grey = nn.Parameter(torch.zeros(()))

    def optimizers(self):
        return {"only": torch.optim.SGD(self.parameters(), 0.1)}

    def loss(self, batch):
        loss = (batch.images - self.grey).square().mean()
        return loss, {"grey": self.grey, "constant": 0.5}


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on by `clock.tick` seconds each time it is looked at."""

    class Clock:
        now, tick = 100.0, 1.0

        def perf_counter(self):
            self.now += self.tick
            return self.now

    made = Clock()
    monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=made.perf_counter))
    return made


def run(dataset, **options):
    return gentex.train(Grey(), dataset, **{"batch_size": 4, "device": "cpu", **options})


@pytest.mark.parametrize(
    ("budget", "steps"),
    [
        ({"steps": 7}, 7),
        ({"images": 28}, 7),
        ({"images": 29}, 8),
        ({"steps": 7, "images": 12}, 3),
        ({"steps": 2, "images": 12}, 2),
        ({"steps": 2, "seconds": math.inf}, 2),
        ({"steps": 0}, 0),
        ({"images": 0}, 0),
        ({"seconds": 0}, 0),
        ({"steps": 5, "images": 5, "seconds": 0.0}, 0),
    ],
)
def test_ends_as_soon_as_one_limit_is_reached(dataset, budget, steps):
    history = run(dataset, **budget)
    assert (history.steps, history.images) == (steps, 4 * steps)


@pytest.mark.parametrize(
    ("budget", "steps"),
    [({"seconds": 5}, 5), ({"seconds": 4.5}, 5), ({"seconds": 5, "steps": 3}, 3)],
)
def test_seconds_are_counted_by_the_clock(dataset, clock, budget, steps):
    """One look at the clock before the first step, and one after each: a second a step."""
    assert run(dataset, **budget).steps == steps


def test_seconds_go_on_where_a_checkpoint_left_them(dataset, clock, tmp_path):
    path = tmp_path / "run.pt"
    first = run(dataset, seconds=4, checkpoint=path)
    assert first.steps == 4
    clock.now += 1e6  # the time between two runs is nobody's
    assert run(dataset, seconds=10, checkpoint=path).steps == 4 + (10 - first.seconds)


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ({}, "no budget: give steps, images or seconds"),
        ({"steps": -1}, "a budget of -1 steps"),
        ({"steps": 5, "images": -3}, "a budget of -3 images"),
        ({"seconds": -0.5}, "a budget of -0.5 seconds"),
        ({"seconds": math.nan}, "a budget of nan seconds"),
    ],
)
def test_a_budget_that_is_none_is_an_error(dataset, budget, message):
    with pytest.raises(TrainingError, match=message):
        run(dataset, **budget)


def test_the_curves_are_means_since_the_point_before(dataset):
    every = run(dataset, steps=7, log_every=1).curves
    means = run(dataset, steps=7, log_every=3).curves
    assert [step for step, _ in every["loss"]] == [1, 2, 3, 4, 5, 6, 7]
    for name in ("loss", "grey", "constant"):
        values = [value for _, value in every[name]]
        wanted = {3: sum(values[:3]) / 3, 6: sum(values[3:6]) / 3, 7: values[6]}
        assert dict(means[name]) == pytest.approx(wanted)
    assert every["grey"][0] == (1, 0.0)
    assert every["grey"][1][1] > 0
    assert set(every["constant"]) == {(step, 0.5) for step in range(1, 8)}


def test_progress_is_told_with_the_share_of_what_runs_out_first(dataset):
    told = []
    history = run(dataset, steps=10, images=20, log_every=2, on_progress=told.append)
    assert [(p.step, p.fraction) for p in told] == [(2, 0.4), (4, 0.8), (5, 1.0)]
    assert [p.losses["loss"] for p in told] == [value for _, value in history.curves["loss"]]
    assert all(0 < p.seconds <= history.seconds for p in told)


def test_the_order_of_the_data_and_the_noise_follow_the_seed(dataset):
    class Noisy(Grey):
        def loss(self, batch):
            return super().loss(batch)[0] * (1 + torch.rand(()))

    def losses(seed):
        model = Noisy()
        history = gentex.train(
            model, dataset, steps=5, batch_size=4, seed=seed, device="cpu", log_every=1
        )
        return history.curves["loss"]

    assert losses(1) == losses(1)
    assert losses(1) != losses(2)


def test_a_dataset_without_images_is_said_to_be_one(toys):
    with pytest.raises(DataError, match="'toy' has no images in its train split"):
        run(toys(count=0), steps=1)
