"""Swapping autoencoder: Park, Zhu, Wang, Lu, Shechtman, Efros and Zhang, NeurIPS 2020.

«Swapping Autoencoder for Deep Image Manipulation» (arXiv 2007.00653). An image becomes two codes,
a map that says where things are (structure) and a vector that says what they look like (texture).
The texture vector of another image on the same map must give an image, as far as a discriminator
can tell, whose patches could come from that other image, as far as a second one can tell.

Ours are the layers: the structure is what the map decodes to without a texture. Where the true
layers are known, that is what it is taught to be; hybrids are made of it, so that all their texture
has to come from the vector; and it is the layers of texture whose patches are compared. Smaller
than the paper's throughout, and without noise in the generator: the same two codes always give the
same image. The discriminator of whole images judges them place by place, as that of Isola, Zhu,
Zhou and Efros does (CVPR 2017).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.functional import leaky_relu, softplus

from gentex import Batch, Encoder, ImageShape, Layers, Separator, Update
from gentex.errors import DataError
from gentex_separation.learned.supervised import padded
from gentex_separation.solution import at_least_single, layers, positive, whole

BLOCK = 2  # pixels are taken together in 2×2 blocks: no layer works at the full resolution
MULTIPLE = 8  # what every map must be divisible by: three halvings
PATCH = 16  # side of the patches that co-occurrence is judged by, pixels
PATCHES = 4  # of each image; the paper has 8
REFERENCE = 256, 64  # sides of the images and of the patches that the paper's γ is for, pixels
REGULARISED = 8  # one real image in so many is regularised at each step
RECONSTRUCTION = 10.0  # weight of what is known; in the paper's weeks of training 1 is enough
BETAS = 0.5, 0.99


class Swap(Separator, Encoder):
    """Separate codes for structure and texture, and a generator for any two of them.

    width: channels at half the resolution; they double with each halving.
    structure: channels of the structure code, which has a quarter of the image's resolution.
    texture: length of the texture code, which is also the feature vector of an image.
    gamma: weight γ of R1 for images of 256×256, as in the paper; patches have a tenth of it. As
        ‖∇D‖² is a sum over pixels, it is scaled by their number: at 64×64, 10 would leave the
        discriminator nothing to say.
    lr: learning rate of Adam, for both sides.
    """

    def __init__(
        self,
        image: ImageShape,
        *,
        width: int = 32,
        structure: int = 8,
        texture: int = 64,
        gamma: float = 10.0,
        lr: float = 1e-3,
    ) -> None:
        super().__init__()
        width = whole("width", width)
        structure, self.dim = whole("structure", structure), whole("texture", texture)
        self.gamma, self.lr = positive("gamma", gamma), positive("lr", lr)
        self.encoder = Codes(image.channels, width, structure, self.dim)
        self.generator = Decoder(image.channels, width, structure, self.dim)
        self.discriminator = Discriminator(image.channels, width)
        self.cooccurrence = CooccurrenceDiscriminator(image.channels, width)

    def separate(self, images: Tensor) -> Layers:
        """Layers of images (N, C, H, W) of any size; C is that of the constructor's image."""
        images = at_least_single(images)
        where, what = self._codes(images)
        return layers(images, self._images(where, torch.zeros_like(what), images))

    def encode(self, images: Tensor) -> Tensor:
        """Texture codes (N, `dim`), of length 1, of images (N, C, H, W) in [0, 1]."""
        return self._codes(images)[1]

    def swap(self, structure_of: Tensor, texture_of: Tensor) -> Tensor:
        """The structure of some images with the texture of others, (N, C, H, W) in [0, 1].

        structure_of: (N, C, H, W); of a network that has learned from known layers, the structures
            that it separates: `swap(separate(images).structure, others)`.
        texture_of: (N, C, H', W'), or one image (1, C, H', W') for all of them.
        Raises DataError for other numbers of images.
        """
        if len(texture_of) not in (1, len(structure_of)):
            raise DataError(
                f"textures of {len(texture_of)} images for {len(structure_of)} structures: as many "
                "are wanted, or one"
            )
        where, what = self._codes(structure_of)[0], self.encode(texture_of)
        return self._images(where, what.expand(len(where), -1), structure_of).clamp(0, 1)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        sides = {
            "discriminator": (self.discriminator, self.cooccurrence),
            "generator": (self.encoder, self.generator),
        }
        return {
            name: torch.optim.Adam(nn.ModuleList(side).parameters(), self.lr, BETAS, fused=True)
            for name, side in sides.items()
        }

    def training_step(self, batch: Batch) -> Iterator[Update]:
        """Section 3 of the paper; each image gets its neighbour's texture."""
        real = batch.images * 2 - 1
        where, what = self.encoder(real)
        rebuilt = self._decoded(where, what, real)
        structure = real.new_zeros(())
        if batch.layers is None:
            hybrid = self._decoded(where, what.roll(1, 0), real)
            texture, made = real, hybrid
        else:
            bare = self._decoded(where, torch.zeros_like(what), real)
            structure = (bare - (batch.layers.structure * 2 - 1)).abs().mean()
            bare = bare.detach()
            hybrid = self._decoded(self.encoder(bare)[0], what.roll(1, 0), real)
            texture, made = batch.layers.texture * 2, hybrid - bare

        some = max(1, len(real) // REGULARISED)
        image, patch = REFERENCE
        gamma = self.gamma * real.shape[-2] * real.shape[-1] / image**2
        patch_gamma = self.gamma / 10 * (PATCH / patch) ** 2
        own, neighbours = patches(texture), patches(texture.roll(1, 0))
        yield Update(
            "discriminator",
            as_real(self.discriminator(real))
            + as_fake(self.discriminator(rebuilt.detach())) / 2
            + as_fake(self.discriminator(hybrid.detach())) / 2
            + gamma / 2 * r1(self.discriminator, real[:some])
            + as_real(self.cooccurrence(own, patches(texture)))
            + as_fake(self.cooccurrence(patches(made.detach()), neighbours))
            + patch_gamma
            / 2
            * r1(self.cooccurrence, own[: some * PATCHES], patches(texture[:some])),
        )

        reconstruction = (rebuilt - real).abs().mean()
        yield Update(
            "generator",
            RECONSTRUCTION * (reconstruction + structure)
            + as_real(self.discriminator(rebuilt)) / 2
            + as_real(self.discriminator(hybrid)) / 2
            + as_real(self.cooccurrence(patches(made), neighbours)),
            {"reconstruction": reconstruction.detach(), "structure": structure.detach()},
        )

    def _codes(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The structure and texture codes of images in [0, 1], of any floating-point type."""
        where, what = self.encoder(images.to(self.generator.tail.weight.dtype) * 2 - 1)
        return where, what

    def _decoded(self, where: Tensor, what: Tensor, like: Tensor) -> Tensor:
        """The image of two codes, nominally in [-1, 1], as large as the images `like`."""
        image: Tensor = self.generator(where, what)
        return image[..., : like.shape[-2], : like.shape[-1]]

    def _images(self, where: Tensor, what: Tensor, like: Tensor) -> Tensor:
        return (self._decoded(where, what, like).to(like.dtype) + 1) / 2


class Codes(nn.Module):
    """Images (N, C, H, W) in [-1, 1] to their structure codes (N, S, H/4, W/4) and textures (N, T).

    Codes have the length 1, those of structure in every place. Sides are rounded up to multiples.
    """

    def __init__(self, channels: int, width: int, structure: int, texture: int) -> None:
        super().__init__()
        self.head = nn.Conv2d(channels * BLOCK**2, width, 3, padding=1)
        self.body = nn.Sequential(Residual(width, 2 * width, 2), Residual(2 * width, 2 * width, 1))
        self.structure = nn.Conv2d(2 * width, structure, 1)
        self.texture = Residual(2 * width, 4 * width, 2)
        self.vector = nn.Linear(4 * width, texture)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        x = functional.pixel_unshuffle(padded(images, MULTIPLE), BLOCK)
        x = self.body(leaky_relu(self.head(x), 0.2))
        where, what = self.structure(x), self.vector(self.texture(x).mean((2, 3)))
        return functional.normalize(where.float()), functional.normalize(what.float())


class Decoder(nn.Module):
    """Structure and texture codes to images; the texture modulates every convolution but the last.

    It starts from the structure code, where StyleGAN2 has a learned constant.
    """

    def __init__(self, channels: int, width: int, structure: int, texture: int) -> None:
        super().__init__()
        self.head = nn.Conv2d(structure, 2 * width, 1)
        self.coarse = nn.ModuleList(Modulated(2 * width, 2 * width, texture) for _ in range(4))
        self.up = Modulated(2 * width, width, texture)
        self.fine = nn.ModuleList(Modulated(width, width, texture) for _ in range(2))
        self.tail = nn.Conv2d(width, channels * BLOCK**2, 3, padding=1)

    def forward(self, where: Tensor, what: Tensor) -> Tensor:
        x = self.head(where)
        for first, second in zip(self.coarse[::2], self.coarse[1::2], strict=True):
            x = (x + second(first(x, what), what)) / 2**0.5
        x = self.up(functional.interpolate(x, scale_factor=2, mode="bilinear"), what)
        first, second = self.fine
        x = (x + second(first(x, what), what)) / 2**0.5
        return functional.pixel_shuffle(self.tail(x), BLOCK)


class Modulated(nn.Module):
    """A 3×3 convolution of StyleGAN2 (Karras et al. 2020, equations 1 and 3), and a leaky ReLU.

    The code scales the channels that go in; those that come out have unit variance again.
    """

    def __init__(self, inner: int, outer: int, texture: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outer, inner, 3, 3) / (9 * inner) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(outer))
        self.style = nn.Linear(texture, inner)
        nn.init.normal_(self.style.weight)  # codes have the length 1, not the variance
        nn.init.ones_(self.style.bias)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        # Scaled inputs and outputs do what scaled weights would, in one convolution for all images.
        style = self.style(code)
        power = style.square() @ self.weight.square().sum((2, 3)).T
        x = functional.conv2d(x * style[:, :, None, None], self.weight, padding=1)
        x = x * (power + 1e-8).rsqrt()[:, :, None, None] + self.bias[:, None, None]
        return leaky_relu(x, 0.2) * 2**0.5


class Features(nn.Sequential):
    """Images (N, C, H, W) in [-1, 1] to maps (N, 4 × width, H / 8, W / 8)."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__(
            nn.PixelUnshuffle(BLOCK),
            nn.Conv2d(channels * BLOCK**2, width, 3, padding=1),
            nn.LeakyReLU(0.2),
            Residual(width, 2 * width, 2),
            Residual(2 * width, 4 * width, 2),
        )


class Discriminator(nn.Module):
    """Images (N, C, H, W) in [-1, 1] to logits (N, H / 8 × W / 8): high for real."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.features, self.logit = Features(channels, width), nn.Conv2d(4 * width, 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.logit(self.features(padded(images, MULTIPLE)))
        return logits.flatten(1)


class CooccurrenceDiscriminator(nn.Module):
    """Could these patches be of the image that those references are of? Section 3.2 of the paper.

    Both are as `patches` cuts them, (N × `PATCHES`, C, `PATCH`, `PATCH`); a logit for each patch,
    (N × `PATCHES`, 1). The references of an image are averaged, as only what they have in common
    counts.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.features = Features(channels, width)
        self.judge = nn.Sequential(
            nn.Linear(8 * width, 4 * width), nn.LeakyReLU(0.2), nn.Linear(4 * width, 1)
        )

    def forward(self, patches: Tensor, references: Tensor) -> Tensor:
        common = self.features(references).mean((2, 3)).unflatten(0, (-1, PATCHES)).mean(1)
        pairs = [self.features(patches).mean((2, 3)), common.repeat_interleave(PATCHES, 0)]
        logits: Tensor = self.judge(torch.cat(pairs, 1))
        return logits


class Residual(nn.Module):
    """Two convolutions beside a linear path, as in StyleGAN2; the second has the stride."""

    def __init__(self, inner: int, outer: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inner, inner, 3, padding=1)
        self.second = nn.Conv2d(inner, outer, 3, stride, padding=1)
        self.beside = nn.Sequential(nn.AvgPool2d(stride), nn.Conv2d(inner, outer, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        residual = leaky_relu(self.second(leaky_relu(self.first(x), 0.2)), 0.2)
        total: Tensor = (residual + self.beside(x)) / 2**0.5
        return total


def patches(images: Tensor) -> Tensor:
    """Random patches of 1/8 to 1/4 of the images' sides, resampled: (N × `PATCHES`, C, 16, 16)."""
    images = images.float().repeat_interleave(PATCHES, 0)
    share = (1 + torch.rand(len(images), 2, device=images.device)) / 8
    centre = (2 * torch.rand_like(share) - 1) * (1 - share)
    affine = torch.cat([torch.diag_embed(share), centre[:, :, None]], 2)
    size = [*images.shape[:2], PATCH, PATCH]
    grid = functional.affine_grid(affine, size, align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


def as_real(logits: Tensor) -> Tensor:
    """−log σ(D): what it costs not to be taken for real, a float32 scalar."""
    return softplus(-logits.float()).mean()


def as_fake(logits: Tensor) -> Tensor:
    """−log (1 − σ(D)): what it costs not to be taken for fake."""
    return softplus(logits.float()).mean()


def r1(discriminator: nn.Module, images: Tensor, *condition: Tensor) -> Tensor:
    """E ‖∇D‖² at real images, D the mean of an image's logits: Mescheder et al. 2018, equation 9.

    A few images at every step are, on the average, what all of them at every k-th step are, where
    the paper has the latter; and there is nothing to count. In float32, past a compiled module:
    neither half precision nor compiled graphs have the second derivative.
    """
    images = images.detach().float().requires_grad_()
    with torch.autocast(images.device.type, enabled=False):
        logits = discriminator.forward(images, *condition)
        (gradient,) = torch.autograd.grad(logits.mean(1).sum(), images, create_graph=True)
    return gradient.square().sum((1, 2, 3)).mean()
