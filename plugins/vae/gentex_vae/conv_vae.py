"""Convolutional variational autoencoder: Kingma & Welling 2014, «Auto-Encoding Variational Bayes».

Trained on the plain evidence lower bound; where it is asked for, with the weight β on the
KL term (Higgins et al. 2017), free bits (Kingma et al. 2016) and KL warm-up (Sønderby et al. 2016).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from gentex import Batch, Encoder, Generator, ImageShape, Rng, Update, randn
from gentex.errors import HyperparameterError
from gentex_vae.blocks import decoder, encoder
from gentex_vae.checks import check_not_negative, check_positive, choose, unconditional
from gentex_vae.likelihoods import LIKELIHOODS, Name


class ConvVAE(Generator, Encoder):
    """p(x | z) p(z) with z ~ N(0, I), and the posterior q(z | x) = N(mean(x), diag variance(x)).

    image: any sides from 5 pixels on.
    latent: dimensions of z; also those of the features, the posterior mean.
    width: channels at half the size of the image; they double with each halving, up to 8 × width.
    likelihood: p(x | z): «logistic», discretised to the 256 grey levels; «gaussian», of dequantised
        ones; «bernoulli», of black and white pixels. The spread of the first two is learned.
    beta: weight β of the KL term in the loss.
    free_bits: information per latent dimension, in bits, below which its KL is not reduced.
    warmup_steps: steps over which β grows from 0 to its value.
    lr: learning rate of Adam.
    """

    steps: Tensor

    def __init__(
        self,
        image: ImageShape,
        *,
        latent: int = 64,
        width: int = 32,
        likelihood: Name = "logistic",
        beta: float = 1.0,
        free_bits: float = 0.0,
        warmup_steps: int = 0,
        lr: float = 1e-3,
    ) -> None:
        super().__init__()
        check_positive(latent=latent, width=width, lr=lr)
        check_not_negative(beta=beta, free_bits=free_bits, warmup_steps=warmup_steps)
        self.dim, self.lr = latent, lr
        self.beta, self.free_bits, self.warmup_steps = beta, free_bits, warmup_steps
        self.encoder = encoder(image, width, 2 * latent)
        self.decoder = decoder(image, width, latent)
        self.likelihood = choose("likelihood", likelihood, LIKELIHOODS)(image.channels)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"vae": torch.optim.Adam(self.parameters(), lr=self.lr, fused=True)}

    def training_step(self, batch: Batch) -> Iterator[Update]:
        """-E_q log p(x | z) + β_t ∑_j max(λ, KL_j), in nats per image.

        The free bits λ bound the mean over the batch, not that of an image (Kingma et al. 2016).
        """
        mean, log_variance = self.posterior(batch.images)
        z = reparameterised(mean, log_variance)
        distortion = -self.likelihood.log_prob(batch.images, self.decoder(z)).mean()
        rate = kl_to_prior(mean, log_variance).mean(0)
        weight: Tensor | float = self.beta
        if self.warmup_steps:
            weight = self.beta * (self.steps / self.warmup_steps).clamp(max=1)
        loss = distortion + weight * rate.clamp(min=self.free_bits * math.log(2)).sum()
        yield Update(None, loss, {"distortion": distortion.detach(), "kl": rate.detach().sum()})
        self.steps += 1

    @torch.no_grad()
    def sample(self, n: int, *, rng: Rng = None, condition: Tensor | None = None) -> Tensor:
        """The mean image of p(x | z) for z ~ N(0, I): no pixel noise is added."""
        unconditional("conv-vae", condition)
        return self.likelihood.mean(self.decoder(randn((n, self.dim), rng=rng, device=self.device)))

    def encode(self, images: Tensor) -> Tensor:
        """The posterior mean, (N, latent)."""
        return self.posterior(images)[0]

    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z | x), (N, latent) each."""
        mean, log_variance = self.encoder(2 * images - 1).float().chunk(2, dim=1)
        return mean, log_variance

    def elbo(self, images: Tensor, *, rng: Rng = None) -> Tensor:
        """E_q log p(x | z) - KL(q(z | x) ‖ p(z)) with one draw of z for each image, (N,) nats.

        A lower bound on log p(x) in expectation, whatever β and free bits it was trained with.
        """
        mean, log_variance = self.posterior(images)
        z = reparameterised(mean, log_variance, rng)
        log_prob = self.likelihood.log_prob(images, self.decoder(z))
        return log_prob - kl_to_prior(mean, log_variance).sum(1)

    def log_likelihood(self, images: Tensor, *, k: int = 64, rng: Rng = None) -> Tensor:
        """The importance-weighted bound log 1/k ∑ p(x, z_i) / q(z_i | x) on log p(x), (N,) nats.

        It rises with `k` towards log p(x): Burda et al. 2016, section 3. State `k` with the value.
        """
        mean, log_variance = self.posterior(images)
        log_weights = []
        for _ in range(k):
            z = reparameterised(mean, log_variance, rng)
            log_prior = -z.square().sum(1) / 2
            log_posterior = -((z - mean).square() / log_variance.exp() + log_variance).sum(1) / 2
            log_prob = self.likelihood.log_prob(images, self.decoder(z))
            log_weights.append(log_prob + log_prior - log_posterior)
        return torch.stack(log_weights).logsumexp(0) - math.log(k)

    def bits_per_dim(self, images: Tensor, *, k: int = 1, rng: Rng = None) -> Tensor:
        """An upper bound on -log₂ p(x) / (C·H·W) for 8-bit images, (N,): lower is better.

        k: 1 takes the ELBO; more, the importance-weighted bound with k draws.

        Raises HyperparameterError with the Bernoulli likelihood, which is not one of 8-bit images.
        """
        if not self.likelihood.eight_bit:
            raise HyperparameterError(
                "likelihood='bernoulli' is one of black and white pixels, without bits per "
                "dimension of 8-bit images; 'logistic' and 'gaussian' have them"
            )
        bound = self.elbo(images, rng=rng) if k == 1 else self.log_likelihood(images, k=k, rng=rng)
        return -bound / (math.log(2) * images[0].numel())


def reparameterised(mean: Tensor, log_variance: Tensor, rng: Rng = None) -> Tensor:
    """A draw from q that the gradient passes through: mean + deviation · ε with ε ~ N(0, I)."""
    noise = randn(mean.shape, rng=rng, device=mean.device)
    return mean + torch.exp(log_variance / 2) * noise


def kl_to_prior(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) ‖ N(0, 1)) of every latent dimension, (N, latent), in nats."""
    return (mean.square() + log_variance.exp() - 1 - log_variance) / 2
