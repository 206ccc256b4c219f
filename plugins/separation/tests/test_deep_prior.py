"""Two untrained networks: the contract, and that no call leaves anything behind."""

import pytest
import torch
from gentex_separation.learned.deep_prior import Prior, exclusion

import gentex
from gentex import ImageShape
from gentex.errors import HyperparameterError
from gentex.testing.contract import contract

QUICK = {"iterations": 2, "width": 4}
CHECKS = [
    pytest.param(check, id=name)
    for found, name, check in contract("separation", hyperparameters={"deep-prior": QUICK})
    if found.card.name == "deep-prior"
]


@pytest.mark.parametrize("check", CHECKS)
def test_contract(check):
    check()


def build(channels: int = 3, seed: int = 0, **hyperparameters):
    shape = ImageShape(channels, 16, 16)
    return gentex.create("deep-prior", image=shape, seed=seed, **{**QUICK, **hyperparameters})


def noise(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def stripes_on_a_step(size: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    """The structure, and the texture."""
    x = torch.arange(size)
    structure = torch.where(x < size // 2, 0.3, 0.7).expand(1, 1, size, size)
    return structure, (0.1 * (-1.0) ** x)[:, None].expand(1, 1, size, size)


def test_it_separates_stripes_from_a_step():
    structure, texture = stripes_on_a_step()
    separator = build(1, iterations=250, width=8)
    error = separator.separate(structure + texture).structure - structure
    assert error.square().mean() < 0.1 * texture.square().mean()
    blurred = gentex.create("gaussian", image=ImageShape(1, 32, 32), strength=1.5)
    floor = blurred.separate(structure + texture).structure - structure
    assert error.square().mean() < 0.5 * floor.square().mean()


def test_the_fit_goes_down():
    separator, f = build(1, iterations=40), sum(stripes_on_a_step())
    seen = []
    loss_of = separator.loss_of

    def watched(*layers):
        seen.append(loss_of(*layers))
        return seen[-1]

    separator.loss_of = watched
    separator.separate(f)
    assert len(seen) == 40
    assert seen[-1] < seen[0] / 3


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (33, 7), (24, 40)], ids=str)
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_layers_of_any_size_add_up(size, channels):
    images = noise(2, channels, *size)
    structure, texture = build(channels).separate(images)
    assert structure.shape == images.shape
    assert torch.equal(texture, images - structure)
    assert bool(structure.isfinite().all())
    assert structure.min() >= 0
    assert structure.max() <= 1


def test_an_image_has_the_same_bits_whatever_its_batch_its_layout_and_the_mode_of_the_call():
    separator, images = build(), noise(3, 3, 20, 18)
    state = torch.get_rng_state()
    together = separator.separate(images).structure
    assert torch.equal(torch.get_rng_state(), state)
    assert not together.requires_grad
    with torch.inference_mode():
        alone = separator.separate(images[1:2].clone()).structure
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        again = separator.separate(images.contiguous(memory_format=torch.channels_last)).structure
    torch.manual_seed(1)
    assert torch.equal(build().separate(images).structure, together)
    assert torch.equal(alone[0], together[1])
    assert torch.equal(again, together)


def test_weights_and_noise_come_from_the_seed_and_are_saved_with_it(tmp_path):
    images = noise(1, 3, 16, 16)
    first, second = (build(seed=seed) for seed in (0, 1))
    expected = first.separate(images).structure
    assert not torch.equal(second.separate(images).structure, expected)
    loaded = gentex.load(gentex.save(first, tmp_path))
    assert torch.equal(loaded.separate(images).structure, expected)


def test_both_networks_are_used_and_every_parameter_counts():
    separator, f = build(1), noise(1, 1, 32, 32)  # 2×2 pixels at the coarsest
    rng = torch.Generator().manual_seed(0)
    structure, texture = (Prior(f, 4, rng) for _ in range(2))
    separator.loss_of(f, structure().sigmoid(), 0.1 * texture()).backward()
    for network in (structure, texture):
        assert all(p.grad is not None and p.grad.any() for p in network.parameters())


def test_nothing_trains():
    separator = build()
    assert separator.optimizers() == {}
    assert not list(separator.parameters())


def test_precisions_and_empty_batches():
    images = noise(1, 3, 15, 14)
    half = build().separate(images.half())
    assert half.structure.dtype == half.texture.dtype == torch.float32
    assert build().separate(images.double()).texture.dtype == torch.float64
    assert build().separate(images[:0]).structure.shape == (0, 3, 15, 14)


def test_exclusion_is_between_gradients_at_the_same_places():
    x = torch.arange(32)
    edge = torch.where(x < 16, 0.0, 1.0).expand(1, 1, 32, 32)
    elsewhere = torch.where(x < 4, 0.0, 1.0).expand(1, 1, 32, 32)
    flat = torch.full_like(edge, 0.5)
    same, apart = exclusion(edge, edge), exclusion(edge, elsewhere)
    assert same > 5 * apart
    assert exclusion(edge, flat) < 0.05 * same


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"strength": 0.0}, "strength=0.0"),
        ({"iterations": 0}, "iterations=0"),
        ({"width": 0}, "width=0"),
        ({"lr": float("inf")}, "lr=inf"),
    ],
    ids=str,
)
def test_values_that_are_refused(wrong, says):
    with pytest.raises(HyperparameterError, match=says):
        build(**wrong)


@pytest.mark.slow
def test_it_beats_the_floors_on_training_composites():
    from gentex.metrics.layers import structure_psnr

    data = gentex.load_dataset("composites:medium", "train", size=64)
    batch = data.batch(range(8))

    def psnr(separator) -> float:
        return float(structure_psnr(batch.layers, separator.separate(batch.images)).mean())

    floors = [gentex.create("identity", image=data.image)]
    floors += [gentex.create("gaussian", image=data.image, strength=s) for s in (1.0, 1.5, 2.0)]
    fitted = gentex.create("deep-prior", image=data.image, seed=0)
    assert psnr(fitted) > max(map(psnr, floors)) + 1
