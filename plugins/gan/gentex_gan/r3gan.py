"""R3GAN: Huang, Gokaslan, Kuleshov & Tompkin 2024.

«The GAN is dead; long live the GAN! A Modern GAN Baseline».
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from gentex import Batch, ImageShape, Update
from gentex.errors import HyperparameterError
from gentex_gan.gan import GAN
from gentex_gan.losses import relativistic_discriminator, relativistic_generator
from gentex_gan.regularisers import Lazy, zero_centred_penalty
from gentex_gan.sizes import check_positive, pyramid, widths

BLOCKS = 2  # residual blocks at each size of the map
EXPANSION = 2  # of the channels inside a block
GROUP = 16  # channels in a group of its 3×3 convolution
GAIN = (2 / (1 + 0.2**2)) ** 0.5  # keeps the variance through a leaky ReLU

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)


class R3GAN(GAN):
    """The relativistic pairing loss with R1 and R2, and residual networks without normalisation.

    Where the paper moves a hyperparameter through training, the default is where it starts, but
    for β₂, where it is its end.

    latent: length of the noise vector.
    width: channels of both networks at maps up to 32×32, halved with each doubling beyond; the
        paper's, 768, are for a GPU.
    classes: of a class-conditional R3GAN; needs a dataset with labels. 0 for an unconditional one.
    gamma: weight γ of the penalties; the paper has 0.05 for CIFAR-10 and grows it with the image,
        to 2 for 64×64 and 150 for 256×256 faces.
    reg_every: take them at every k-th step only, with k times the weight.
    lr, beta1, beta2: of Adam, for both networks.
    augment, truncation: see `GAN`.
    """

    def __init__(
        self,
        image: ImageShape,
        *,
        latent: int = 64,
        width: int = 768,
        classes: int = 0,
        gamma: float = 0.05,
        reg_every: int = 1,
        lr: float = 2e-4,
        beta1: float = 0.0,
        beta2: float = 0.99,
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
        check_positive(width=width, gamma=gamma, reg_every=reg_every)
        self.gamma, self.lazy = gamma, Lazy(reg_every)
        self.generator = R3Generator(image, latent, width, classes)
        self.discriminator = R3Discriminator(image, width, classes)

    def training_step(self, batch: Batch) -> Iterator[Update]:
        labels = self.condition(batch)
        fake = self.augment(self.generator(self.noise(len(batch)), *labels))
        real = self.augment(batch.images * 2 - 1)
        if weight := self.lazy.due() * self.gamma / 2:
            r1, on_real = zero_centred_penalty(self.discriminator, real, *labels)
            r2, on_fake = zero_centred_penalty(self.discriminator, fake, *labels)
            loss = relativistic_discriminator(on_real, on_fake) + weight * (r1 + r2)
        else:
            on_real = self.discriminator(real, *labels)
            on_fake = self.discriminator(fake.detach(), *labels)
            loss = relativistic_discriminator(on_real, on_fake)
        lead = (on_real - on_fake).detach()
        self.augment.adapt(lead)
        yield Update("discriminator", loss, {"lead": lead.mean()})
        with torch.no_grad():
            on_real = self.discriminator(real, *labels)
        yield Update(
            "generator", relativistic_generator(on_real, self.discriminator(fake, *labels))
        )


class R3Generator(nn.Module):
    """Noise (N, latent), and labels (N,) where there are classes, to images, nominally in [-1, 1].

    The seed map is a learned basis, each channel scaled by a linear map of the noise. The label is
    noise like the rest: an embedding as long as z, beside it.
    """

    def __init__(self, image: ImageShape, latent: int, width: int, classes: int) -> None:
        super().__init__()
        doublings, seed = pyramid(image)
        channels = checked_widths(width, doublings)
        self.embedding = nn.Embedding(classes, latent) if classes else None
        entry = 2 * latent if classes else latent
        self.linear = scaled(nn.Linear(entry, channels[0], bias=False))
        self.basis = nn.Parameter(torch.randn(channels[0], *seed))
        blocks = BLOCKS * len(channels)
        stages: list[nn.Module] = [Block(channels[0], blocks) for _ in range(BLOCKS)]
        for inner, outer in pairwise(channels):
            stages += [Up(inner, outer), *(Block(outer, blocks) for _ in range(BLOCKS))]
        self.stages = nn.Sequential(*stages)
        self.to_image = scaled(nn.Conv2d(channels[-1], image.channels, 1, bias=False))

    def forward(self, z: Tensor, *labels: Tensor) -> Tensor:
        if self.embedding is not None:
            z = torch.cat([z, self.embedding(*labels)], dim=1)
        x = self.basis * self.linear(z)[:, :, None, None]
        images: Tensor = self.to_image(self.stages(x))
        return images


class R3Discriminator(nn.Module):
    """Images, and labels where there are classes, to logits (N,): the generator run backwards.

    With classes the last layer has a direction for each class: the projection on it is the logit.
    """

    def __init__(self, image: ImageShape, width: int, classes: int) -> None:
        super().__init__()
        doublings, seed = pyramid(image)
        channels = checked_widths(width, doublings)[::-1]
        blocks = BLOCKS * len(channels)
        self.from_image = scaled(nn.Conv2d(image.channels, channels[0], 1, bias=False))
        stages: list[nn.Module] = []
        for outer, inner in pairwise(channels):
            stages += [*(Block(outer, blocks) for _ in range(BLOCKS)), Down(outer, inner)]
        stages += [Block(channels[-1], blocks) for _ in range(BLOCKS)]
        self.stages = nn.Sequential(*stages)
        last = channels[-1]
        self.basis = scaled(nn.Conv2d(last, last, seed, groups=last, bias=False))
        self.embedding = nn.Embedding(classes, last) if classes else None
        self.linear = scaled(nn.Linear(last, last if classes else 1, bias=False))

    def forward(self, images: Tensor, *labels: Tensor) -> Tensor:
        x = self.stages(self.from_image(images))
        features: Tensor = self.linear(self.basis(x).flatten(1))
        if self.embedding is None:
            return features.squeeze(1)
        directions: Tensor = self.embedding(*labels) / features.shape[1] ** 0.5
        return (features * directions).sum(1)


class Block(nn.Module):
    """x + an inverted bottleneck: 1×1, grouped 3×3, 1×1 convolutions, leaky ReLUs between them.

    It starts as the identity, and its inner layers are scaled down by the number of blocks in the
    network (fix-up initialisation, Zhang et al. 2019), which stands in for normalisation.
    """

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        inside = channels * EXPANSION
        gain = GAIN * blocks ** (-1 / 4)  # L^(-1 / (2m - 2)) for the m = 3 layers of a block
        self.widen = scaled(nn.Conv2d(channels, inside, 1), gain)
        grouped = nn.Conv2d(inside, inside, 3, padding=1, groups=inside // GROUP)
        self.mix = scaled(grouped, gain)
        self.narrow = scaled(nn.Conv2d(inside, channels, 1, bias=False), 0)

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.mix(leaky_relu(self.widen(x), 0.2))
        residual = self.narrow(leaky_relu(residual, 0.2))
        return x + residual


class Up(nn.Sequential):
    """A map twice as large, bilinearly; a 1×1 convolution where the channels change."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__(
            *channel_change(inner, outer), nn.Upsample(scale_factor=2, mode="bilinear")
        )


class Down(nn.Sequential):
    """A map half as large, bilinearly; a 1×1 convolution where the channels change."""

    def __init__(self, outer: int, inner: int) -> None:
        super().__init__(nn.AvgPool2d(2), *channel_change(outer, inner))


def channel_change(before: int, after: int) -> list[nn.Module]:
    """A 1×1 convolution, or nothing where there is nothing to change."""
    return [] if before == after else [scaled(nn.Conv2d(before, after, 1, bias=False))]


def scaled(layer: Layer, gain: float = 1.0) -> Layer:
    """The layer with weights from N(0, gain² / fan-in), and no bias at the start."""
    nn.init.normal_(layer.weight, 0, gain / layer.weight[0].numel() ** 0.5)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def checked_widths(width: int, doublings: int) -> list[int]:
    """Channels from the seed map to the image, all of which the groups divide."""
    step = GROUP // EXPANSION * 2 ** max(0, doublings - 3)
    if width % step:
        nearest = max(step, round(width / step) * step)
        raise HyperparameterError(
            f"width={width}: multiples of {step} are allowed here; the closest is {nearest}"
        )
    return widths(width, doublings)
