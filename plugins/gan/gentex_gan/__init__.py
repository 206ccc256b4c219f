"""Generative adversarial networks for gentex. Importing this module does not import torch."""

from collections.abc import Iterable

from gentex import Card, Paper, hookimpl


@hookimpl
def gentex_cards() -> Iterable[Card]:
    return [
        Card(
            name="dcgan",
            target="gentex_gan.dcgan:DCGAN",
            summary="Deep convolutional GAN: strided and transposed convolutions, batch norm",
            interfaces=("generator",),
            paper=Paper(
                title="Unsupervised Representation Learning with Deep Convolutional "
                "Generative Adversarial Networks",
                authors=("Radford, Alec", "Metz, Luke", "Chintala, Soumith"),
                year=2016,
                venue="International Conference on Learning Representations (ICLR)",
                key="radford2016dcgan",
                arxiv="1511.06434",
            ),
            license="MIT",
            tags=("gan",),
        ),
    ]
