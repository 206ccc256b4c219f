"""Metrics, each with its source."""

from gentex.cards import Card

METRICS = [
    Card(
        "fd",
        "gentex.metrics.frechet:frechet_distance",
        "Fréchet distance between Gaussians fitted to features",
        kind="metric",
        direction="lower",
        tags=("generation", "features"),
    ),
    Card(
        "kid",
        "gentex.metrics.kernel:kernel_distance",
        "Kernel distance: unbiased squared MMD with a cubic kernel",
        kind="metric",
        direction="lower",
        tags=("generation", "features"),
    ),
    *(
        Card(
            name,
            "gentex.metrics.neighbours:precision_recall_density_coverage",
            summary,
            kind="metric",
            direction="higher",
            tags=("generation", "features"),
        )
        for name, summary in (
            ("precision", "Share of the samples that lie near a real image"),
            ("recall", "Share of the real images that lie near a sample"),
            ("density", "How many real neighbourhoods hold a sample, on average"),
            ("coverage", "Share of the real neighbourhoods that hold a sample"),
        )
    ),
    Card(
        "swd",
        "gentex.metrics.wasserstein:sliced_wasserstein",
        "Sliced Wasserstein distance between patches of Laplacian pyramids",
        kind="metric",
        direction="lower",
        tags=("generation", "images"),
    ),
]
