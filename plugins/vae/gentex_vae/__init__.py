"""Autoencoders that generate, for gentex. Importing this module does not import torch."""

from collections.abc import Iterable

from gentex import Card, Paper, hookimpl


@hookimpl
def gentex_cards() -> Iterable[Card]:
    return [
        Card(
            name="conv-vae",
            target="gentex_vae.conv_vae:ConvVAE",
            summary="Convolutional variational autoencoder with bits per dimension",
            interfaces=("generator", "encoder"),
            paper=Paper(
                title="Auto-Encoding Variational Bayes",
                authors=("Kingma, Diederik P.", "Welling, Max"),
                year=2014,
                venue="International Conference on Learning Representations (ICLR)",
                key="kingma2014vae",
                arxiv="1312.6114",
            ),
            license="MIT",
            tags=("vae", "likelihood"),
        ),
    ]
