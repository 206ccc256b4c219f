"""Vector-quantised variational autoencoder: van den Oord, Vinyals & Kavukcuoglu 2017.

«Neural Discrete Representation Learning», with the codebook learned by moving averages (appendix
A.1) and a gated PixelCNN as the prior over its codes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn

from gentex import Batch, Encoder, Generator, ImageShape, Rng, Update, randn
from gentex_vae.blocks import down, up
from gentex_vae.checks import check_positive, unconditional
from gentex_vae.codebook import Codebook
from gentex_vae.likelihoods import DiscretisedLogistic
from gentex_vae.pixelcnn import PixelCNN


class VQVAE(Generator, Encoder):
    def __init__(
        self,
        image: ImageShape,
        *,
        codes: int = 512,
        latent: int = 64,
        width: int = 128,
        halvings: int = 2,
        commitment: float = 0.25,
        decay: float = 0.99,
        prior_width: int = 64,
        prior_layers: int = 8,
        lr: float = 2e-4,
        prior_lr: float = 1e-3,
    ) -> None:
        super().__init__()
        self.dim, self.commitment, self.lr, self.prior_lr = latent, commitment, lr, prior_lr
        shapes = grids(image, width, halvings)
        self.grid = shapes[-1][1:]
        self.encoder = encoder(shapes, latent)
        self.codebook = Codebook(codes, latent, decay=decay)
        self.decoder = decoder(shapes, latent)
        self.likelihood = DiscretisedLogistic(image.channels)
        self.prior = PixelCNN(codes, width=prior_width, layers=prior_layers)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        autoencoder = [*self.encoder.parameters(), *self.decoder.parameters(), *self.likelihood.parameters()]
        return {
            "autoencoder": torch.optim.Adam(autoencoder, lr=self.lr, fused=True),
            "prior": torch.optim.Adam(self.prior.parameters(), lr=self.prior_lr, fused=True),
        }

    def training_step(self, batch: Batch) -> Iterator[Update]:
        z = self.encoder(2 * batch.images - 1).float()
        codes = self.codebook.nearest(z)
        quantised = self.codebook(codes)
        straight_through = z + (quantised - z).detach()
        distortion = -self.likelihood.log_prob(batch.images, self.decoder(straight_through))
        distortion = distortion.mean() / batch.images[0].numel()
        commitment = (z - quantised).square().mean()
        usage = torch.bincount(codes.flatten(), minlength=len(self.codebook.counts)) / codes.numel()
        logs = {"distortion": distortion.detach(), "commitment": commitment.detach(), "perplexity": torch.special.entr(usage).sum().exp()}
        yield Update("autoencoder", distortion + self.commitment * commitment, logs)
        self.codebook.update(z, codes)
        yield Update("prior", -self.prior.log_prob(codes).mean() / codes[0].numel())

    @torch.no_grad()
    def sample(self, n: int, *, rng: Rng = None, condition: Tensor | None = None) -> Tensor:
        unconditional("vq-vae", condition)
        codes = self.prior.sample(randn((n, *self.grid), rng=rng, device=self.device))
        return self.likelihood.mean(self.decoder(self.codebook(codes)))

    def codes(self, images: Tensor) -> Tensor:
        return self.codebook.nearest(self.encoder(2 * images - 1))

    def encode(self, images: Tensor) -> Tensor:
        return self.codebook(self.codes(images)).mean((2, 3))

    def bits_per_dim(self, images: Tensor) -> Tensor:
        codes = self.codes(images)
        log_prob = self.likelihood.log_prob(images, self.decoder(self.codebook(codes)))
        return -(log_prob + self.prior.log_prob(codes)) / (math.log(2) * images[0].numel())


def grids(image: ImageShape, width: int, halvings: int) -> list[ImageShape]:
    shapes = [image]
    for i in range(halvings):
        c = width // 2 if i == 0 and halvings>1 else width
        shapes.append(ImageShape(c, shapes[-1].height // 2, shapes[-1].width // 2))
    return shapes


def encoder(shapes: list[ImageShape], latent: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for above, below in pairwise(shapes):
        layers += [down(above, below), nn.ReLU(inplace=True)]
    width = shapes[-1].channels
    return nn.Sequential(*layers, nn.Conv2d(width, width, 3, padding=1), Residual(width), Residual(width), nn.ReLU(), nn.Conv2d(width, latent, 1))


def decoder(shapes: list[ImageShape], latent: int) -> nn.Sequential:
    width = shapes[-1].channels
    layers: list[nn.Module] = [nn.Conv2d(latent, width, 3, padding=1), Residual(width), Residual(width)]
    for below, above in pairwise(shapes[::-1]):
        layers += [nn.ReLU(), up(below, above)]
    return nn.Sequential(*layers)


class Residual(nn.Module):
    """x + conv1×1(ReLU(conv3×3(ReLU(x))))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(width, max(1,width // 4), 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(max(1,width // 4), width, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = x + self.branch(x)
        return features
