"""Convolutional autoencoder, sampled by a mixture fitted to its codes: Ghosh et al. 2020.

«From Variational to Deterministic Autoencoders», whose ex-post density estimation this is.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from gentex import Batch, Encoder, Generator, ImageShape, Rng, randn
from gentex_vae.blocks import decoder, encoder
from gentex_vae.checks import check_positive, unconditional
from gentex_vae.likelihoods import location
from gentex_vae.mixture import GaussianMixture


class ConvAutoencoder(Generator, Encoder):
    """The networks of `conv-vae` without its noise and its prior, nor any other regularisation.

    In the paper's comparisons that is «AE», with the mixture of ten Gaussians. Until `finish` has
    fitted the mixture, codes are drawn from N(0, I).

    image: any sides from 5 pixels on.
    latent: dimensions of a code; also those of the features, the codes.
    width: channels at half the size of the image; they double with each halving, up to 8 × width.
    components: Gaussians of full covariance in the mixture; 10 as in the paper.
    lr: learning rate of Adam.
    """

    def __init__(
        self,
        image: ImageShape,
        *,
        latent: int = 64,
        width: int = 32,
        components: int = 10,
        lr: float = 1e-3,
    ) -> None:
        super().__init__()
        check_positive(latent=latent, width=width, components=components, lr=lr)
        self.dim, self.lr = latent, lr
        self.encoder = encoder(image, width, latent)
        self.decoder = decoder(image, width, latent)
        self.mixture = GaussianMixture(components, latent)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"autoencoder": torch.optim.Adam(self.parameters(), lr=self.lr, fused=True)}

    def loss(self, batch: Batch) -> Tensor:
        """The squared error, summed over an image and averaged over the batch."""
        output = location(self.decoder(self.encode(batch.images)))
        return (output - batch.images).square().flatten(1).sum(1).mean()

    def finish(self, batches: Iterator[Batch]) -> None:
        """Fit the mixture to the codes of the training images."""
        self.mixture.fit(torch.cat([self.encode(batch.images) for batch in batches]))

    @torch.no_grad()
    def sample(self, n: int, *, rng: Rng = None, condition: Tensor | None = None) -> Tensor:
        """Decoded draws from the mixture, cut to [0, 1]."""
        unconditional("cnn-autoencoder", condition)
        z = self.mixture(randn((n, 1 + self.dim), rng=rng, device=self.device))
        return location(self.decoder(z)).clamp(0, 1)

    def encode(self, images: Tensor) -> Tensor:
        """The code, (N, latent)."""
        z: Tensor = self.encoder(2 * images - 1)
        return z.float()
