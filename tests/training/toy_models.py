"""The smallest models that the tests of training need."""

import torch
from torch import nn
from torch.nn.functional import softplus

from gentex import Trainable, Update
from gentex.seeding import seeded


class TinyGAN(Trainable):
    def __init__(self):
        super().__init__()
        self.generator = nn.Sequential(
            nn.Unflatten(1, (6, 1, 1)),
            nn.ConvTranspose2d(6, 8, 4),
            nn.BatchNorm2d(8),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(8, 1, 4, 2, 1),
            nn.Tanh(),
        )
        self.discriminator = nn.Sequential(
            nn.Conv2d(1, 8, 4, 2, 1),
            nn.BatchNorm2d(8),
            nn.LeakyReLU(0.2),
            nn.Conv2d(8, 1, 4),
            nn.Flatten(0),
        )

    def optimizers(self):
        return {
            name: torch.optim.Adam(network.parameters(), 1e-2, (0.5, 0.999), fused=True)
            for name, network in self.named_children()
        }

    def training_step(self, batch):
        real = batch.images * 2 - 1
        fake = self.generator(torch.randn(len(batch), 6))
        loss = softplus(-self.discriminator(real)) + softplus(self.discriminator(fake.detach()))
        yield Update("discriminator", loss.mean())
        yield Update("generator", softplus(-self.discriminator(fake)).mean())


class Linear(Trainable):
    """One layer that is trained towards the mean grey of an image, `updates` times a step."""

    def __init__(self, updates=1, lr=0.01):
        super().__init__()
        self.updates, self.lr = updates, lr
        with seeded(1):
            self.layer = nn.Linear(64, 1)

    def optimizers(self):
        return {"only": torch.optim.SGD(self.parameters(), self.lr)}

    def error(self, batch):
        wanted = batch.images.flatten(1).mean(1, keepdim=True)
        return (self.layer(batch.images.flatten(1)) - wanted).square().mean()

    def training_step(self, batch):
        for _ in range(self.updates):
            yield Update(None, self.error(batch))


def same(one, other):
    states = one.state_dict(), other.state_dict()
    return all(torch.equal(a, b) for a, b in zip(*(s.values() for s in states), strict=True))
