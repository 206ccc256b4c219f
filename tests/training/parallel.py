"""Runs under `torchrun`: each scenario leaves what it ended with in a file per process.

It is also imported by the test, which runs the same models in one process.
"""

import atexit
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import nn

import gentex
from gentex import Trainable, Update
from gentex.data import MemoryDataset
from gentex.training import loop

RANK = int(os.environ.get("RANK", "0"))
IMAGES = torch.randint(
    0, 256, (40, 1, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8
)


class Plain(Trainable):
    """Two optimisers, no batch norm, no noise; a parameter that only some updates reach."""

    def __init__(self):
        super().__init__()
        self.one = nn.Sequential(nn.Conv2d(1, 4, 3, 2), nn.GELU(), nn.Conv2d(4, 4, 3))
        self.two = nn.Linear(4, 1)
        self.rare = nn.Parameter(torch.ones(()))
        self.logged = []

    def optimizers(self):
        two = [*self.two.parameters(), self.rare]
        return {
            "one": torch.optim.Adam(self.one.parameters(), 1e-2, fused=True),
            "two": torch.optim.Adam(two, 1e-2, fused=True),
        }

    def training_step(self, batch):
        self.logged.append(batch.images.sum().item())
        hidden = self.one(batch.images)
        yield Update("one", hidden.square().mean() + hidden.mean())
        output = self.two(self.one(batch.images).mean((2, 3)))
        if len(self.logged) % 3 == 1:
            output = output * self.rare
        yield Update("two", (output - batch.images.mean((2, 3))).square().mean())


class Noisy(Plain):
    """With batch norm, noise that is each process's own, and a buffer that training depends on."""

    def __init__(self, stop=0):
        super().__init__()
        self.norm, self.stop = nn.BatchNorm2d(1), stop
        self.register_buffer("level", torch.zeros(()))

    def training_step(self, batch):
        if self.stop and len(self.logged) == self.stop:
            raise InterruptedError
        noise = torch.rand(())
        self.level.lerp_(batch.images.mean(), 0.1)
        images = self.norm(batch.images) * noise + self.level
        yield from super().training_step(gentex.Batch(images))
        self.logged[-1] = noise.item()


class Lopsided(Trainable):
    """One parameter reached by the first process alone, one by none, one whose slope overflows."""

    def __init__(self):
        super().__init__()
        self.first, self.none = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
        self.all = nn.Parameter(torch.ones(2))

    def optimizers(self):
        # Weight decay moves every parameter that has a gradient, be it zero.
        return {"only": torch.optim.SGD(self.parameters(), 0.5, weight_decay=0.5)}

    def training_step(self, batch):
        loss = self.all.mean()
        if RANK == 0:
            loss = loss + self.first.sum()
        yield Update(None, loss)


class Overflowing(Lopsided):
    def training_step(self, batch):
        yield Update(None, self.all.mean() * (1e35 if RANK == 1 else 1.0))


def build(model_class, *arguments, seed=0):
    torch.manual_seed(seed)
    return model_class(*arguments)


def train(model, *, processes=1, **options):
    dataset = MemoryDataset("toy", "train", IMAGES)
    # The global batch is of 8 images, however many processes share it.
    defaults = {"steps": 6, "batch_size": 8 // processes, "device": "cpu", "log_every": 1}
    return gentex.train(model, dataset, **defaults | options)


def main(folder):
    def keep(name, model, history):
        result = {
            "model": model.state_dict(),
            "steps": history.steps,
            "images": history.images,
            "logged": getattr(model, "logged", []),
        }
        torch.save(result, folder / f"{name}.{RANK}.pt")

    for name, model, options in (
        ("plain", build(Plain, seed=RANK), {"clip_grad_norm": 0.05, "ema": 0.5}),
        ("lopsided", build(Lopsided), {"steps": 1}),
        ("overflowing", build(Overflowing), {"steps": 2, "precision": "fp16"}),
    ):
        keep(name, model, train(model, processes=2, **options))

    for name, stops in (("whole", (0,)), ("parts", (4, 0))):
        for stop in stops:
            model = build(Noisy, stop)
            path = folder / f"{name}.checkpoint"
            try:
                history = train(model, processes=2, checkpoint=path, checkpoint_every=3, ema=0.5)
            except InterruptedError:
                continue
            keep(name, model, history)

    # The second process's clock runs three times as fast.
    ticks = iter(range(0, 1000, 1 + 2 * RANK))
    loop.time = SimpleNamespace(perf_counter=lambda: float(next(ticks)))
    model = build(Plain)
    keep("seconds", model, train(model, processes=2, steps=None, seconds=5))


def write_threads(path):
    """The names of the threads that this process has, where the system tells them."""
    names = [task.read_text().strip() for task in Path("/proc/self/task").glob("*/comm")]
    path.write_text("\n".join(names))


if __name__ == "__main__":
    torch.set_num_threads(1)
    # Registered before training is, it runs after training has left the group.
    atexit.register(write_threads, Path(sys.argv[1]) / f"threads.{RANK}")
    main(Path(sys.argv[1]))
