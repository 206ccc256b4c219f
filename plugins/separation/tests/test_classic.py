"""What holds for every classic separator, whatever its method."""

import importlib

import pytest
import torch
from gentex_separation.cards import CLASSIC
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from gentex import ImageShape
from gentex.errors import HyperparameterError
from gentex.separation import separate_tiled
from gentex.testing.contract import contract

NAMES = [card.name for card in CLASSIC]
QUICK = {"mca": {"rounds": 3}, "rolling-guidance": {"rounds": 1}}
CHECKS = [
    pytest.param(check, id=f"{found.card.name}-{name}")
    for found, name, check in contract("separation", hyperparameters=QUICK)
    if found.card.name in NAMES
]


def build(name: str, channels: int = 3, **hyperparameters):
    target = {card.name: card.target for card in CLASSIC}[name]
    module, attribute = target.split(":")
    shape = ImageShape(channels, 16, 16)
    return getattr(importlib.import_module(module), attribute)(shape, **hyperparameters)


def noise(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def photograph(height: int, width: int) -> torch.Tensor:
    image = torch.tensor(data.astronaut()[:height, 150 : 150 + width])
    return image.permute(2, 0, 1)[None] / 255


@pytest.mark.parametrize("check", CHECKS)
def test_contract(check):
    check()


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=8, deadline=None)
@given(st.integers(1, 3), st.integers(1, 5), st.integers(1, 40), st.integers(1, 40))
def test_layers_of_any_size_add_up(name, n, channels, height, width):
    images = noise(n, channels, height, width)
    structure, texture = build(name, channels, **QUICK.get(name, {})).separate(images)
    assert structure.shape == images.shape
    assert structure.dtype == texture.dtype == torch.float32
    assert torch.equal(texture, images - structure)
    assert (structure + texture - images).abs().max() <= 1.2e-7
    assert structure.min() > -0.5
    assert structure.max() < 1.5


@pytest.mark.parametrize("name", NAMES)
def test_no_image_depends_on_its_batch_and_no_call_on_the_last(name):
    separator = build(name, **QUICK.get(name, {}))
    images = torch.cat([noise(1, 3, 20, 26), torch.full((1, 3, 20, 26), 0.4), noise(2, 3, 20, 26)])
    images[2] *= 0.1
    before = images.clone()
    together = separator.separate(images).structure
    for i in (2, 0, 1, 3):
        alone = separator.separate(images[i : i + 1]).structure
        assert torch.equal(alone[0], together[i])
    assert torch.equal(images, before)


@pytest.mark.parametrize("name", ["rof", "tv-l1", "tv-g", "rtv", "l0", "mca"])
def test_nor_where_all_are_solved_at_once_as_on_a_gpu(name, monkeypatch):
    monkeypatch.setattr("gentex_separation.solution.group_size", lambda images: len(images))
    monkeypatch.setattr("gentex_separation.operators.group_size", lambda images: len(images))
    separator = build(name, **QUICK.get(name, {}))
    images = torch.cat([photograph(130, 140), noise(1, 3, 130, 140), noise(1, 3, 130, 140) * 0.1])
    together = separator.separate(images).structure
    for i in range(3):
        alone = separator.separate(images[i : i + 1]).structure
        assert (alone[0] - together[i]).abs().max() < 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_grey_in_three_channels_is_grey_in_one(name):
    grey = photograph(40, 44).mean(1, keepdim=True)
    one = build(name, 1).separate(grey).structure
    three = build(name, 3).separate(grey.expand(-1, 3, -1, -1)).structure
    assert (three - one).abs().max() < 1e-4


@pytest.mark.parametrize("method", ["rof", "tv_l1", "tv_g"])
def test_rounding_errors_do_not_keep_an_iteration_going(method):
    solve = getattr(importlib.import_module(f"gentex_separation.classic.{method}"), method)
    for jitter in (0, 1e-7, 1e-6):
        image = 0.6 + jitter * noise(1, 3, 137, 133)
        assert solve(image, 0.3).iterations.item() <= 2000


@pytest.mark.parametrize("name", NAMES)
def test_constant_images_are_all_structure(name):
    texture = build(name).separate(torch.full((2, 3, 137, 133), 0.6)).texture
    assert texture.abs().max() < 1e-5


@pytest.mark.parametrize("name", [name for name in NAMES if name != "identity"])
def test_more_strength_takes_more_texture(name):
    image = photograph(64, 64) + 0.05 * noise(1, 3, 64, 64)
    default = build(name).strength
    texture = [
        build(name, strength=factor * default).separate(image).texture.square().mean()
        for factor in (1, 2, 4)
    ]
    assert 0 < texture[0] < texture[1] < texture[2]


@pytest.mark.parametrize("name", NAMES)
def test_precisions(name):
    images = noise(1, 3, 15, 14)
    half = build(name).separate(images.half())
    assert half.structure.dtype == half.texture.dtype == torch.float32
    double = build(name).separate(images.double())
    assert double.structure.dtype == double.texture.dtype == torch.float64
    assert build(name).separate(images[:0]).structure.shape == (0, 3, 15, 14)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_trains(name):
    separator = build(name)
    assert separator.optimizers() == {}
    assert not list(separator.parameters())
    layers = separator.separate(noise(1, 3, 8, 8).requires_grad_())
    assert not layers.structure.requires_grad


@pytest.mark.parametrize(
    ("name", "wrong", "says"),
    [
        ("rof", {"strength": 0.0}, "strength=0.0: allowed are finite numbers above 0"),
        ("rof", {"tolerance": float("nan")}, "tolerance=nan"),
        ("gaussian", {"strength": float("inf")}, "strength=inf"),
        ("median", {"strength": 1.5}, "strength=1.5: allowed are whole numbers"),
        ("rtv", {"rounds": 0}, "rounds=0"),
        ("l0", {"growth": 1.0}, "growth=1.0: allowed are finite numbers above 1"),
        ("mca", {"block": 7}, "block=7: allowed are even numbers"),
        ("guided", {"radius": -1}, "radius=-1"),
    ],
)
def test_values_that_are_refused(name, wrong, says):
    with pytest.raises(HyperparameterError, match=says):
        build(name, **wrong)


# How much a tile's result differs from the whole image's, at the most: nothing where a method looks
# no further than a quarter of the overlap, little where distant pixels hardly count.
SEAMS = {
    **dict.fromkeys(("identity", "gaussian", "median", "rolling-guidance"), 1e-5),
    **dict.fromkeys(("guided", "bilateral"), 1e-5),
    **{"rtv": 5e-3, "rof": 0.02, "tv-l1": 0.03, "tv-g": 0.04, "l0": 0.1, "mca": 0.3},
}


@pytest.mark.parametrize("name", NAMES)
def test_tiles_have_no_seams(name):
    image, separator = photograph(170, 190), build(name)
    tiled = separate_tiled(separator, image, tile=120, overlap=64)
    assert torch.equal(tiled.texture, image - tiled.structure)
    whole = separator.separate(image).structure
    apart = tiled.structure - whole
    assert apart.abs().max() < SEAMS[name]
    # And no lines where tiles meet: no more than elsewhere does it change from pixel to pixel.
    for dim in (-1, -2):
        across_lines = apart.diff(dim=dim).abs().mean([d for d in range(4) if d != 4 + dim])
        assert across_lines.max() < 0.01


@pytest.mark.parametrize("name", [name for name in NAMES if name != "identity"])
def test_the_grid_is_accepted_and_more_strength_is_more_texture(name):
    grid = type(build(name)).grid
    first = next(iter(grid))
    assert first == "strength"
    assert list(grid[first]) == sorted(grid[first])
    for key, values in grid.items():
        for value in values:
            build(name, **{key: value})
    image = noise(1, 3, 24, 24)
    energies = [
        build(name, **{first: value}, **QUICK.get(name, {})).separate(image).texture.square().sum()
        for value in (grid[first][0], grid[first][-1])
    ]
    assert energies[0] < energies[1], "more strength is more texture"
