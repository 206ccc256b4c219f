"""Image i of a seed is the same, however many are asked for and however they are batched."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import gentex
from gentex import Generator, ImageShape, randn
from gentex.interfaces import sample_rngs
from gentex.interfaces.noise import _stream

SHAPE = (2, 3, 4)


class Copies(Generator):
    """Draws images, each a constant plus noise; nothing in it depends on the batch."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(2)
        self.calls = []

    def sample(self, n, *, rng=None, condition=None):
        assert not self.training
        assert not torch.is_grad_enabled()
        self.calls.append(n)
        images = self.norm(randn((n, *SHAPE), rng=rng)) / 6 + 0.5
        return images if condition is None else images * 0 + condition.view(-1, 1, 1, 1) / 255


@given(
    n=st.integers(1, 9),
    start=st.integers(0, 9),
    batch_size=st.integers(1, 10),
    seed=st.integers(0, 2**40),
)
def test_depends_on_seed_and_index_alone(n, start, batch_size, seed):
    model = Copies()
    whole = gentex.sample(model, start + n, seed=seed, batch_size=64)
    part = gentex.sample(model, n, seed=seed, start=start, batch_size=batch_size)
    assert torch.equal(part, whole[start:])
    assert max(model.calls[1:]) <= batch_size


def test_no_two_images_are_alike():
    model = Copies()
    many = gentex.sample(model, 300, seed=1).flatten(1)
    others = gentex.sample(model, 300, seed=2).flatten(1)
    assert len(torch.cat([many, others]).unique(dim=0)) == 600


def test_no_two_samples_share_a_stream():
    """Among so many, hashes of 32 bits would meet four or five times."""
    seeds = {_stream(7, index) for index in range(200_000)}
    assert len(seeds) == 200_000
    assert max(seeds) < 2**32
    (rng,) = sample_rngs(7, [5])
    assert rng.initial_seed() == _stream(7, 5)


def test_dcgan_samples_the_same_in_other_batches():
    """Up to a grey level: a convolution rounds as it is told to by the size of its batch."""
    pytest.importorskip("gentex_gan", reason="the gan plugin is not installed")
    model = gentex.create("dcgan", image=ImageShape(3, 16, 16), width=8, seed=0)
    for parameter in model.generator.parameters():
        parameter.data *= 4  # as it is, all images are nearly grey
    whole = gentex.sample(model, 7, seed=3)
    for batch_size in (1, 2, 5):
        part = gentex.sample(model, 7, seed=3, batch_size=batch_size)
        assert (part.int() - whole.int()).abs().max() <= 1
    assert whole.float().std() > 5


def test_images_are_whole_grey_levels():
    class Ramp(Generator):
        def sample(self, n, *, rng=None, condition=None):
            return torch.tensor([-0.2, 0, 0.4 / 255, 0.6 / 255, 0.5, 1, 1.2]).expand(n, 1, 1, 7)

    images = gentex.sample(Ramp(), 2)
    assert images.dtype == torch.uint8
    assert images.tolist() == 2 * [[[[0, 0, 0, 1, 128, 255, 255]]]]


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_left_in_its_mode(training):
    model = Copies().train(training)
    gentex.sample(model, 3)
    assert model.training == model.norm.training == training

    def fail(*_, **__):
        raise ZeroDivisionError

    model.sample = fail
    with pytest.raises(ZeroDivisionError):
        gentex.sample(model, 3)
    assert model.training == model.norm.training == training


def test_no_images_have_a_shape_too():
    assert gentex.sample(Copies(), 0).shape == (0, *SHAPE)
    assert gentex.sample(Copies(), 0).dtype == torch.uint8


def test_conditions_follow_their_images():
    classes = torch.arange(7)
    images = gentex.sample(Copies(), 7, condition=classes, batch_size=3)
    assert images[:, 0, 0, 0].tolist() == classes.tolist()
    with pytest.raises(ValueError, match="7 samples under 6 conditions"):
        gentex.sample(Copies(), 7, condition=classes[:6])


def test_samples_can_be_written_to_and_trained_on():
    images = gentex.sample(Copies(), 2)
    images[0] = 0
    weight = torch.ones(SHAPE, requires_grad=True)
    (images.float() * weight).sum().backward()
    assert weight.grad is not None


def test_sampling_leaves_the_global_random_state_alone():
    before = torch.get_rng_state()
    gentex.sample(Copies(), 3)
    assert torch.equal(torch.get_rng_state(), before)


def test_noise_is_drawn_row_by_row():
    together = randn((3, 5), rng=sample_rngs(1, range(3)))
    for index in range(3):
        assert torch.equal(together[index], randn((1, 5), rng=sample_rngs(1, [index]))[0])
    one = torch.Generator().manual_seed(4)
    wanted = torch.randn(3, 5, generator=torch.Generator().manual_seed(4))
    assert torch.equal(randn((3, 5), rng=one), wanted)
    assert randn((0, 5), rng=[]).shape == (0, 5)
    assert randn((2, 5), dtype=torch.float64).dtype == torch.float64
    with pytest.raises(ValueError, match="noise for 3 samples from 2 generators"):
        randn((3, 5), rng=sample_rngs(0, range(2)))


def test_streams_of_neighbouring_seeds_and_indices_are_unrelated():
    """Standard normal, and no more alike than chance over 1600 values: 5 deviations of 1/40."""
    streams = [randn((1, 1600), rng=sample_rngs(s, [i]))[0] for s in range(4) for i in range(4)]
    correlation = torch.corrcoef(torch.stack(streams))
    assert correlation.fill_diagonal_(0).abs().max() < 5 / 40
    values = torch.stack(streams)
    assert values.mean().abs() < 5 / 160
    assert values.std() == pytest.approx(1, abs=0.02)
