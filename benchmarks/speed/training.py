"""How fast gentex trains, beside a plain hand-written loop and beside the bare mathematics.

    python benchmarks/speed/training.py [--threads 1] [--seconds 420]
        [--json benchmarks/results/speed-training.json]

Two comparisons, each of them interleaved in one run:

1. DCGAN, 64×64, batch 64, width 64 against a loop after PyTorch's DCGAN example: DataLoader with
   two workers, PIL images, `ToTensor` and `Normalize`, BCE on logits, `zero_grad` and `backward`
   through all weights, Adam as it comes, four `.item()` for the log. The plain loop runs in
   float32, gentex in float32 and in bf16 autocast. The images are in memory on both sides, so that
   no disk is timed; the workers' time on other cores is not counted against the plain loop.
2. DCGAN and conv-vae, 32×32, batch 64 against a loop that does nothing but the mathematics:
   forward, gradients for one network, fused Adam, over batches that lie ready in memory as floats.
   What is left is what gentex adds: making batches, driving the generator, checking and logging
   losses.

`gentex.train` runs as anyone calls it; `on_progress` comes every `log_every` steps, and there the
other loop takes as many of its own. A block is compared with the mean of the two around it, and the
median of the ratios is given with its bootstrap interval. Time is both that of the clock and
CPU time of the training process: on a machine that others use too, the second is the steadier.
"""

from __future__ import annotations

import argparse
import copy
import json
import shlex
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.backends.cpu import get_cpu_capability
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset
from torchvision import transforms

import gentex
from gentex import ImageShape, Trainable
from gentex.bench.environment import environment
from gentex.data import MemoryDataset
from gentex.training import Progress

BATCH = 64
Clock = tuple[float, float]
Steps = Iterator[None]


class Photos(TorchDataset[tuple[Tensor, int]]):
    """Images as the example's data sets hand them out: a PIL image, transformed."""

    def __init__(self, images: Tensor) -> None:
        self.images = images.permute(0, 2, 3, 1).contiguous().numpy()
        self.transform = transforms.Compose(
            [transforms.ToTensor(), transforms.Normalize((0.5,) * 3, (0.5,) * 3)]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[index])), 0


def plain_dcgan(model: Any, images: Tensor) -> Steps:
    """A step at a time of a loop after PyTorch's DCGAN example, with the same two networks."""
    usual = torch.contiguous_format
    generator = copy.deepcopy(model.generator).to(memory_format=usual)
    discriminator = copy.deepcopy(model.discriminator).to(memory_format=usual)
    criterion = nn.BCEWithLogitsLoss()
    adam_g = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    adam_d = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    loader = DataLoader(
        Photos(images), BATCH, shuffle=True, num_workers=2, persistent_workers=True, drop_last=True
    )
    while True:
        for real, _ in loader:
            discriminator.zero_grad()
            label = torch.full((BATCH,), 1.0)
            output = discriminator(real)
            loss_real = criterion(output, label)
            loss_real.backward()
            on_real = output.mean().item()
            fake = generator(torch.randn(BATCH, model.latent))
            label.fill_(0.0)
            output = discriminator(fake.detach())
            loss_fake = criterion(output, label)
            loss_fake.backward()
            on_fake = output.mean().item()
            adam_d.step()

            generator.zero_grad()
            label.fill_(1.0)
            output = discriminator(fake)
            loss = criterion(output, label)
            loss.backward()
            adam_g.step()
            _log = on_real, on_fake, (loss_real + loss_fake).item(), loss.item()
            yield


def bare_dcgan(model: Any, images: Tensor) -> Steps:
    """The mathematics of a step of DCGAN, and nothing else."""
    generator, discriminator = copy.deepcopy(model.generator), copy.deepcopy(model.discriminator)
    softplus = nn.functional.softplus
    of_g, of_d = list(generator.parameters()), list(discriminator.parameters())
    adam_g = torch.optim.Adam(of_g, lr=2e-4, betas=(0.5, 0.999), fused=True)
    adam_d = torch.optim.Adam(of_d, lr=2e-4, betas=(0.5, 0.999), fused=True)
    for batch in ready(images):
        fake = generator(torch.randn(BATCH, model.latent))
        on_real, on_fake = discriminator(batch * 2 - 1), discriminator(fake.detach())
        loss = softplus(-on_real).mean() + softplus(on_fake).mean()
        loss.backward(inputs=of_d)
        adam_d.step()
        adam_d.zero_grad()
        loss = softplus(-discriminator(fake)).mean()
        loss.backward(inputs=of_g)
        adam_g.step()
        adam_g.zero_grad()
        yield


def bare_vae(model: Any, images: Tensor) -> Steps:
    """The evidence lower bound, its gradients, and a step of the optimiser."""
    model = copy.deepcopy(model)
    (optimizer,) = model.optimizers().values()
    parameters = list(model.parameters())
    for batch in ready(images):
        loss = -model.elbo(batch).mean()
        loss.backward(inputs=parameters)
        optimizer.step()
        optimizer.zero_grad()
        yield


def ready(images: Tensor) -> Iterator[Tensor]:
    """Batches that are ready, round and round."""
    split = (images.float() / 255).to(memory_format=torch.channels_last).split(BATCH)
    while True:
        yield from split


@dataclass
class Blocks:
    """Blocks of steps of two loops in turn: (seconds, CPU seconds) each."""

    steps: int
    ours: list[Clock]
    theirs: list[Clock]

    def summary(self) -> dict[str, Any]:
        """Theirs over ours, by the clock and by CPU time; above 1 where gentex is faster."""
        result: dict[str, Any] = {"blocks": len(self.ours), "steps_per_block": self.steps}
        for which, name in enumerate(("wall", "cpu")):
            ours = [block[which] for block in self.ours]
            theirs = [block[which] for block in self.theirs]
            around = [(a + b) / 2 for a, b in pairwise(theirs)]
            ratios = [other / own for own, other in zip(ours, around, strict=True)]
            result[name] = {
                "ratio": round(statistics.median(ratios), 4),
                "interval_95": [round(bound, 4) for bound in bootstrap(ratios)],
                "gentex_seconds_per_step": round(statistics.median(ours) / self.steps, 5),
                "other_seconds_per_step": round(statistics.median(theirs) / self.steps, 5),
            }
        return result


def bootstrap(values: list[float]) -> tuple[float, float]:
    """A 95 % interval of the median, by 5000 resamples."""
    rng = np.random.default_rng(0)
    medians = np.median(rng.choice(values, (5000, len(values))), axis=1)
    low, high = np.quantile(medians, [0.025, 0.975])
    return float(low), float(high)


def interleave(
    model: Trainable,
    images: Tensor,
    other: Steps,
    *,
    steps: int,
    seconds: float,
    precision: str = "fp32",
) -> Blocks:
    """`gentex.train`, and after every `steps` steps of it as many of the other loop."""
    blocks = Blocks(steps, [], [])
    resumed = now()

    def on_progress(progress: Progress) -> None:
        nonlocal resumed
        blocks.ours.append(since(resumed))
        began = now()
        for _ in range(steps):
            next(other)
        blocks.theirs.append(since(began))
        resumed = now()

    dataset = MemoryDataset("noise", "train", images)
    # The budget counts the other loop's blocks too: they run within.
    gentex.train(
        model,
        dataset,
        seconds=seconds,
        batch_size=BATCH,
        precision=precision,
        device="cpu",
        log_every=steps,
        on_progress=on_progress,
    )
    # The first blocks warm up; and the last block of ours may be a short one.
    whole = len(blocks.theirs) - 1
    blocks.ours, blocks.theirs = blocks.ours[2:whole], blocks.theirs[1:whole]
    return blocks


def now() -> Clock:
    return time.perf_counter(), time.process_time()


def since(began: Clock) -> Clock:
    return time.perf_counter() - began[0], time.process_time() - began[1]


def noise(shape: ImageShape, count: int = 1024) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, *shape), dtype=torch.uint8, generator=generator)


def comparisons(seconds: float) -> Iterator[tuple[str, Blocks]]:
    """Every comparison, with its share of the time."""
    large, small = ImageShape(3, 64, 64), ImageShape(3, 32, 32)
    for precision, share in (("fp32", 0.35), ("bf16", 0.3)):
        model, images = gentex.create("dcgan", image=large, width=64, seed=0), noise(large)
        other = plain_dcgan(model, images)
        yield (
            f"dcgan {precision} against a plain loop",
            interleave(model, images, other, steps=1, seconds=share * seconds, precision=precision),
        )
    # Smaller images than above, beside which an overhead shows more.
    for name, bare, share in (("dcgan", bare_dcgan, 0.2), ("conv-vae", bare_vae, 0.15)):
        model, images = gentex.create(name, image=small, seed=0), noise(small)
        other = bare(model, images)
        yield (
            f"{name} fp32 against the bare mathematics",
            interleave(model, images, other, steps=5, seconds=share * seconds),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=420.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    results = {}
    for name, blocks in comparisons(options.seconds):
        results[name] = blocks.summary()
        print(name)
        for clock in ("wall", "cpu"):
            low, high = results[name][clock]["interval_95"]
            print(f"  {clock:4} {results[name][clock]['ratio']:.3f} [{low:.3f}, {high:.3f}]")
    if options.json:
        used = {
            "command": shlex.join(["python", *sys.argv]),
            "cpu_capability": get_cpu_capability(),
        }
        record = {"environment": environment() | used, "results": results}
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
