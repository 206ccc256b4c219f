"""Adversarial losses on logits: one function for the discriminator, one for the generator.

Logits have the shape (N,) and are high for real. Every loss is a float32 scalar, the mean over the
batch, whatever the precision the networks ran in.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import relu, softplus


def logistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """-log σ(D(x)) - log(1 - σ(D(G(z)))): Goodfellow et al. 2014, equation 1."""
    return softplus(-real.float()).mean() + softplus(fake.float()).mean()


def nonsaturating_generator(fake: Tensor) -> Tensor:
    """-log σ(D(G(z))): Goodfellow et al. 2014, section 3, the loss that does not saturate."""
    return softplus(-fake.float()).mean()


def wasserstein_critic(real: Tensor, fake: Tensor) -> Tensor:
    """D(G(z)) - D(x), minus the Wasserstein distance at best: Arjovsky et al. 2017, equation 2."""
    return fake.float().mean() - real.float().mean()


def wasserstein_generator(fake: Tensor) -> Tensor:
    """-D(G(z)): Arjovsky et al. 2017, algorithm 1; also the partner of the hinge loss."""
    return -fake.float().mean()


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """max(0, 1 - D(x)) + max(0, 1 + D(G(z))): Miyato et al. 2018, equation 16."""
    return relu(1 - real.float()).mean() + relu(1 + fake.float()).mean()


def relativistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """-log σ(D(x) - D(G(z))) over pairs: Jolicoeur-Martineau 2019; Huang et al. 2024, eq. 2."""
    return softplus(fake.float() - real.float()).mean()


def relativistic_generator(real: Tensor, fake: Tensor) -> Tensor:
    """-log σ(D(G(z)) - D(x)) over pairs, the discriminator's loss with the roles exchanged."""
    return relativistic_discriminator(fake, real)
