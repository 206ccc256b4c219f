"""Adversarial losses on logits: one function for the discriminator, one for the generator.

Logits have the shape (N,); every loss is a float32 scalar, the mean over the batch, whatever the
precision the networks ran in.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus


def logistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """-log σ(D(x)) - log(1 - σ(D(G(z)))): Goodfellow et al. 2014, equation 1."""
    return softplus(-real.float()).mean() + softplus(fake.float()).mean()


def nonsaturating_generator(fake: Tensor) -> Tensor:
    """-log σ(D(G(z))): Goodfellow et al. 2014, section 3, the loss that does not saturate."""
    return softplus(-fake.float()).mean()
