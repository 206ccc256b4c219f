"""What every GAN here shares: two networks, their optimisers, the noise, and how it is sampled."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gentex import Batch, Generator, Rng, randn
from gentex.errors import DataError, HyperparameterError
from gentex_gan.augment import Augment
from gentex_gan.sizes import check_positive


class GAN(Generator):
    """A generator against a discriminator; a subclass sets both and writes `training_step`.

    generator: noise (N, latent), and labels (N,) where `classes` > 0, to images in [-1, 1].
    discriminator: images in [-1, 1], and labels where `classes` > 0, to logits (N,).

    latent: length of the noise vector z ~ N(0, I).
    classes: number of classes of a class-conditional GAN; 0 for an unconditional one.
    lr, betas: of Adam, for both networks.
    augment: what the discriminator sees of real and generated images; see `gentex_gan.augment`.
    truncation: samples come from the part of the noise with |z| up to this; None for all of it.
        Smaller values give more typical and less varied images (Brock et al. 2019, section 3.1).
        It does not touch training, and can be set on a trained model; `gentex.save` keeps the one
        that the model was created with.
    """

    generator: nn.Module
    discriminator: nn.Module

    def __init__(
        self,
        *,
        latent: int,
        lr: float,
        betas: tuple[float, float],
        augment: str,
        truncation: float | None,
        classes: int = 0,
    ) -> None:
        super().__init__()
        check_positive(latent=latent, lr=lr, truncation=1 if truncation is None else truncation)
        for name, beta in zip(("beta1", "beta2"), betas, strict=True):
            if not 0 <= beta < 1:
                raise HyperparameterError(f"{name}={beta!r}: a number from 0 to below 1 is allowed")
        if classes < 0:
            raise HyperparameterError(f"classes={classes!r}: 0 for none, or their number")
        self.latent, self.classes, self.truncation = latent, classes, truncation
        self.lr, self.betas = lr, betas
        self.augment = Augment(augment)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        networks = {"generator": self.generator, "discriminator": self.discriminator}
        return {
            name: torch.optim.Adam(network.parameters(), self.lr, self.betas, fused=True)
            for name, network in networks.items()
        }

    @torch.no_grad()
    def sample(self, n: int, *, rng: Rng = None, condition: Tensor | None = None) -> Tensor:
        """Images (n, C, H, W) in [0, 1]; the class of each is drawn evenly where none is given."""
        if condition is not None and not self.classes:
            raise TypeError("this GAN is unconditional: it was made with classes=0")
        # The class comes from noise of its own, so that z is the same whether one is given or not.
        noise = randn((n, self.latent + bool(self.classes)), rng=rng, device=self.device)
        z = noise[:, : self.latent]
        if self.truncation is not None:
            z = truncated(z, self.truncation)
        if self.classes and condition is None:
            even = torch.special.ndtr(noise[:, -1]) * self.classes
            condition = even.long().clamp_(max=self.classes - 1)
        elif condition is not None:
            self._check(condition)
        labels = () if condition is None else (condition.to(self.device),)
        made: Tensor = self.generator(z, *labels)
        return ((made.float() + 1) / 2).clamp(0, 1)

    def noise(self, n: int) -> Tensor:
        """Noise (n, latent) for a training step."""
        return torch.randn(n, self.latent, device=self.device)

    def condition(self, batch: Batch) -> tuple[Tensor, ...]:
        """What the networks are given beside images and noise: the labels, or nothing."""
        if not self.classes:
            return ()
        if batch.labels is None:
            raise DataError(f"classes={self.classes} needs a dataset with labels")
        if batch.labels.device.type == "cpu":  # elsewhere looking would wait for the device
            self._check(batch.labels)
        return (batch.labels,)

    def _check(self, labels: Tensor) -> None:
        wrong = labels[(labels < 0) | (labels >= self.classes)]
        if len(wrong):
            raise DataError(
                f"class {int(wrong[0])} for a GAN of classes={self.classes}: allowed are 0 to "
                f"{self.classes - 1}"
            )


def truncated(z: Tensor, bound: float) -> Tensor:
    """Standard normal noise, moved to where its quantiles lie in a normal cut off at ±bound.

    No rejection: every z is used once, so that a sample of a seed stays recognisably itself as the
    bound changes.
    """
    # In float64 on the CPU: the tails need it, and not every device has it.
    low, high = torch.special.ndtr(torch.tensor([-bound, bound], dtype=torch.float64))
    quantile = torch.lerp(low, high, torch.special.ndtr(z.cpu().double()))
    inside: Tensor = torch.special.ndtri(quantile).clamp(-bound, bound)
    return inside.to(z)
