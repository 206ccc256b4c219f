"""NaN and infinity stop a run before they do harm."""

import math

import pytest
import torch
from torch import nn

import gentex
from gentex import Trainable, Update
from gentex.errors import TrainingError
from gentex.training import loop
from gentex.training.history import History, Recorder


class Fragile(Trainable):
    """Two parameters with an optimiser each; `factors` multiply the second's losses."""

    def __init__(self, *factors):
        super().__init__()
        self.factors = iter(factors)
        self.one, self.two = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))
        self.log = 0.0

    def optimizers(self):
        return {name: torch.optim.SGD([p], 0.1) for name, p in self.named_parameters()}

    def training_step(self, batch):
        yield Update("one", self.one.square().mean(), {"log": self.log})
        yield Update("two", self.two.square().mean() * next(self.factors))


@pytest.fixture(params=["immediately", "deferred"])
def immediately(request, monkeypatch):
    """Both ways of looking at losses; an accelerator's is taken on the CPU."""
    if request.param == "deferred":
        monkeypatch.setattr(
            loop, "Recorder", lambda history, immediately: Recorder(history, immediately=False)
        )
    return request.param == "immediately"


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_the_first_bad_loss_is_named_with_its_step(dataset, immediately, bad):
    model = Fragile(1, 1, 1, bad, bad, bad, bad, bad)
    with pytest.raises(TrainingError, match=f"loss 'two' is {bad} at step 4"):
        gentex.train(model, dataset, steps=8, device="cpu", log_every=6)
    assert len(list(model.factors)) == (4 if immediately else 2)  # how many steps were not taken


def test_on_the_cpu_a_bad_update_touches_nothing(dataset):
    model, wanted = Fragile(1, math.nan), Fragile(1)
    with pytest.raises(TrainingError):
        gentex.train(model, dataset, steps=2, device="cpu")
    gentex.train(wanted, dataset, steps=1, device="cpu")
    assert torch.equal(model.two, wanted.two)
    assert model.two.grad is None


def test_a_bad_gradient_under_a_good_loss_is_found_before_it_is_saved(dataset, tmp_path):
    """sqrt has an infinite slope at 0: the loss is 0 and the gradient is NaN."""

    class Steep(Fragile):
        def training_step(self, batch):
            yield Update("two", (self.two * 0).square().sum().sqrt() * next(self.factors))

    path = tmp_path / "run.pt"
    with pytest.raises(TrainingError, match="optimizer 'two' are NaN or infinite after step 1"):
        gentex.train(Steep(1), dataset, steps=1, device="cpu", checkpoint=path)
    assert not path.exists()


def test_a_bad_loss_leaves_the_checkpoint_before_it(dataset, immediately, tmp_path):
    path = tmp_path / "run.pt"
    with pytest.raises(TrainingError, match="'two' is nan at step 4"):
        gentex.train(
            Fragile(1, 1, 1, math.nan, 1, 1),
            dataset,
            steps=6,
            device="cpu",
            checkpoint=path,
            checkpoint_every=2,
        )
    assert torch.load(path, weights_only=True)["history"]["steps"] == 2


def test_a_log_may_be_infinite(dataset, immediately):
    model = Fragile(1, 1)
    model.log = math.inf
    history = gentex.train(model, dataset, steps=2, device="cpu")
    assert set(history.curves) == {"one", "two"}


def test_a_logged_tensor_may_change_before_it_is_looked_at():
    history = History()
    recorder = Recorder(history, immediately=False)
    loss, log = torch.ones((), requires_grad=True), torch.zeros(())
    for step in (1, 2):
        recorder.add(step, Update(None, loss * 1, {"count": log}))
        log += 1
    assert recorder.flush(2) == {"loss": 1.0, "count": 0.5}


def test_what_waits_is_let_go_of():
    recorder = Recorder(History(), immediately=True)
    for step in range(1, 1001):
        recorder.add(step, Update(None, torch.ones((), requires_grad=True) * 2))
    assert recorder.window == {"loss": (2000.0, 1000)}
    assert recorder._waiting == []
