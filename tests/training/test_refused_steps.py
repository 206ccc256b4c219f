"""What is wrong with a training step, or with an option of training, is said."""

import pytest
import torch
from torch import nn
from toy_models import Linear

import gentex
from gentex import Trainable, Update
from gentex.errors import GentexError, TrainingError, UnknownNameError


class Odd(Linear):
    """Yields what it is told to."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def optimizers(self):
        return {**super().optimizers(), "other": torch.optim.SGD([nn.Parameter(torch.ones(1))])}

    def training_step(self, batch):
        return self.step(self, batch)


def yields(make):
    def step(model, batch):
        yield make(model, batch)

    return step


@pytest.mark.parametrize(
    ("step", "error", "message"),
    [
        (lambda m, b: m.error(b), TrainingError, "returned a Tensor; it must be a generator"),
        (lambda m, b: None, TrainingError, "returned a NoneType; it must be a generator"),
        (yields(lambda m, b: m.error(b)), TrainingError, "yielded a Tensor, not an Update"),
        (yields(lambda m, b: None), TrainingError, "yielded a NoneType, not an Update"),
        (
            yields(lambda m, b: Update("onyl", m.error(b))),
            UnknownNameError,
            "no optimizer 'onyl'; did you mean 'only'",
        ),
        (
            yields(lambda m, b: Update(None, m.error(b))),
            TrainingError,
            "must name its optimizer: one of only, other",
        ),
        (
            yields(lambda m, b: Update("only", m.layer(b.images.flatten(1)))),
            TrainingError,
            r"loss 'only' has shape \(4, 1\); a scalar is wanted",
        ),
        (
            yields(lambda m, b: Update("only", m.error(b), {"psnr": b.images})),
            TrainingError,
            r"log 'psnr' has shape \(4, 1, 8, 8\)",
        ),
        (
            yields(lambda m, b: Update("only", m.error(b).detach())),
            TrainingError,
            "'only' does not depend on any parameter",
        ),
        (
            yields(lambda m, b: Update("only", 0.5)),
            TrainingError,
            "'only' does not depend on any parameter",
        ),
        (
            yields(lambda m, b: Update("other", m.error(b))),
            TrainingError,
            "'other' depends on none of its parameters",
        ),
    ],
)
def test_what_is_wrong_with_a_step_is_said(dataset, step, error, message):
    with pytest.raises(error, match=message):
        gentex.train(Odd(step), dataset, steps=1, batch_size=4, device="cpu")


def test_optimisers_without_a_loss_are_an_error(dataset):
    class Silent(Trainable):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

        def optimizers(self):
            return {"only": torch.optim.SGD(self.parameters())}

    with pytest.raises(TypeError, match=r"Silent has optimizers\(\) but neither loss"):
        gentex.train(Silent(), dataset, steps=1, batch_size=4, device="cpu")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "cdua"}, "no device 'cdua'; did you mean 'cuda'"),
        ({"device": "meta"}, "no device 'meta'"),
        ({"precision": "bf61"}, "no precision 'bf61'; did you mean 'bf16'"),
        ({"ema": 1.5}, "ema=1.5: a decay from 0 to below 1"),
        ({"batch_size": 0}, "batch_size=0: a number above zero"),
        ({"clip_grad_norm": -1.0}, r"clip_grad_norm=-1.0: a number above zero"),
        ({"log_every": 0}, "log_every=0: a number above zero"),
        ({"checkpoint_every": 0}, "checkpoint_every=0: a number above zero"),
    ],
)
def test_bad_options_name_what_is_allowed(dataset, options, message):
    with pytest.raises(GentexError, match=message):
        gentex.train(Linear(), dataset, steps=1, **{"device": "cpu", **options})
