import numpy as np
import pytest
import torch
from gentex_vae.autoencoder import ConvAutoencoder
from gentex_vae.conv_vae import ConvVAE
from gentex_vae.mixture import GaussianMixture

import gentex
from gentex import Batch, ImageShape
from gentex.errors import HyperparameterError

IMAGE = ImageShape(1, 16, 16)


def clusters(n: int = 3000) -> torch.Tensor:
    """Two correlated Gaussians, a quarter of the points in the first, far from the origin."""
    first = torch.randn(n // 4, 2) @ torch.tensor([[2.0, 1.0], [0.0, 0.5]]) + torch.tensor([90, 50])
    second = torch.randn(n - n // 4, 2) * torch.tensor([0.5, 3.0]) + torch.tensor([110, 40])
    return torch.cat([first, second])


def test_the_mixture_finds_the_clusters():
    mixture = GaussianMixture(2, 2)
    mixture.fit(clusters())
    first, second = mixture.means[:, 0].argsort().tolist()
    torch.testing.assert_close(
        mixture.weights[[first, second]], torch.tensor([0.25, 0.75]), rtol=0, atol=0.01
    )
    torch.testing.assert_close(mixture.means[first], torch.tensor([90.0, 50.0]), rtol=0, atol=0.3)
    covariances = mixture.factors @ mixture.factors.mT
    torch.testing.assert_close(
        covariances[first], torch.tensor([[4.0, 2.0], [2.0, 1.25]]), rtol=0.15, atol=0.1
    )
    torch.testing.assert_close(
        covariances[second], torch.tensor([[0.25, 0.0], [0.0, 9.0]]), rtol=0.15, atol=0.1
    )


def test_draws_have_the_moments_of_the_points():
    points = clusters()
    mixture = GaussianMixture(2, 2)
    mixture.fit(points)
    drawn = mixture(torch.randn(20_000, 3))
    torch.testing.assert_close(drawn.mean(0), points.mean(0), rtol=0.01, atol=0)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(points.T), rtol=0.05, atol=0.5)


@pytest.mark.parametrize("points", [torch.randn(3, 4), torch.ones(30, 4)], ids=["few", "equal"])
def test_the_mixture_of_hardly_any_points(points):
    mixture = GaussianMixture(5, 4)
    mixture.fit(points)
    drawn = mixture(torch.randn(1000, 5))
    assert mixture.weights.sum().item() == pytest.approx(1)
    assert torch.cdist(drawn, points).amin(1).max() < 0.2


def test_the_networks_are_those_of_the_vae():
    """Of the same width; only the head is the mean alone."""
    ours, vae = ConvAutoencoder(IMAGE), ConvVAE(IMAGE)
    for mine, its in ((ours.encoder[:-1], vae.encoder[:-1]), (ours.decoder, vae.decoder)):
        assert [p.shape for p in mine.parameters()] == [p.shape for p in its.parameters()]


def test_the_loss_is_the_squared_error_of_an_image():
    model = ConvAutoencoder(IMAGE, width=4, latent=4)
    images = torch.rand(5, *IMAGE)
    output = 0.5 + model.decoder(model.encode(images))
    expected = sum(((output[i] - images[i]) ** 2).sum() for i in range(5)) / 5
    torch.testing.assert_close(model.loss(Batch(images)), expected)


def test_it_learns_and_samples_from_what_it_learned(bars):
    model = ConvAutoencoder(IMAGE, width=8, latent=4, lr=1e-2)
    images = bars.batch(range(256)).images
    before = model.loss(Batch(images))
    gentex.train(model, bars, steps=200, batch_size=32, device="cpu")
    model.eval()
    assert model.loss(Batch(images)) < 0.25 * before
    codes = model.encode(images)
    drawn = model.mixture(torch.randn(2000, 5))
    torch.testing.assert_close(drawn.std(0), codes.std(0), rtol=0.2, atol=0)
    samples = model.sample(256, rng=torch.Generator().manual_seed(0))
    assert (samples.mean(0) - images.mean(0)).abs().mean() < 0.15 * images.std()
    # A sample is near an image of the data, far nearer than the images are to each other.
    apart = torch.cdist(images.flatten(1), images.flatten(1)).median()
    assert torch.cdist(samples.flatten(1), images.flatten(1)).amin(1).median() < 0.5 * apart


def test_the_mixture_is_saved(bars, tmp_path):
    model = gentex.create("cnn-autoencoder", image=IMAGE, width=4, latent=4, components=3)
    gentex.train(model, bars, steps=2, batch_size=8, device="cpu")
    loaded = gentex.load(gentex.save(model, tmp_path))
    assert torch.equal(loaded.mixture.factors, model.mixture.factors)
    assert not torch.equal(loaded.mixture.factors[0], torch.eye(4))


def test_errors():
    with pytest.raises(HyperparameterError, match="components=0"):
        ConvAutoencoder(IMAGE, components=0)
    with pytest.raises(TypeError, match="not class-conditional"):
        ConvAutoencoder(IMAGE).sample(2, condition=torch.zeros(2, dtype=torch.int64))
