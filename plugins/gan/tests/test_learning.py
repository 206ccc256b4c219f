"""Each GAN learns: quickly something simple, and in minutes handwritten digits."""

import pytest
import torch

import gentex
from gentex.data import MemoryDataset

SQUARES = slice(4, 12)


@pytest.fixture(scope="module")
def squares() -> MemoryDataset:
    """Bright squares in the middle of black images; class 1 is black on bright."""
    g = torch.Generator().manual_seed(0)
    images = torch.zeros(512, 1, 16, 16)
    images[:, :, SQUARES, SQUARES] = 0.6 + 0.4 * torch.rand(512, 1, 1, 1, generator=g)
    labels = torch.arange(512) % 2
    images[labels == 1] = 1 - images[labels == 1]
    return MemoryDataset(
        "squares", "train", images.mul(255).byte(), labels, classes=("bright", "dark")
    )


def only(data: MemoryDataset, label: int) -> MemoryDataset:
    return MemoryDataset(data.name, data.split, data.images[data.labels == label])


def off_mean(samples: torch.Tensor, data: MemoryDataset) -> float:
    """The distance of the mean images."""
    return (samples.float().mean(0) - data.images.float().mean(0)).abs().mean().item() / 255


@pytest.mark.parametrize(
    ("name", "settings", "steps", "left"),
    [
        ("dcgan", {"width": 8}, 120, 0.25),
        ("wgan-gp", {"width": 8, "n_critic": 2}, 100, 0.3),
        ("sngan", {"width": 8, "n_critic": 2}, 60, 0.3),
        ("r3gan", {"width": 8}, 40, 0.65),
    ],
)
def test_it_learns_the_mean_image(name, settings, steps, left, squares):
    data = only(squares, 0)
    model = gentex.create(name, image=data.image, seed=0, latent=8, lr=2e-3, **settings)
    before = off_mean(gentex.sample(model, 64, seed=2), data)
    gentex.train(model, data, steps=steps, batch_size=16, device="cpu")
    assert off_mean(gentex.sample(model, 64, seed=2), data) < left * before


def test_a_conditional_gan_learns_its_classes(squares):
    settings = {"width": 8, "n_critic": 2, "classes": 2, "lr": 2e-3}
    model = gentex.create("sngan", image=squares.image, seed=0, **settings)
    gentex.train(model, squares, steps=120, batch_size=16, device="cpu")
    for label in (0, 1):
        made = gentex.sample(model, 64, seed=2, condition=torch.full((64,), label))
        own, other = off_mean(made, only(squares, label)), off_mean(made, only(squares, 1 - label))
        assert own < 0.5 * other


def sliced_distance(one: torch.Tensor, other: torch.Tensor) -> float:
    """The mean 1-Wasserstein distance over random directions in the space of pixels."""
    directions = torch.randn(one[0].numel(), 128, generator=torch.Generator().manual_seed(1))
    directions /= directions.norm(dim=0)
    one, other = ((x.flatten(1).float() / 255 @ directions).sort(0)[0] for x in (one, other))
    return (one - other).abs().mean().item()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "settings", "steps"),
    [
        ("dcgan", {"width": 16}, 600),
        ("dcgan", {"width": 16, "augment": "color,translation,cutout"}, 600),
        ("wgan-gp", {"width": 16}, 300),
        ("sngan", {"width": 16}, 300),
        ("r3gan", {"width": 16}, 500),
    ],
    ids=str,
)
def test_it_learns_digits(name, settings, steps):
    data = gentex.load_dataset("digits", "train", size=16)
    test = gentex.load_dataset("digits", "test", size=16).images
    real, floor = data.images[: len(test)], sliced_distance(data.images[-len(test) :], test)
    assert sliced_distance(real, test) < 2 * floor  # what is measured is small between real sets
    model = gentex.create(name, image=data.image, seed=0, lr=1e-3, **settings)
    before = sliced_distance(gentex.sample(model, len(test)), test)
    gentex.train(model, data, steps=steps, batch_size=32, device="cpu", ema=0.98)
    after = sliced_distance(gentex.sample(model, len(test)), test)
    assert after - floor < 0.25 * (before - floor)
