"""Tasks, and what executes their cells."""

from gentex.cards import Card

TASKS = [
    Card(
        "generation@1",
        "gentex.tasks.generation:run",
        "Train a generator, then compare its samples with held-out images",
        kind="task",
        interfaces=("generator",),
    ),
    Card(
        "separation@1",
        "gentex.tasks.separation:run",
        "Take composites apart whose layers are known, and compare layer by layer",
        kind="task",
        interfaces=("separator",),
        floors=("identity", "gaussian"),
    ),
    Card(
        "uplift@1",
        "gentex.tasks.uplift:run",
        "Recognise images by their layers, and compare with the images themselves",
        kind="task",
        interfaces=("separator",),
    ),
    Card(
        "local",
        "gentex.bench.execute:local",
        "Run cells on this machine, each as a process of its own",
        kind="executor",
    ),
]
