"""The recipe of the U-Net weights that gentex-separation ships.

    python benchmarks/recipes/unet_separation.py RUN

trains on composites of all three levels, with textures from two folders of photographs below the
data root besides the package's own, and writes RUN/unet.safetensors: three channels, in half
precision. It goes on from its last checkpoint when it is called again.
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
from gentex.data import Dataset

FOLDERS = ("textures/dtd10_subset", "textures/kth_tips_grey")
LEVELS = ("easy", "medium", "hard")
STEPS = 24_000
BATCH = 16
SIZE = 64
GREY = 4  # one image in so many


class EveryLevel(Dataset):
    """Composites of all levels, in turn; every fourth image of a batch is grey."""

    def __init__(self, levels: Sequence[Dataset]) -> None:
        first = levels[0]
        super().__init__("composites", first.split, first.image, skipped=first.skipped)
        self.levels = levels

    def __len__(self) -> int:
        return sum(map(len, self.levels))

    def batch(self, indices: Sequence[int] | Tensor) -> Batch:
        """The items at `indices`, ordered by level."""
        index = torch.as_tensor(indices)
        count = len(self.levels)
        parts = [
            level.batch(index[index % count == k] // count).layers
            for k, level in enumerate(self.levels)
            if bool((index % count == k).any())
        ]
        structure, texture = (_some_grey(torch.cat(layer)) for layer in zip(*parts, strict=True))
        return Batch(structure + texture, layers=Layers(structure, texture))

    def to(self, device: torch.device | str) -> Self:
        return type(self)([level.to(device) for level in self.levels])


def _some_grey(layer: Tensor) -> Tensor:
    layer[::GREY] = layer[::GREY].mean(1, keepdim=True)
    return layer


@click.command()
@click.argument("run", type=click.Path(file_okay=False, path_type=Path))
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="Else GENTEX_DATA.")
@click.option("--architecture", default="unet", show_default=True)
@click.option("--steps", default=STEPS, show_default=True)
@click.option("--precision", default="bf16", show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(
    run: Path, data: Path | None, architecture: str, steps: int, precision: str, seed: int
) -> None:
    """Train, and write the weights into the folder RUN."""
    folders = "+".join(FOLDERS)
    dataset = EveryLevel(
        [
            gentex.load_dataset(
                f"composites:{level}+{folders}", "train", root=data, size=SIZE, channels=3
            )
            for level in LEVELS
        ]
    )
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
    state = {name: value.cpu().half().contiguous() for name, value in model.state_dict().items()}
    save_file(state, run / f"{architecture}.safetensors")
    click.echo(f"{history.steps} steps in {history.seconds:.0f} s")


if __name__ == "__main__":
    main()
