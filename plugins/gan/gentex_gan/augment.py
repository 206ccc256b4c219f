"""Augmentation of what the discriminator sees, real and generated alike, on the device.

Every transformation is differentiable, so that the generator learns through it: Zhao et al. 2020,
«Differentiable Augmentation for Data-Efficient GAN Training» (arXiv 2006.10738).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from gentex.errors import HyperparameterError, closest
from gentex_gan.ada import adaptive


class Augment(nn.Module):
    """Augmentation by a policy: `Augment("color,translation,cutout")`, or `"ada"`, or none: `""`.

    ada: Karras et al. 2020, «Training Generative Adversarial Networks with Limited Data»: each
        transformation happens with the probability `p`, which starts at 0 and is adapted to how
        far the discriminator overfits: `adapt`.
    """

    p: Tensor
    TARGET = 0.6
    """The share r_t = E[sign D(x)] that `p` is steered to (section 3 of the paper)."""
    IMAGES = 500_000
    """Real images after which `p` can have gone from 0 to 1 (ibid.)."""

    def __init__(self, policy: str = "") -> None:
        super().__init__()
        names = [name.strip() for name in policy.split(",")] if policy else []
        for name in names:
            if name not in POLICIES and name != "ada":
                raise HyperparameterError(
                    f"augment={policy!r}: no augmentation {name!r}"
                    f"{closest(name, [*POLICIES, 'ada'])}"
                )
        self.adaptive = "ada" in names
        if self.adaptive and len(names) > 1:
            raise HyperparameterError(f"augment={policy!r}: 'ada' stands alone")
        self.transformations = [POLICIES[name] for name in names if not self.adaptive]
        if self.adaptive:
            self.register_buffer("p", torch.zeros(()))

    def forward(self, images: Tensor) -> Tensor:
        """Augmented images (N, C, H, W), from images in [-1, 1]."""
        if self.adaptive:
            return adaptive(images, self.p)
        for transformation in self.transformations:
            images = transformation(images)
        return images

    @torch.no_grad()
    def adapt(self, margins: Tensor) -> None:
        """Move `p` up where the discriminator is too sure of real images, down where it is not.

        margins: (N,), positive where it took a real image for real. The logits, where zero is the
            border; their lead over the logits of generated images where the loss leaves it free.
        """
        if self.adaptive:
            overfit = margins.sign().mean() - self.TARGET
            self.p.add_(overfit.sign() * len(margins) / self.IMAGES).clamp_(0, 1)


def color(images: Tensor) -> Tensor:
    """Brightness by ±0.5, saturation by 0 to 2 times, contrast by 0.5 to 1.5 times."""
    draws = torch.rand(3, len(images), 1, 1, 1, device=images.device, dtype=images.dtype)
    brightness, saturation, contrast = draws.unbind()
    images = images + (brightness - 0.5)
    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * (2 * saturation)
    mean = images.mean((1, 2, 3), keepdim=True)
    return mean + (images - mean) * (contrast + 0.5)


def translation(images: Tensor, ratio: float = 1 / 8) -> Tensor:
    """Shifts by up to `ratio` of each side, in whole pixels; zeros come in from outside."""
    n, _, height, width = images.shape
    by_y, by_x = int(height * ratio + 0.5), int(width * ratio + 0.5)
    padded = pad(images, (by_x, by_x, by_y, by_y))
    y = torch.randint(0, 2 * by_y + 1, (n, 1, 1), device=images.device)
    x = torch.randint(0, 2 * by_x + 1, (n, 1, 1), device=images.device)
    rows = y + torch.arange(height, device=images.device)[:, None]
    columns = x + torch.arange(width, device=images.device)
    sample = torch.arange(n, device=images.device)[:, None, None]
    # Indexing (N, H, W, C) leaves the channels together, as the convolutions want them.
    return padded.permute(0, 2, 3, 1)[sample, rows, columns].permute(0, 3, 1, 2)


def cutout(images: Tensor, ratio: float = 1 / 2) -> Tensor:
    """A rectangle of `ratio` of each side, centred anywhere in the image, set to zero."""
    n, _, height, width = images.shape
    inside = []
    for size, shape in ((height, (1, 1, -1, 1)), (width, (1, 1, 1, -1))):
        side = int(size * ratio + 0.5)
        first = torch.randint(0, size + (1 - side % 2), (n, 1, 1, 1), device=images.device)
        offset = torch.arange(size, device=images.device).view(shape) - (first - side // 2)
        inside.append((offset >= 0) & (offset < side))
    return images * ~(inside[0] & inside[1])


POLICIES = {"color": color, "translation": translation, "cutout": cutout}
