"""Feature spaces: where images become the vectors that distribution metrics compare."""

from gentex.cards import Card

FEATURES = [
    Card(
        "random-conv",
        "gentex.metrics.features.simple:random_conv",
        "Seeded random convolutional networks, the mean over five of them; needs no weights",
        kind="features",
        tags=("offline",),
    ),
    Card(
        "pixels",
        "gentex.metrics.features.simple:pixels",
        "The pixels themselves",
        kind="features",
        tags=("offline",),
    ),
    Card(
        "encoder",
        "gentex.metrics.features.encoder:encoder",
        "Any trained Encoder: the folder that gentex train or gentex.save left",
        kind="features",
        argument="RUN",
    ),
]
