"""The exponential moving average of the weights."""

import pytest
import torch
from torch import nn

import gentex
from gentex import Trainable


class Normed(Trainable):
    """With buffers, a state of its own, and a parameter that is frozen."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4))
        self.net[1].bias.requires_grad_(False)
        self.count, self.seen = 0, []

    def get_extra_state(self):
        return torch.tensor(self.count)

    def set_extra_state(self, state):
        self.count = int(state)

    def optimizers(self):
        return {"only": torch.optim.SGD([p for p in self.parameters() if p.requires_grad], 0.1)}

    def training_step(self, batch):
        yield from super().training_step(batch)
        self.count += 1
        self.seen.append([p.detach().clone() for p in self.parameters()])

    def loss(self, batch):
        return self.net(batch.images).square().sum((1, 2, 3)).mean() + self.net[0].weight.mean()


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_the_model_ends_with_the_average_of_its_weights(dataset, decay):
    """It starts at the weights after the first step, and moves a share 1 - decay a step."""
    torch.manual_seed(0)
    model = Normed()
    gentex.train(model, dataset, steps=6, batch_size=8, device="cpu", ema=decay)
    means = [p.double() for p in model.seen[0]]
    for weights in model.seen[1:]:
        means = [decay * m + (1 - decay) * p for m, p in zip(means, weights, strict=True)]
    for parameter, mean in zip(model.parameters(), means, strict=True):
        torch.testing.assert_close(parameter.double(), mean, rtol=1e-6, atol=1e-7)
    weight, last = model.net[0].weight, model.seen[-1][0]
    assert torch.equal(weight, last) == (decay == 0)


def test_buffers_and_other_state_are_those_of_the_last_step(dataset):
    torch.manual_seed(0)
    plain, averaged = Normed(), Normed()
    averaged.load_state_dict(plain.state_dict())
    for model, decay in ((plain, None), (averaged, 0.9)):
        gentex.train(model, dataset, steps=6, batch_size=8, device="cpu", ema=decay)
    for one, other in zip(plain.buffers(), averaged.buffers(), strict=True):
        assert torch.equal(one, other)
    assert averaged.count == 6
    assert averaged.net[1].num_batches_tracked == 6
    assert not torch.equal(plain.net[0].weight, averaged.net[0].weight)


def test_averaging_leaves_the_training_as_it_is(dataset):
    torch.manual_seed(0)
    plain, averaged = Normed(), Normed()
    averaged.load_state_dict(plain.state_dict())
    for model, decay in ((plain, None), (averaged, 0.9)):
        gentex.train(model, dataset, steps=4, batch_size=8, device="cpu", ema=decay)
    assert all(map(torch.equal, plain.seen[-1], averaged.seen[-1]))


def test_without_a_step_the_model_stays_as_it_was(dataset):
    model = Normed()
    before = [p.detach().clone() for p in model.parameters()]
    gentex.train(model, dataset, steps=0, device="cpu", ema=0.9)
    assert all(map(torch.equal, model.parameters(), before))
