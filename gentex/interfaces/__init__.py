"""The three interfaces, what trains them, and the values that pass between."""

from gentex.interfaces.models import Encoder, Generator, Separator, Trainable
from gentex.interfaces.noise import Rng, randn, sample_rngs
from gentex.interfaces.values import Batch, ImageShape, Layers, Update

__all__ = [
    "Batch",
    "Encoder",
    "Generator",
    "ImageShape",
    "Layers",
    "Rng",
    "Separator",
    "Trainable",
    "Update",
    "randn",
    "sample_rngs",
]
