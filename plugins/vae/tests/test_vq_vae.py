import math

import pytest
import torch
from gentex_vae.codebook import Codebook
from gentex_vae.vq_vae import VQVAE

import gentex
from gentex import Batch, ImageShape
from gentex.errors import HyperparameterError

IMAGE = ImageShape(1, 16, 16)


def small(image: ImageShape = IMAGE, **hyperparameters) -> VQVAE:
    default = {"width": 16, "latent": 8, "codes": 16, "prior_width": 16, "prior_layers": 3}
    return VQVAE(image, **default | hyperparameters)


def test_codes_are_those_of_the_nearest_vectors():
    book = Codebook(9, 5, decay=0.9)
    z = torch.randn(2, 5, 3, 4)
    codes = book.nearest(z)
    distances = torch.cdist(z.movedim(1, -1).flatten(0, 2), book.vectors)
    assert torch.equal(codes.flatten(), distances.argmin(1))
    assert torch.equal(book(codes)[1, :, 2, 3], book.vectors[codes[1, 2, 3]])


def test_bfloat16_autocast_takes_the_same_codes():
    book = Codebook(64, 8, decay=0.9)
    book.vectors.add_(10)
    z = 10 + torch.randn(1, 8, 16, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        codes = book.nearest(z)
    assert torch.equal(codes, book.nearest(z))


def test_the_codebook_follows_the_means_of_the_data():
    """The moving averages of appendix A.1, by hand, where every code is alive."""
    book = Codebook(2, 1, decay=0.75)
    book.vectors.copy_(torch.tensor([[0.0], [10.0]]))
    z = torch.tensor([1.0, 3.0, 9.0]).view(1, 1, 1, 3)
    codes = book.nearest(z)
    assert codes.flatten().tolist() == [0, 0, 1]
    book.update(z, codes)
    assert book.vectors.flatten().tolist() == [2.0, 9.0]
    later = torch.tensor([4.0, 10.0, 12.0]).view(1, 1, 1, 3)
    book.update(later, book.nearest(later))
    # The first: sums 4/4, then 3/4 · 1 + 1/4 · 4; counts 2/4, then 3/4 · 1/2 + 1/4 · 1. And so on.
    expected = torch.tensor([1.75 / 0.625, (0.75 * 2.25 + 5.5) / (0.75 * 0.25 + 0.5)])
    torch.testing.assert_close(book.vectors.flatten(), expected)


def test_dead_codes_come_back_among_the_data():
    """However far the codebook lies from the data, soon every code is in use."""
    book = Codebook(16, 2, decay=0.9)
    book.vectors.add_(1000)
    z = torch.randn(4, 2, 16, 16)
    first = book.nearest(z)
    for _ in range(10):
        book.update(z, book.nearest(z))
    codes = book.nearest(z)
    assert book.perplexity(first) < 4
    assert book.perplexity(codes) > 10
    assert torch.bincount(codes.flatten(), minlength=16).min() > 0
    assert book.vectors.abs().max() < 5


def test_the_updates_of_a_step():
    """Equation 3 by hand; its gradient goes straight through; the prior's goes nowhere else."""
    model, images = small(), torch.randint(256, (4, *IMAGE)) / 255
    before = model.codebook.vectors.clone()
    steps = model.training_step(Batch(images))
    update = next(steps)
    z = model.encoder(2 * images - 1)
    quantised = before[torch.cdist(z.movedim(1, -1), before).argmin(-1)].movedim(-1, 1)
    leaf = quantised.clone().requires_grad_()
    distortion = -model.likelihood.log_prob(images, model.decoder(leaf)).mean() / 256
    commitment = (z - quantised).square().mean()
    torch.testing.assert_close(update.loss, distortion + 0.25 * commitment)
    (through,) = torch.autograd.grad(distortion, leaf)
    through = through + 0.25 * 2 * (z - quantised) / z.numel()
    weight = model.encoder[0].weight
    (expected,) = torch.autograd.grad(z, weight, through, retain_graph=True)
    (got,) = torch.autograd.grad(update.loss, weight, retain_graph=True)
    torch.testing.assert_close(got, expected)
    assert torch.equal(model.codebook.vectors, before)
    update = next(steps)
    assert update.optimizer == "prior"
    assert not torch.equal(model.codebook.vectors, before)
    (none,) = torch.autograd.grad(update.loss, [weight], allow_unused=True)
    assert none is None
    assert next(steps, None) is None


def test_bits_per_dimension_bound_the_sum_over_all_codes():
    """With 2×2 places of 3 codes p(x) is a sum of 81 terms; the bound is the one of its codes."""
    model = small(ImageShape(1, 8, 8), codes=3)
    images = torch.randint(256, (3, 1, 8, 8)) / 255
    grids = torch.cartesian_prod(*[torch.arange(3)] * 4).view(-1, 2, 2)
    with torch.no_grad():
        output = model.decoder(model.codebook(grids))
        terms = model.prior.log_prob(grids) + torch.stack(
            [model.likelihood.log_prob(x.expand_as(output), output) for x in images]
        )
        own = [(grids == codes).all(2).all(1).int().argmax() for codes in model.codes(images)]
        bits = model.bits_per_dim(images)
    chosen = terms[torch.arange(3), torch.stack(own)]
    torch.testing.assert_close(bits, -chosen / (64 * math.log(2)))
    assert (bits > -terms.logsumexp(1) / (64 * math.log(2))).all()


def test_it_learns(bars):
    """Bits per dimension fall, codes are in use, and samples from the prior look like the data."""
    model = small(lr=5e-3)
    images = bars.batch(range(256)).images
    before = model.bits_per_dim(images, rng=torch.Generator()).mean()
    history = gentex.train(model, bars, steps=250, batch_size=32, device="cpu")
    model.eval()
    after = model.bits_per_dim(images).mean()
    assert before > 8
    assert 5 < after < 6.8
    assert history.steps == 250
    assert model.codebook.perplexity(model.codes(images)) > 3
    samples = model.sample(128, rng=torch.Generator().manual_seed(0))
    assert (samples.mean(0) - images.mean(0)).abs().mean() < 0.25 * images.std()
    assert samples.std(0).mean() > 0.5 * images.std(0).mean()


@pytest.mark.parametrize(
    ("image", "halvings", "grid"),
    [
        (ImageShape(1, 28, 28), 2, (7, 7)),
        (ImageShape(3, 9, 15), 2, (2, 3)),
        (ImageShape(3, 64, 128), 3, (8, 16)),
        (ImageShape(1, 4, 4), 2, (1, 1)),
    ],
    ids=str,
)
def test_grids(image, halvings, grid):
    model = small(image, halvings=halvings)
    assert model.codes(torch.rand(2, *image)).shape == (2, *grid)
    assert model.decoder(torch.rand(2, 8, *grid)).shape == (2, *image)


def test_errors():
    with pytest.raises(HyperparameterError, match="4 pixels"):
        small(ImageShape(1, 3, 16))
    with pytest.raises(HyperparameterError, match="decay=1"):
        small(decay=1.0)
    with pytest.raises(HyperparameterError, match="codes=0"):
        small(codes=0)
    with pytest.raises(TypeError, match="not class-conditional"):
        small().sample(2, condition=torch.zeros(2, dtype=torch.int64))
