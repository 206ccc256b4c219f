"""Vector-quantised variational autoencoder: van den Oord, Vinyals & Kavukcuoglu 2017.

«Neural Discrete Representation Learning», with the codebook learned by moving averages (appendix
A.1; Razavi et al. 2019) and a gated PixelCNN as the prior over grids of codes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn

from gentex import Batch, Encoder, Generator, ImageShape, Rng, Update, randn
from gentex.errors import HyperparameterError
from gentex_vae.blocks import down, near_zero, up
from gentex_vae.checks import check_positive, unconditional
from gentex_vae.codebook import Codebook
from gentex_vae.likelihoods import DiscretisedLogistic
from gentex_vae.pixelcnn import PixelCNN


class VQVAE(Generator, Encoder):
    """Images as grids of codes, p(x | codes) p(codes); the prior learns as the codes come about.

    The likelihood is logistic, discretised to the 256 grey levels, with one learned scale for each
    channel: so the weight of the commitment loss has the same sense on dark and on bright data.

    image: any sides from 2^halvings pixels on.
    codes: size of the codebook.
    latent: dimensions of its vectors; also those of the features, the mean vector of an image.
    width: channels of the autoencoder. The paper has 256; 64 did best in minutes on a CPU.
    halvings: an image of H×W is H/2^halvings × W/2^halvings codes. Sampling takes a pass of the
        prior for each, so large images want 3 or 4 halvings.
    commitment: weight β of the commitment loss.
    decay: γ of the moving averages that the codebook follows.
    prior_width, prior_layers: channels and gated layers of the prior.
    lr: learning rate of Adam, for autoencoder and prior. The paper has 2e-4, for 250 000 steps.
    """

    def __init__(
        self,
        image: ImageShape,
        *,
        codes: int = 512,
        latent: int = 64,
        width: int = 64,
        halvings: int = 2,
        commitment: float = 0.25,
        decay: float = 0.99,
        prior_width: int = 64,
        prior_layers: int = 5,
        lr: float = 1e-3,
    ) -> None:
        super().__init__()
        check_positive(codes=codes, latent=latent, width=width, halvings=halvings, lr=lr)
        check_positive(commitment=commitment, prior_width=prior_width, prior_layers=prior_layers)
        if not 0 < decay < 1:
            raise HyperparameterError(f"decay={decay!r}: a number between 0 and 1 is allowed")
        self.dim, self.commitment, self.lr = latent, commitment, lr
        shapes = pyramid(image, width, halvings)
        self.grid = (shapes[-1].height, shapes[-1].width)
        self.encoder = encoder(shapes, latent)
        self.codebook = Codebook(codes, latent, decay=decay)
        self.decoder = decoder(shapes, latent)
        self.likelihood = DiscretisedLogistic(image.channels)
        self.prior = PixelCNN(codes, width=prior_width, layers=prior_layers)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        autoencoder = nn.ModuleList([self.encoder, self.decoder, self.likelihood])
        return {
            "autoencoder": torch.optim.Adam(autoencoder.parameters(), lr=self.lr, fused=True),
            "prior": torch.optim.Adam(self.prior.parameters(), lr=self.lr, fused=True),
        }

    def training_step(self, batch: Batch) -> Iterator[Update]:
        """Equation 3, a mean over pixels and over latents; then -log p(codes), a mean over codes.

        Its middle term, which moves the codebook, is the moving average.
        """
        z = self.latents(batch.images)
        codes = self.codebook.nearest(z)
        quantised = self.codebook(codes)
        straight_through = z + (quantised - z).detach()
        log_prob = self.likelihood.log_prob(batch.images, self.decoder(straight_through))
        distortion = -log_prob.mean() / batch.images[0].numel()
        commitment = (z - quantised).square().mean()
        logs = {
            "distortion": distortion.detach(),
            "commitment": commitment.detach(),
            "perplexity": self.codebook.perplexity(codes),
        }
        yield Update("autoencoder", distortion + self.commitment * commitment, logs)
        self.codebook.update(z, codes)
        yield Update("prior", -self.prior.log_prob(codes).mean() / codes[0].numel())

    @torch.no_grad()
    def sample(self, n: int, *, rng: Rng = None, condition: Tensor | None = None) -> Tensor:
        """The mean image of p(x | codes) for codes from the prior: no pixel noise is added."""
        unconditional("vq-vae", condition)
        codes = self.prior.sample(randn((n, *self.grid), rng=rng, device=self.device))
        return self.likelihood.mean(self.decoder(self.codebook(codes)))

    def encode(self, images: Tensor) -> Tensor:
        """The mean over the grid of the vectors of the codes, (N, latent)."""
        quantised: Tensor = self.codebook(self.codes(images))
        return quantised.mean((2, 3))

    def codes(self, images: Tensor) -> Tensor:
        """The grid of codes of each image, (N, h, w)."""
        return self.codebook.nearest(self.latents(images))

    def latents(self, images: Tensor) -> Tensor:
        """What is quantised, (N, latent, h, w)."""
        z: Tensor = self.encoder(2 * images - 1)
        return z.float()

    def bits_per_dim(self, images: Tensor, *, rng: Rng = None) -> Tensor:
        """An upper bound on -log₂ p(x) / (C·H·W) for 8-bit images, (N,): lower is better.

        p(x) is a sum over all grids of codes, and at least its one term p(x | codes) p(codes) for
        those that the image is given. Nothing is drawn from `rng`: the bound has no noise.
        """
        codes = self.codes(images)
        log_prob = self.likelihood.log_prob(images, self.decoder(self.codebook(codes)))
        return -(log_prob + self.prior.log_prob(codes)) / (math.log(2) * images[0].numel())


def pyramid(image: ImageShape, width: int, halvings: int) -> list[ImageShape]:
    """Shapes from the image down to the grid of codes; those between have half the width."""
    smallest = 2**halvings
    if min(image.height, image.width) < smallest:
        raise HyperparameterError(
            f"image {image} with halvings={halvings}: sides from {smallest} pixels on are allowed"
        )
    shapes = [image]
    for left in reversed(range(halvings)):
        channels = max(1, width // 2) if left else width
        shapes.append(ImageShape(channels, shapes[-1].height // 2, shapes[-1].width // 2))
    return shapes


def encoder(shapes: list[ImageShape], latent: int) -> nn.Sequential:
    """Images (N, C, H, W) in [-1, 1] to what is quantised, (N, latent, h, w)."""
    width = shapes[-1].channels
    layers: list[nn.Module] = []
    for above, below in pairwise(shapes):
        layers += [down(above, below), nn.ReLU(inplace=True)]
    layers += [nn.Conv2d(width, width, 3, padding=1), Residual(width), Residual(width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(width, latent, 1))


def decoder(shapes: list[ImageShape], latent: int) -> nn.Sequential:
    """Quantised (N, latent, h, w) to (N, C, H, W), unbounded and near 0 at first."""
    width = shapes[-1].channels
    layers: list[nn.Module] = [nn.Conv2d(latent, width, 3, padding=1)]
    layers += [Residual(width), Residual(width)]
    for below, above in pairwise(shapes[::-1]):
        layers += [nn.ReLU(), up(below, above)]
    near_zero(layers[-1])
    return nn.Sequential(*layers)


class Residual(nn.Module):
    """x + conv1×1(ReLU(conv3×3(ReLU(x)))), with a quarter of the channels between."""

    def __init__(self, width: int) -> None:
        super().__init__()
        between = max(1, width // 4)
        self.branch = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(width, between, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(between, width, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = x + self.branch(x)
        return features
