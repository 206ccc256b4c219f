"""WGAN-GP: Gulrajani, Ahmed, Arjovsky, Dumoulin & Courville 2017.

«Improved Training of Wasserstein GANs».
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from gentex import Batch, ImageShape, Update
from gentex_gan.gan import GAN
from gentex_gan.losses import wasserstein_critic, wasserstein_generator
from gentex_gan.regularisers import Lazy, gradient_penalty
from gentex_gan.resnet import ResidualDiscriminator, ResidualGenerator
from gentex_gan.sizes import check_positive


class WGANGP(GAN):
    """The Wasserstein distance, by a critic held near the slope 1 by a penalty on its gradient.

    The networks are the paper's residual ones. All critic steps of a training step see the same
    real images, with new generated ones each time.

    latent: length of the noise vector.
    width: channels of both networks, at maps up to 32×32.
    n_critic: critic steps for each step of the generator.
    penalty: weight λ of the gradient penalty.
    reg_every: take it at every k-th critic step only, with k times the weight.
    lr, beta1, beta2: of Adam, for both networks.
    augment, truncation: see `GAN`.
    """

    def __init__(
        self,
        image: ImageShape,
        *,
        latent: int = 128,
        width: int = 128,
        n_critic: int = 5,
        penalty: float = 10.0,
        reg_every: int = 1,
        lr: float = 1e-4,
        beta1: float = 0.0,
        beta2: float = 0.9,
        augment: str = "",
        truncation: float | None = None,
    ) -> None:
        super().__init__(
            latent=latent, lr=lr, betas=(beta1, beta2), augment=augment, truncation=truncation
        )
        check_positive(width=width, n_critic=n_critic, penalty=penalty, reg_every=reg_every)
        self.n_critic, self.penalty, self.lazy = n_critic, penalty, Lazy(reg_every)
        self.generator = ResidualGenerator(image, latent, width)
        self.discriminator = Critic(image, width)

    def training_step(self, batch: Batch) -> Iterator[Update]:
        real = batch.images * 2 - 1
        for _ in range(self.n_critic):
            with torch.no_grad():
                fake = self.generator(self.noise(len(batch)))
            real_seen, fake_seen = self.augment(real), self.augment(fake)
            on_real, on_fake = self.discriminator(real_seen), self.discriminator(fake_seen)
            loss = distance = wasserstein_critic(on_real, on_fake)
            if weight := self.lazy.due() * self.penalty:
                loss = loss + weight * gradient_penalty(self.discriminator, real_seen, fake_seen)
            self.augment.adapt(on_real - on_fake)
            yield Update("discriminator", loss, {"distance": -distance.detach()})
        fake = self.generator(self.noise(len(batch)))
        yield Update("generator", wasserstein_generator(self.discriminator(self.augment(fake))))


class Critic(nn.Module):
    """Images to scores (N,), which mean something only against each other: no bias at the end."""

    def __init__(self, image: ImageShape, width: int) -> None:
        super().__init__()
        self.features = ResidualDiscriminator(image, width, pool=lambda x: x.mean((2, 3)))
        self.score = nn.Linear(width, 1, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = self.score(self.features(images))
        return scores.squeeze(1)
