"""How fast composites are made, beside the training steps that eat them.

    python benchmarks/speed/composites.py --out benchmarks/results/speed-composites.json

A batch of 16 composites in colour is made, then a learned separator, at its defaults, takes one
training step on it, in turn, on one thread; the ratio is the median over the batches of step to
making. What the first batch waits for, making the bank of structures and textures that composites
are cut from, is timed apart.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import click
import torch

import gentex
from gentex.bench.environment import environment
from gentex.data import Dataset
from gentex.data.composites.fingerprint import LEVELS

SIZES, ARCHITECTURES = (64, 128), ("unet", "dncnn", "unrolled")
BATCH = 16


def steps(name: str, data: Dataset, rounds: int) -> dict[str, float]:
    """Median seconds of making a batch and of a step on it, and of their ratios."""
    model: Any = gentex.create(name, image=data.image, seed=0)
    optimizer = model.train().optimizers()["separator"]
    made, stepped = [], []
    for number in range(rounds + 1):
        began = time.perf_counter()
        batch = data.batch(range(number * BATCH, (number + 1) * BATCH))
        middle = time.perf_counter()
        model.loss(batch).backward()
        optimizer.step()
        optimizer.zero_grad()
        made.append(middle - began)
        stepped.append(time.perf_counter() - middle)
    pairs = [*zip(made, stepped, strict=True)][1:]  # the first warms up
    return {
        "making": statistics.median(making for making, _ in pairs),
        "step": statistics.median(step for _, step in pairs),
        "ratio": statistics.median(step / making for making, step in pairs),
    }


@click.command()
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
@click.option("--rounds", default=15, show_default=True)
def main(out: Path, rounds: int) -> None:
    """Time every level, size and architecture."""
    torch.set_num_threads(1)
    results: dict[str, Any] = {}
    for level in LEVELS:
        for size in SIZES:
            began = time.perf_counter()
            data = gentex.load_dataset(f"composites:{level}", "train", size=size, channels=3)
            bank = time.perf_counter() - began
            found = {name: steps(name, data, rounds) for name in ARCHITECTURES}
            results[f"{level}, {size}×{size}"] = {"bank": bank, **found}
            ratios = ", ".join(f"{name} {times['ratio']:.1f}" for name, times in found.items())
            click.echo(f"{level} {size}: bank {bank:.0f} s; step to making: {ratios}")
    command = " ".join(["python", *sys.argv])
    record = {"environment": environment() | {"command": command}, "results": results}
    out.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
