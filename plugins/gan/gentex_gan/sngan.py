"""SNGAN: Miyato, Kataoka, Koyama & Yoshida 2018, «Spectral Normalization for GANs».

With classes it is the projection discriminator of Miyato & Koyama 2018, «cGANs with Projection
Discriminator» (arXiv 1802.05637).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.nn.utils import parametrize

from gentex import Batch, ImageShape, Update
from gentex_gan.gan import GAN
from gentex_gan.losses import hinge_discriminator, wasserstein_generator
from gentex_gan.resnet import ResidualDiscriminator, ResidualGenerator
from gentex_gan.sizes import check_positive


class SNGAN(GAN):
    """The hinge loss with a discriminator whose every layer has the spectral norm 1.

    All discriminator steps of a training step see the same real images, with new generated ones
    each time.

    latent: length of the noise vector.
    width: channels of the discriminator, at maps up to 32×32; the generator has twice as many.
    classes: of a class-conditional SNGAN; needs a dataset with labels. 0 for an unconditional one.
    n_critic: discriminator steps for each step of the generator.
    lr, beta1, beta2: of Adam, for both networks.
    augment, truncation: see `GAN`.
    """

    def __init__(
        self,
        image: ImageShape,
        *,
        latent: int = 128,
        width: int = 128,
        classes: int = 0,
        n_critic: int = 5,
        lr: float = 2e-4,
        beta1: float = 0.0,
        beta2: float = 0.9,
        augment: str = "",
        truncation: float | None = None,
    ) -> None:
        super().__init__(
            latent=latent,
            classes=classes,
            lr=lr,
            betas=(beta1, beta2),
            augment=augment,
            truncation=truncation,
        )
        check_positive(width=width, n_critic=n_critic)
        self.n_critic = n_critic
        self.generator = ResidualGenerator(image, latent, 2 * width, classes)
        self.discriminator = ProjectionDiscriminator(image, width, classes)

    def training_step(self, batch: Batch) -> Iterator[Update]:
        real, labels = batch.images * 2 - 1, self.condition(batch)
        for _ in range(self.n_critic):
            with torch.no_grad():
                fake = self.generator(self.noise(len(batch)), *labels)
            on_real = self.discriminator(self.augment(real), *labels)
            on_fake = self.discriminator(self.augment(fake), *labels)
            self.augment.adapt(on_real)
            logs = {"real": on_real.detach().mean(), "fake": on_fake.detach().mean()}
            yield Update("discriminator", hinge_discriminator(on_real, on_fake), logs)
        fake = self.generator(self.noise(len(batch)), *labels)
        on_fake = self.discriminator(self.augment(fake), *labels)
        yield Update("generator", wasserstein_generator(on_fake))


class ProjectionDiscriminator(nn.Module):
    """ψ(φ(x)) + ⟨e(y), φ(x)⟩: logits (N,) of images, and of labels (N,) where there are classes."""

    def __init__(self, image: ImageShape, width: int, classes: int = 0) -> None:
        super().__init__()
        self.features = ResidualDiscriminator(image, width, pool=lambda x: x.sum((2, 3)))
        self.score = nn.Linear(width, 1)
        nn.init.xavier_uniform_(self.score.weight)
        self.embedding = nn.Embedding(classes, width) if classes else None
        self.apply(spectral)

    def forward(self, images: Tensor, *labels: Tensor) -> Tensor:
        features = self.features(images)
        logits: Tensor = self.score(features).squeeze(1)
        if self.embedding is not None:
            logits = logits + (self.embedding(*labels) * features).sum(1)
        return logits


class SpectralNorm(nn.Module):
    """A weight divided by its largest singular value, estimated by one power iteration a pass.

    The weight is the matrix (out, in · height · width). The estimate moves in training mode only.
    """

    u: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.register_buffer("u", normalize(torch.randn(len(weight)), dim=0))

    def forward(self, weight: Tensor) -> Tensor:
        # Products and sums, which autocast leaves in float32, where it would round a matmul.
        matrix, u = weight.flatten(1), self.u
        with torch.no_grad():
            v = normalize((u[:, None] * matrix).sum(0), dim=0)
            if self.training:  # a new tensor: a backward pass may still want the old one
                self.u = u = normalize((matrix * v).sum(1), dim=0)
        return weight / (u * (matrix * v).sum(1)).sum()


def spectral(module: nn.Module) -> None:
    """Give a layer the spectral norm 1."""
    if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding):
        parametrize.register_parametrization(module, "weight", SpectralNorm(module.weight))
