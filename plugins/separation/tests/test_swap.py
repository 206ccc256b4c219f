"""The swapping autoencoder: the contract, its parts, and that it learns with layers and without."""

import math

import pytest
import torch
from gentex_separation.learned.swap import PATCH, PATCHES, Modulated, patches, r1
from torch import nn
from torch.nn import functional

import gentex
from gentex import Batch, ImageShape, Layers
from gentex.data import MemoryDataset
from gentex.errors import DataError, HyperparameterError
from gentex.testing.contract import contract

SMALL = {"width": 4, "structure": 4, "texture": 8}
CHECKS = [
    pytest.param(check, id=name)
    for found, name, check in contract("separation", hyperparameters={"swap": SMALL})
    if found.card.name == "swap"
]


@pytest.mark.parametrize("check", CHECKS)
def test_contract(check):
    check()


def small(channels: int = 3, **hyperparameters):
    shape = ImageShape(channels, 16, 16)
    return gentex.create("swap", image=shape, seed=0, **{**SMALL, **hyperparameters})


def noise(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


class Striped(MemoryDataset):
    """Steps, bright to the left or to the right, with stripes across or along them."""

    def __init__(self, *, with_layers: bool):
        super().__init__("striped", "train", torch.zeros(16, 1, 16, 16, dtype=torch.uint8))
        self.with_layers = with_layers

    def batch(self, indices):
        index = torch.as_tensor(indices)[:, None, None, None]
        x = torch.arange(16).expand(1, 1, 16, 16)
        bright = (x < 4 + index // 2) ^ (index % 4 < 2)
        structure = torch.where(bright, 0.7, 0.3)
        texture = 0.15 * (-1.0) ** torch.where(index % 2 == 0, x, x.mT)
        layers = Layers(structure, texture) if self.with_layers else None
        return Batch(structure + texture, layers=layers)


def test_with_layers_it_learns_what_structure_is():
    data = Striped(with_layers=True)
    model = gentex.create("swap", image=data.image, seed=0, width=8, lr=3e-3)
    batch = data.batch(range(16))

    def psnr() -> float:
        with torch.no_grad():
            structure = model.eval().separate(batch.images).structure
        return -10 * float((structure - batch.layers.structure).square().mean().log10())

    before = psnr()
    history = gentex.train(model, data, steps=120, batch_size=8, device="cpu", log_every=20)
    untouched = -10 * float(batch.layers.texture.square().mean().log10())
    assert before < untouched
    assert psnr() > untouched + 2
    assert {"structure", "reconstruction"} <= history.curves.keys()


def test_without_layers_it_learns_to_reconstruct():
    data = Striped(with_layers=False)
    model = gentex.create("swap", image=data.image, seed=0, width=8, lr=3e-3)
    images = data.batch(range(16)).images

    def error() -> float:
        with torch.no_grad():
            return float((model.eval().swap(images, images) - images).abs().mean())

    before = error()
    gentex.train(model, data, steps=60, batch_size=8, device="cpu")
    assert error() < 0.75 * before


class Waves(MemoryDataset):
    """Slopes under waves that run across or down, wherever they begin."""

    def __init__(self):
        super().__init__("waves", "train", torch.zeros(256, 1, 32, 32, dtype=torch.uint8))

    def batch(self, indices):
        index = torch.as_tensor(indices)[:, None, None, None]
        slope = (index * 37 % 101) / 101
        x = torch.arange(32.0).expand(1, 1, 32, 32)
        structure = 0.3 + 0.4 / 32 * (slope * x + (1 - slope) * x.mT)
        wave = 0.15 * torch.sin(math.pi / 2 * x + index * 2.4)
        texture = torch.where(index % 2 == 0, wave, wave.mT)
        return Batch(structure + texture, layers=Layers(structure, texture))


@pytest.mark.slow
def test_texture_goes_from_one_image_to_another():
    data = Waves()
    model = gentex.create("swap", image=data.image, seed=0, width=8, lr=2e-3)
    gentex.train(model, data, steps=2000, batch_size=8, seed=0, device="cpu")
    batch = data.batch(range(64))
    assert batch.layers is not None

    def across(texture):
        """The share of a texture's changes that is from column to column."""
        columns, rows = (texture.diff(dim=dim).square().mean() for dim in (-1, -2))
        return float(columns / (columns + rows))

    with torch.no_grad():
        structure = model.eval().separate(batch.images).structure
        assert (structure - batch.layers.structure).abs().mean() < 0.02
        for source, low, high in ((0, 0.9, 1.0), (1, 0.0, 0.1)):
            texture = model.swap(structure, batch.images[[source]]) - structure
            assert low <= across(batch.layers.texture[[source]]) <= high
            assert low <= across(texture) <= high
            assert 0.5 < texture.std() / batch.layers.texture.std() < 2


def test_a_swap_depends_on_the_structure_of_one_and_the_texture_of_the_other():
    model = small().eval()
    first, second = noise(4, 3, 20, 18).chunk(2)
    with torch.no_grad():
        made = model.swap(first, second)
        assert made.shape == first.shape
        assert made.min() >= 0
        assert made.max() <= 1
        assert torch.equal(made, model.swap(first, second))
        assert not torch.allclose(made, model.swap(first, first), atol=1e-4)
        assert not torch.allclose(made, model.swap(second, second), atol=1e-4)
        alone = model.swap(first[1:], second[1:])
        assert (alone - made[1:]).abs().max() < 1e-5


def test_one_texture_serves_all_structures_and_may_have_another_size():
    model = small().eval()
    structures, texture = noise(3, 3, 16, 24), noise(1, 3, 9, 31)
    with torch.no_grad():
        together = model.swap(structures, texture)
        repeated = model.swap(structures, texture.expand(3, -1, -1, -1))
    assert together.shape == structures.shape
    assert (together - repeated).abs().max() < 1e-6
    with pytest.raises(DataError, match="textures of 2 images for 3 structures"):
        model.swap(structures, texture.expand(2, -1, -1, -1))


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (33, 7), (64, 40)], ids=str)
def test_it_works_at_any_size(size):
    model, images = small().eval(), noise(2, 3, *size)
    with torch.no_grad():
        layers = model.separate(images)
        codes = model.encode(images)
    assert layers.structure.shape == images.shape
    assert (layers.image - images).abs().max() <= 1e-6
    torch.testing.assert_close(codes.norm(dim=1), torch.ones(2))


def test_the_structure_code_has_the_length_1_everywhere_and_a_quarter_of_the_resolution():
    where, _ = small().encoder(noise(2, 3, 32, 24))
    assert where.shape == (2, 4, 8, 6)
    torch.testing.assert_close(where.norm(dim=1), torch.ones(2, 8, 6))


def test_modulation_is_a_convolution_with_scaled_and_normalised_weights():
    layer = Modulated(3, 5, 4)
    x, code = torch.randn(2, 3, 7, 6), torch.randn(2, 4)
    nn.init.normal_(layer.bias)
    expected = []
    for one, scale in zip(x, layer.style(code), strict=True):
        weight = layer.weight * scale[:, None, None]
        weight = weight / weight.square().sum((1, 2, 3), keepdim=True).sqrt()
        filtered = functional.conv2d(one[None], weight, layer.bias, padding=1)
        expected.append(functional.leaky_relu(filtered, 0.2) * 2**0.5)
    torch.testing.assert_close(layer(x, code), torch.cat(expected), rtol=1e-4, atol=1e-5)


def test_patches_lie_in_their_image_and_have_an_eighth_to_a_quarter_of_its_sides():
    rows, columns = torch.meshgrid(torch.arange(64.0), torch.arange(128.0), indexing="ij")
    images = torch.stack([torch.stack([rows, columns]), torch.stack([rows, columns]) + 1000])
    torch.manual_seed(0)
    found = torch.stack([patches(images) for _ in range(50)])
    assert found.shape == (50, 2 * PATCHES, 2, PATCH, PATCH)
    first, second = found[:, :PATCHES], found[:, PATCHES:] - 1000
    for part in (first, second):
        for dim, side in ((0, 64), (1, 128)):
            places = part[:, :, dim]
            assert places.min() >= 0
            assert places.max() <= side - 1
            # From the middle of the first sample to that of the last is one sample less.
            extent = (places.amax((-2, -1)) - places.amin((-2, -1))) * PATCH / (PATCH - 1) / side
            assert 0.11 < extent.min() < 0.15
            assert 0.22 < extent.max() < 0.251


def test_r1_of_a_discriminator_whose_gradient_is_known():
    discriminator = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
    penalty = r1(discriminator, torch.randn(5, 3, 2, 2))
    weight = discriminator[1].weight
    torch.testing.assert_close(penalty, weight.mean(0).square().sum())
    (gradient,) = torch.autograd.grad(penalty, weight)
    torch.testing.assert_close(gradient, 2 / 3 * weight.mean(0).expand(3, -1))


def test_every_loss_reaches_only_the_side_that_it_is_for():
    model = small()
    batch = Batch(noise(4, 3, 16, 16))
    names = []
    for update in model.training_step(batch):
        names.append(update.optimizer)
        model.zero_grad()
        for group in model.optimizers()[update.optimizer].param_groups:
            update.loss.backward(inputs=group["params"])
            assert all(p.grad is not None and p.grad.any() for p in group["params"])
    assert names == ["discriminator", "generator"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"width": 0}, "width=0"),
        ({"structure": 0}, "structure=0"),
        ({"texture": 0}, "texture=0"),
        ({"gamma": 0.0}, "gamma=0.0"),
        ({"lr": -1.0}, "lr=-1.0"),
    ],
    ids=str,
)
def test_values_that_are_refused(wrong, says):
    with pytest.raises(HyperparameterError, match=says):
        small(**wrong)
