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
        Card(
            name="wgan-gp",
            target="gentex_gan.wgan_gp:WGANGP",
            summary="Wasserstein GAN with gradient penalty on residual networks",
            interfaces=("generator",),
            paper=Paper(
                title="Improved Training of Wasserstein GANs",
                authors=(
                    "Gulrajani, Ishaan",
                    "Ahmed, Faruk",
                    "Arjovsky, Martin",
                    "Dumoulin, Vincent",
                    "Courville, Aaron C.",
                ),
                year=2017,
                venue="Advances in Neural Information Processing Systems 30 (NeurIPS)",
                key="gulrajani2017wgangp",
                arxiv="1704.00028",
            ),
            license="MIT",
            tags=("gan",),
        ),
        Card(
            name="sngan",
            target="gentex_gan.sngan:SNGAN",
            summary="Spectrally normalised residual GAN with hinge loss; classes by projection",
            interfaces=("generator",),
            paper=Paper(
                title="Spectral Normalization for Generative Adversarial Networks",
                authors=(
                    "Miyato, Takeru",
                    "Kataoka, Toshiki",
                    "Koyama, Masanori",
                    "Yoshida, Yuichi",
                ),
                year=2018,
                venue="International Conference on Learning Representations (ICLR)",
                key="miyato2018sngan",
                arxiv="1802.05957",
            ),
            license="MIT",
            tags=("gan", "class-conditional"),
        ),
        Card(
            name="r3gan",
            target="gentex_gan.r3gan:R3GAN",
            summary="Relativistic GAN with R1 and R2 penalties, residual, without normalisation",
            interfaces=("generator",),
            paper=Paper(
                title="The GAN is dead; long live the GAN! A Modern GAN Baseline",
                authors=(
                    "Huang, Nick",
                    "Gokaslan, Aaron",
                    "Kuleshov, Volodymyr",
                    "Tompkin, James",
                ),
                year=2024,
                venue="Advances in Neural Information Processing Systems 37 (NeurIPS)",
                key="huang2024r3gan",
                arxiv="2501.05441",
            ),
            license="MIT",
            tags=("gan", "class-conditional"),
        ),
    ]
