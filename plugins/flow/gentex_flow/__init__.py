"""Flow matching and diffusion for gentex. Importing this module does not import torch."""

from collections.abc import Iterable

from gentex import Card, Paper, hookimpl


@hookimpl
def gentex_cards() -> Iterable[Card]:
    return [
        Card(
            name="flow-matching",
            target="gentex_flow.flow_matching:FlowMatching",
            summary="Velocity field from noise to images, learned on straight paths",
            interfaces=("generator",),
            paper=Paper(
                title="Flow Matching for Generative Modeling",
                authors=(
                    "Lipman, Yaron",
                    "Chen, Ricky T. Q.",
                    "Ben-Hamu, Heli",
                    "Nickel, Maximilian",
                    "Le, Matthew",
                ),
                year=2023,
                venue="International Conference on Learning Representations (ICLR)",
                key="lipman2023flow",
                arxiv="2210.02747",
            ),
            license="MIT",
            tags=("flow",),
        ),
        Card(
            name="edm",
            target="gentex_flow.edm:EDM",
            summary="Diffusion with the preconditioning, noise levels and Heun sampler of EDM",
            interfaces=("generator",),
            paper=Paper(
                title="Elucidating the Design Space of Diffusion-Based Generative Models",
                authors=("Karras, Tero", "Aittala, Miika", "Aila, Timo", "Laine, Samuli"),
                year=2022,
                venue="Advances in Neural Information Processing Systems 35 (NeurIPS)",
                key="karras2022edm",
                arxiv="2206.00364",
            ),
            license="MIT",
            tags=("diffusion",),
        ),
    ]
