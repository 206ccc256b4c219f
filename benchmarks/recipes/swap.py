"""The recipe of the swapped textures in the docs: trains `swap`, and shows what it can exchange.

    python benchmarks/recipes/swap.py RUN

trains on hard composites with textures from two folders of photographs below the data root besides
the package's own. Then it writes RUN/swapped.png: in the first row the test composites that give
their textures, in the first column those that give their structures, in the second these, and where
both meet what the network makes of them. It goes on from its last checkpoint when it is called
again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import click
import torch

import gentex
from gentex import Layers
from gentex.bench.environment import environment
from gentex.metrics.layers import structure_psnr
from gentex.pictures import write_sheet
from gentex.tasks.separation import by_source

DATA = "composites:hard+textures/dtd10_subset+textures/kth_tips_grey"
SHOWN = 6


@click.command()
@click.argument("run", type=click.Path(file_okay=False, path_type=Path))
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="Else GENTEX_DATA.")
@click.option("--steps", default=11_000, show_default=True)
@click.option("--width", default=32, show_default=True)
@click.option("--precision", default="bf16", show_default=True)
def main(run: Path, data: Path | None, steps: int, width: int, precision: str) -> None:
    """Train, and write the model and the sheet into the folder RUN."""
    used = environment()
    train, test = (
        gentex.load_dataset(DATA, split, root=data, size=64, channels=3)
        for split in ("train", "test")
    )
    model = gentex.create("swap", image=train.image, width=width, seed=0)
    history = gentex.train(
        model,
        train,
        steps=steps,
        batch_size=8,
        seed=0,
        ema=0.998,
        precision=precision,
        checkpoint=run / "checkpoint.pt",
        checkpoint_every=500,
        log_every=100,
        on_progress=lambda p: click.echo(f"{p.step} {p.seconds:.0f} s {p.losses}"),
    )
    gentex.save(model, run)
    model.eval()
    batch = test.batch(range(len(test)))
    truth = cast(Layers, batch.layers)
    with torch.inference_mode():
        found = model.separate(batch.images)
        shown = torch.linspace(0, len(test) - 1, SHOWN).long()
        images, structures = batch.images[shown], found.structure[shown]
        swapped = [model.swap(structures, image[None]) for image in images]
    # Column j: what gives the texture, then all structures with it.
    columns = [torch.cat([image[None], made]) for image, made in zip(images, swapped, strict=True)]
    blank = torch.ones_like(images[:1])
    columns.insert(0, torch.cat([blank, structures.clamp(0, 1)]))
    columns.insert(0, torch.cat([blank, images]))
    sheet = torch.stack(columns, 1).flatten(0, 1).mul(255).round().to(torch.uint8)
    write_sheet(run / "swapped.png", sheet, columns=len(columns))
    means = by_source(structure_psnr(truth, found).tolist(), cast(Any, test).sources)
    result = {
        "structure_psnr": sum(means.values()) / len(means),
        "steps": history.steps,
        "seconds": round(history.seconds),
        "environment": used,
    }
    (run / "swap.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    click.echo(json.dumps(result))


if __name__ == "__main__":
    main()
