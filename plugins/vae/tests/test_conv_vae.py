import math

import pytest
import torch
from gentex_vae.conv_vae import ConvVAE
from torch.distributions import Normal, kl_divergence

import gentex
from gentex import Batch, ImageShape
from gentex.errors import HyperparameterError

IMAGE = ImageShape(1, 16, 16)


def small(image: ImageShape = IMAGE, **hyperparameters) -> ConvVAE:
    return ConvVAE(image, **{"width": 8, "latent": 4} | hyperparameters)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def eight_bit(n: int, image: ImageShape = IMAGE) -> torch.Tensor:
    return torch.randint(256, (n, *image)) / 255


def test_elbo_against_distributions():
    """The KL by torch's formula, the likelihood by the distribution function in float64."""
    model, images = small(), eight_bit(5)
    with torch.no_grad():
        mean, log_variance = model.posterior(images)
        posterior = Normal(mean, torch.exp(log_variance / 2))
        z = mean + posterior.stddev * torch.randn(mean.shape, generator=rng())
        mu, s = 0.5 + model.decoder(z).double(), model.likelihood.scale().double()
        upper = torch.sigmoid((images + 0.5 / 255 - mu) / s).where(images < 1, 1.0)
        lower = torch.sigmoid((images - 0.5 / 255 - mu) / s).where(images > 0, 0.0)
        log_prob = (upper - lower).log().sum((1, 2, 3))
        kl = kl_divergence(posterior, Normal(0.0, 1.0)).sum(1)
        expected = log_prob - kl
        torch.testing.assert_close(
            model.elbo(images, rng=rng()).double(), expected, rtol=1e-4, atol=0
        )
        bits = model.bits_per_dim(images, rng=rng()).double()
        torch.testing.assert_close(bits, -expected / (256 * math.log(2)), rtol=1e-4, atol=0)


def test_the_importance_weighted_bound_tends_to_the_likelihood():
    """With one latent dimension log p(x) is an integral over a line, which quadrature gives."""
    model, images = small(latent=1), eight_bit(3)
    with torch.no_grad():
        z = torch.linspace(-8, 8, 401)
        output = model.decoder(z[:, None])
        log_joint = torch.stack(
            [model.likelihood.log_prob(x.expand_as(output), output) for x in images]
        ) + Normal(0.0, 1.0).log_prob(z)
        exact = torch.logsumexp(log_joint, 1) + math.log(16 / 400)
        bounds = {k: model.log_likelihood(images, k=k, rng=rng()) for k in (1, 10, 500)}
        elbo = torch.stack([model.elbo(images) for _ in range(100)]).mean(0)
    assert (elbo < exact).all()
    assert (bounds[500] - exact).abs().max() < (elbo - exact).abs().max()
    torch.testing.assert_close(bounds[500], exact, rtol=0, atol=0.3)
    bits = model.bits_per_dim(images, k=10, rng=rng())
    torch.testing.assert_close(bits, -bounds[10] / (256 * math.log(2)))


@pytest.mark.parametrize(("beta", "free_bits"), [(1.0, 0.0), (4.0, 0.0), (1.0, 0.25), (0.5, 3.0)])
def test_loss(beta, free_bits):
    model, images = small(beta=beta, free_bits=free_bits), eight_bit(6)
    with torch.random.fork_rng():
        (update,) = model.training_step(Batch(images))
    mean, log_variance = model.posterior(images)
    posterior = Normal(mean, torch.exp(log_variance / 2))
    output = model.decoder(posterior.rsample())
    distortion = -model.likelihood.log_prob(images, output).mean()
    rate = kl_divergence(posterior, Normal(0.0, 1.0)).mean(0)
    kept = torch.stack([torch.maximum(r, torch.tensor(free_bits * math.log(2))) for r in rate])
    torch.testing.assert_close(update.loss, distortion + beta * kept.sum())
    torch.testing.assert_close(update.logs["kl"], rate.sum())


def test_the_weight_of_the_kl_grows_over_the_warm_up(bars):
    model = small(beta=2.0, warmup_steps=4)
    weights = []
    for _ in range(6):
        (update,) = model.training_step(bars.batch(range(8)))
        weights.append((update.loss - update.logs["distortion"]) / update.logs["kl"])
    torch.testing.assert_close(
        torch.stack(weights), torch.tensor([0, 0.5, 1, 1.5, 2, 2]), rtol=0, atol=1e-3
    )


def test_a_checkpoint_carries_the_warm_up(bars, tmp_path):
    hyperparameters = {"width": 8, "latent": 4, "warmup_steps": 10}
    whole, first, second = (
        gentex.create("conv-vae", image=IMAGE, seed=0, **hyperparameters) for _ in range(3)
    )
    gentex.train(whole, bars, steps=6, device="cpu")
    gentex.train(first, bars, steps=3, device="cpu", checkpoint=tmp_path / "c.pt")
    gentex.train(second, bars, steps=6, device="cpu", checkpoint=tmp_path / "c.pt")
    assert second.steps == 6
    for name, value in whole.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name


@pytest.mark.parametrize("likelihood", ["logistic", "gaussian"])
def test_it_learns(bars, likelihood):
    """Bits per dimension fall towards the 5 bits of the noise, and samples look like the data."""
    model = small(likelihood=likelihood, lr=1e-2)
    images = bars.batch(range(256)).images
    assert model.bits_per_dim(images).mean() > 9
    gentex.train(model, bars, steps=200, batch_size=32, device="cpu")
    model.eval()
    assert 5 < model.bits_per_dim(images).mean() < 6.4
    assert model.encode(images).std(0).max() > 0.5  # of 1 under the prior: the latents are used
    samples = model.sample(256, rng=rng())
    assert (samples.mean(0) - images.mean(0)).abs().mean() < 0.25 * images.std()
    assert samples.std(0).mean() > 0.5 * images.std(0).mean()


@pytest.mark.parametrize(
    ("image", "code"),
    [
        (ImageShape(1, 8, 8), (8, 4, 4)),
        (ImageShape(1, 28, 28), (32, 3, 3)),
        (ImageShape(3, 32, 32), (32, 4, 4)),
        (ImageShape(3, 33, 47), (32, 4, 5)),
        (ImageShape(3, 17, 64), (16, 4, 16)),
        (ImageShape(3, 256, 256), (64, 4, 4)),
    ],
    ids=str,
)
def test_any_sides_from_five_pixels_on(image, code):
    with torch.device("meta"):
        model = small(image)
        unflattened = model.decoder[1](model.decoder[0](torch.empty(2, 4)))
        assert unflattened.shape == (2, *code)
        assert model.decoder(torch.empty(2, 4)).shape == (2, *image)
        assert model.encoder(torch.empty(2, *image)).shape == (2, 8)


def test_every_pixel_reaches_the_encoder():
    """The windows cover odd rows and columns too."""
    image = torch.rand(1, 1, 9, 15, requires_grad=True)
    small(ImageShape(1, 9, 15)).encode(image).square().sum().backward()
    assert (image.grad != 0).all()


def test_errors():
    with pytest.raises(HyperparameterError, match="5 pixels"):
        small(ImageShape(3, 4, 32))
    with pytest.raises(HyperparameterError, match="did you mean 'gaussian'"):
        small(likelihood="gausian")
    with pytest.raises(HyperparameterError, match="latent=0"):
        small(latent=0)
    with pytest.raises(HyperparameterError, match="free_bits=-1"):
        small(free_bits=-1.0)
    with pytest.raises(HyperparameterError, match="black and white"):
        small(likelihood="bernoulli").bits_per_dim(eight_bit(2))
    with pytest.raises(TypeError, match="not class-conditional"):
        small().sample(2, condition=torch.zeros(2, dtype=torch.int64))
