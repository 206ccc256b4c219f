"""DCGAN: Radford, Metz & Chintala 2016.

«Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks».
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from torch import nn

from gentex import Batch, ImageShape, Update
from gentex_gan.gan import GAN
from gentex_gan.losses import logistic_discriminator, nonsaturating_generator
from gentex_gan.sizes import check_positive, pyramid


class DCGAN(GAN):
    """Transposed convolutions against strided ones, with batch norm in both.

    image: sides from 16 to 256, powers of two (others where they can be halved down to 4 to 7).
    latent: length of the noise vector z.
    width: channels at half the size of the image; they double with each halving, up to 8 × width
        (256-128-64 at 32×32). The paper has 128 at 64×64; 64 is what most comparisons use.
    lr, beta1: of Adam, for both networks.
    augment, truncation: see `GAN`.
    """

    def __init__(
        self,
        image: ImageShape,
        *,
        latent: int = 100,
        width: int = 64,
        lr: float = 2e-4,
        beta1: float = 0.5,
        augment: str = "",
        truncation: float | None = None,
    ) -> None:
        super().__init__(
            latent=latent, lr=lr, betas=(beta1, 0.999), augment=augment, truncation=truncation
        )
        check_positive(width=width)
        self.generator = generator(image, latent, width)
        self.discriminator = discriminator(image, width)
        self.apply(initialise)

    def training_step(self, batch: Batch) -> Iterator[Update]:
        fake = self.augment(self.generator(self.noise(len(batch))))
        # Real and fake in passes of their own: batch norm would tell a joint batch apart.
        on_real = self.discriminator(self.augment(batch.images * 2 - 1))
        on_fake = self.discriminator(fake.detach())
        self.augment.adapt(on_real)
        logs = {"real": on_real.detach().mean(), "fake": on_fake.detach().mean()}
        yield Update("discriminator", logistic_discriminator(on_real, on_fake), logs)
        yield Update("generator", nonsaturating_generator(self.discriminator(fake)))


def widths(doublings: int, width: int) -> list[int]:
    """Channels from half the size of the image down to the seed map: 64, 128, 256 at 32×32."""
    return [width * min(2**i, 8) for i in range(doublings)]


def generator(image: ImageShape, latent: int, width: int) -> nn.Sequential:
    """Noise (N, latent) to images (N, C, H, W) in [-1, 1]."""
    doublings, seed = pyramid(image)
    channels = widths(doublings, width)[::-1]
    layers: list[nn.Module] = [
        nn.Unflatten(1, (latent, 1, 1)),
        nn.ConvTranspose2d(latent, channels[0], seed, bias=False),
        nn.BatchNorm2d(channels[0]),
        nn.ReLU(inplace=True),
    ]
    for inner, outer in pairwise(channels):
        layers += [
            nn.ConvTranspose2d(inner, outer, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(outer),
            nn.ReLU(inplace=True),
        ]
    last = nn.ConvTranspose2d(channels[-1], image.channels, 4, stride=2, padding=1)
    return nn.Sequential(*layers, last, nn.Tanh())


def discriminator(image: ImageShape, width: int) -> nn.Sequential:
    """Images (N, C, H, W) in [-1, 1] to logits (N,): high for real."""
    doublings, seed = pyramid(image)
    channels = widths(doublings, width)
    layers: list[nn.Module] = [  # no batch norm next to the image: section 3 of the paper
        nn.Conv2d(image.channels, channels[0], 4, stride=2, padding=1),
        nn.LeakyReLU(0.2, inplace=True),
    ]
    for outer, inner in pairwise(channels):
        layers += [
            nn.Conv2d(outer, inner, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(inner),
            nn.LeakyReLU(0.2, inplace=True),
        ]
    return nn.Sequential(*layers, nn.Conv2d(channels[-1], 1, seed), nn.Flatten(0))


def initialise(module: nn.Module) -> None:
    """Weights from N(0, 0.02) (section 4 of the paper), gains of batch norm from N(1, 0.02)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1, 0.02)
        nn.init.zeros_(module.bias)
