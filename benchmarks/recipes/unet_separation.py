"""The recipe of the U-Net weights that gentex-separation ships.

    python benchmarks/recipes/unet_separation.py RUN

trains on composites over all three levels at once, with textures from two folders of photographs
below the data root besides the package's own, and writes RUN/unet.safetensors: three channels, half
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
LEVELS = {"amplitude": (0.03, 0.12), "scale": (1.0, 7.0)}  # from that of easy to that of hard
STEPS = 5000
BATCH = 16
SIZE = 64
GREY = 4  # one image in so many


class SomeGrey(Dataset):
    """A dataset of colour images with layers, in which every fourth image of a batch is grey."""

    def __init__(self, colour: Dataset) -> None:
        super().__init__(colour.name, colour.split, colour.image, skipped=colour.skipped)
        self.colour = colour

    def __len__(self) -> int:
        return len(self.colour)

    def batch(self, indices: Sequence[int] | Tensor) -> Batch:
        """The items at `indices`."""
        batch = self.colour.batch(indices)
        assert batch.layers is not None
        layers = Layers(*map(_every_fourth_grey, batch.layers))
        return Batch(layers.image, layers=layers)

    def to(self, device: torch.device | str) -> Self:
        return type(self)(self.colour.to(device))


def _every_fourth_grey(layer: Tensor) -> Tensor:
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
    dataset = gentex.load_dataset(
        "composites:medium+" + "+".join(FOLDERS),
        "train",
        root=data,
        size=SIZE,
        channels=3,
        **LEVELS,
    )
    model = gentex.create(architecture, image=dataset.image, seed=seed, steps=steps)
    history = gentex.train(
        model,
        SomeGrey(dataset),
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
