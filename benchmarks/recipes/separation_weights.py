"""The recipe of the weights that gentex-separation ships.

    python benchmarks/recipes/separation_weights.py RUN --architecture unet

trains on composites of all three levels at once, with textures from two folders of photographs
below the data root besides the package's own, and writes RUN/unet.safetensors: three channels, the
filters in half precision, and how they were made. It goes on from its last checkpoint when it is
called again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import click
import torch
from safetensors.torch import save_file
from torch import Tensor

import gentex
from gentex import Batch, Layers
from gentex.bench.environment import source_commit
from gentex.data import Dataset
from gentex.data.composites.fingerprint import LEVELS

FOLDERS = ("textures/dtd10_subset", "textures/kth_tips_grey")
STEPS = 32_000
BATCH = 16
SIZE = 64
BANKS = 4  # seeds of each level: so many times the structures and textures of one
GREY = 4  # one image in so many


class AllLevels(Dataset):
    """Composites of several seeds and levels: every batch is of one seed and of all levels.

    The first image of a batch and every fourth after it are grey.
    """

    def __init__(self, banks: Sequence[Sequence[Dataset]]) -> None:
        first = banks[0][0]
        super().__init__("composites of all levels", "train", first.image, skipped=first.skipped)
        self.banks = banks

    def __len__(self) -> int:
        return len(self.banks[0][0])

    def batch(self, indices: Sequence[int] | Tensor) -> Batch:
        """The items at `indices`, level after level."""
        index = torch.as_tensor(indices)
        levels = self.banks[int(index[0]) % len(self.banks)]
        parts = [
            data.batch(index[place :: len(levels)]).layers
            for place, data in enumerate(levels)
            if place < len(index)
        ]
        layers = Layers(*map(torch.cat, zip(*filter(None, parts), strict=True)))
        for layer in layers:
            layer[::GREY] = layer[::GREY].mean(1, keepdim=True)
        return Batch(layers.image, layers=layers)

    def to(self, device: torch.device | str) -> Self:
        return type(self)([[data.to(device) for data in levels] for levels in self.banks])


@click.command()
@click.argument("run", type=click.Path(file_okay=False, path_type=Path))
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="Else GENTEX_DATA.")
@click.option("--architecture", default="unet", show_default=True)
@click.option("--steps", default=STEPS, show_default=True)
@click.option("--precision", default="fp32", show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(
    run: Path, data: Path | None, architecture: str, steps: int, precision: str, seed: int
) -> None:
    """Train, and write the weights into the folder RUN."""
    commit = source_commit()
    folders = "+".join(FOLDERS)
    banks = [
        [
            gentex.load_dataset(
                f"composites:{level}+{folders}",
                "train",
                root=data,
                size=SIZE,
                channels=3,
                seed=bank,
            )
            for level in LEVELS
        ]
        for bank in range(BANKS)
    ]
    dataset = AllLevels(banks)
    model = gentex.create(architecture, image=dataset.image, seed=seed, steps=steps)
    history = gentex.train(
        model,
        dataset,
        steps=steps,
        batch_size=BATCH,
        seed=seed,
        precision=precision,
        clip_grad_norm=10.0,
        checkpoint=run / "checkpoint.pt",
        checkpoint_every=500,
        log_every=100,
        on_progress=lambda p: click.echo(f"{p.step} {p.seconds:.0f} s {p.losses}"),
    )
    gentex.save(model, run)
    state = {
        name: (value.half() if value.dim() > 1 else value).cpu().contiguous()
        for name, value in model.state_dict().items()
    }
    made = {
        "architecture": architecture,
        "data": f"composites of {', '.join(LEVELS)}; {', '.join(FOLDERS)}; {BANKS} seeds of each",
        "training": f"{steps} steps of {BATCH} images of {SIZE}×{SIZE}, {precision}, seed {seed}",
        "commit": commit or "unknown",
    }
    save_file(state, run / f"{architecture}.safetensors", metadata=made)
    click.echo(f"{history.steps} steps in {history.seconds:.0f} s")


if __name__ == "__main__":
    main()
