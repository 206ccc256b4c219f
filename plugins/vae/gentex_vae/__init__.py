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
        Card(
            name="vq-vae",
            target="gentex_vae.vq_vae:VQVAE",
            summary="Vector-quantised autoencoder with a gated PixelCNN prior over its codes",
            interfaces=("generator", "encoder"),
            paper=Paper(
                title="Neural Discrete Representation Learning",
                authors=("van den Oord, Aäron", "Vinyals, Oriol", "Kavukcuoglu, Koray"),
                year=2017,
                venue="Advances in Neural Information Processing Systems 30 (NeurIPS)",
                key="vandenoord2017vqvae",
                arxiv="1711.00937",
            ),
            license="MIT",
            tags=("vae", "autoregressive", "likelihood"),
        ),
        Card(
            name="cnn-autoencoder",
            target="gentex_vae.autoencoder:ConvAutoencoder",
            summary="Convolutional autoencoder, sampled by a Gaussian mixture fitted to its codes",
            interfaces=("generator", "encoder"),
            paper=Paper(
                title="From Variational to Deterministic Autoencoders",
                authors=(
                    "Ghosh, Partha",
                    "Sajjadi, Mehdi S. M.",
                    "Vergari, Antonio",
                    "Black, Michael",
                    "Schölkopf, Bernhard",
                ),
                year=2020,
                venue="International Conference on Learning Representations (ICLR)",
                key="ghosh2020rae",
                arxiv="1903.12436",
            ),
            license="MIT",
            tags=("autoencoder",),
        ),
    ]
