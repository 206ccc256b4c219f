"""The loop: drives `training_step` and owns everything else about training."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from gentex.data import Dataset, batches, in_order
from gentex.errors import CheckpointError, TrainingError, unknown
from gentex.interfaces import Batch, Trainable, Update
from gentex.layout import channels_last
from gentex.seeding import random_state, restore_random_state, seeded
from gentex.training.budget import Budget
from gentex.training.checkpoint import read_checkpoint, write_checkpoint
from gentex.training.distributed import Processes
from gentex.training.history import History, Progress, Recorder
from gentex.training.precision import Precision, find_device

_END: Any = object()
"""What a training step that has come to its end gives instead of an Update."""


def train(
    model: Trainable,
    dataset: Dataset,
    *,
    steps: int | None = None,
    images: int | None = None,
    seconds: float | None = None,
    batch_size: int = 64,
    seed: int = 0,
    device: str | torch.device = "auto",
    precision: str = "fp32",
    compile: bool = False,
    ema: float | None = None,
    clip_grad_norm: float | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 1000,
    log_every: int = 50,
    on_progress: Callable[[Progress], None] | None = None,
) -> History:
    """Train a model in place; a model without optimisers is left as it is.

    steps, images, seconds: the budget; training ends as soon as one that is given is spent.
    batch_size: images per step and process.
    seed: decides the order of the data and all training noise; torch's global random state is as
        before afterwards. On the CPU the same seed gives the same bits.
    device: "auto", "cpu", "cuda", "cuda:1", "mps". The model stays there.
    precision: "fp32", or autocast to "bf16" or "fp16" (with loss scaling).
    compile: run the model's child modules through `torch.compile`; they stay compiled.
    ema: decay of an exponential moving average of the parameters, which the model ends with.
    clip_grad_norm: the largest L2 norm of the gradients of an update.
    checkpoint: a file; where it exists the run goes on from it (bit-exactly on the CPU), and it is
        written every `checkpoint_every` steps and at the end.
    log_every: steps between points of the curves; on an accelerator NaN is looked for as often.

    Under `torchrun`, gradients are averaged over the processes at each update, and each takes its
    slice of one global batch of `batch_size * processes` images.

    Raises TrainingError when a loss is NaN or infinite, naming the step and the loss.
    """
    budget = Budget(steps, images, seconds)
    _check_positive(
        batch_size=batch_size,
        clip_grad_norm=clip_grad_norm,
        checkpoint_every=checkpoint_every,
        log_every=log_every,
    )
    if ema is not None and not 0 <= ema < 1:
        raise TrainingError(f"ema={ema}: a decay from 0 to below 1 is wanted")
    processes = Processes(find_device(device))
    model.to(processes.device)
    channels_last(model)
    loop = _Loop(model, processes, precision, ema, clip_grad_norm)
    if not loop.optimizers:
        return loop.history
    run = {
        "seed": seed,
        "batch_size": batch_size,
        "processes": processes.size,
        "precision": precision,
        "dataset": repr(dataset),
        "ema": ema,
        "clip_grad_norm": clip_grad_norm,
        **_identity(model),
    }
    path = None if checkpoint is None else Path(checkpoint)
    with seeded(seed * processes.size + processes.rank):
        saved = None if path is None else read_checkpoint(path, run)
        if saved is not None:
            loop.restore(saved, path)
        if compile:
            for module in model.children():
                module.compile()
        stream = batches(
            dataset,
            batch_size,
            seed=seed,
            start=loop.history.steps,
            rank=processes.rank,
            world_size=processes.size,
            device=processes.device,
        )
        model.train()
        history, began = loop.history, time.perf_counter() - loop.history.seconds

        def ended() -> bool:
            spent = budget.spent(history) >= 1
            # Clocks differ between processes, and all must take the same number of steps.
            return spent if seconds is None else processes.agree(spent)

        def tell() -> None:
            losses = loop.recorder.flush(history.steps)
            if on_progress is not None and losses:
                share = budget.spent(history)
                on_progress(Progress(history.steps, share, history.seconds, losses))

        while not ended():
            loop.step(next(stream))
            history.steps += 1
            history.images += batch_size * processes.size
            history.seconds = time.perf_counter() - began
            if history.steps % log_every == 0:
                tell()
            if path is not None and history.steps % checkpoint_every == 0:
                loop.check()
                loop.save(path, run)
        loop.check()
        history.seconds = time.perf_counter() - began  # now that the device has done it all
        if path is not None:
            loop.save(path, run)
        tell()
        loop.finish(dataset, batch_size)
    return history


class _Loop:
    """The state of a run, and what is done with each `Update`."""

    def __init__(
        self,
        model: Trainable,
        processes: Processes,
        precision: str,
        ema: float | None,
        clip_grad_norm: float | None,
    ) -> None:
        self.model, self.processes, self.clip = model, processes, clip_grad_norm
        self.precision = Precision(precision, processes.device)
        self.history = History()
        self.recorder = Recorder(self.history, immediately=processes.device.type == "cpu")
        processes.share((*model.parameters(), *model.buffers()))
        model.zero_grad(set_to_none=True)  # what was there before would add up with the first
        self.optimizers: dict[str, Optimizer] = model.optimizers()
        self.parameters = {
            name: [
                p for group in optimizer.param_groups for p in group["params"] if p.requires_grad
            ]
            for name, optimizer in self.optimizers.items()
        }
        self.average: AveragedModel | None = None
        if ema is not None:
            self.average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(ema))

    def step(self, batch: Batch) -> None:
        """One training step: every update that the model yields, taken before it is resumed."""
        if batch.images.ndim == 4:
            images = batch.images.contiguous(memory_format=torch.channels_last)
            batch = Batch(images, batch.labels, batch.layers)
        resumptions = self._resumptions(batch)
        while True:
            with self.precision.autocast():
                update = next(resumptions, _END)
            if update is _END:
                break
            self._take(update)
        # Each process has its own running statistics; the first's count, as in torch's own DDP.
        self.processes.share(self.model.buffers())
        if self.average is not None:
            self.average.update_parameters(self.model)

    def _resumptions(self, batch: Batch) -> Iterator[Update]:
        result = self.model.training_step(batch)
        if not isinstance(result, Iterator):
            raise TrainingError(
                f"{type(self.model).__name__}.training_step returned a {type(result).__name__}; "
                "it must be a generator that yields an Update per optimiser step"
            )
        return result

    def _take(self, update: Update) -> None:
        name = self._optimizer_name(update)
        optimizer, parameters, loss = self.optimizers[name], self.parameters[name], update.loss
        if not (isinstance(loss, Tensor) and loss.requires_grad):
            raise TrainingError(f"the loss of optimizer {name!r} does not depend on any parameter")
        self.recorder.add(self.history.steps + 1, update)
        scaler = self.precision.scaler
        # Only this optimiser's parameters: none of the other network's weight gradients.
        scaler.scale(loss).backward(inputs=parameters)
        if all(parameter.grad is None for parameter in parameters):
            raise TrainingError(f"the loss of optimizer {name!r} depends on none of its parameters")
        self.processes.average_gradients(parameters)
        if self.clip is not None:
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(parameters, self.clip)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad(set_to_none=True)

    def _optimizer_name(self, update: Update) -> str:
        if not isinstance(update, Update):
            raise TrainingError(f"training_step yielded a {type(update).__name__}, not an Update")
        names = tuple(self.optimizers)
        if update.optimizer is None and len(names) == 1:
            return names[0]
        if update.optimizer is None:
            raise TrainingError(f"an Update must name its optimizer: one of {', '.join(names)}")
        if update.optimizer not in names:
            raise unknown("optimizer", update.optimizer, names)
        return update.optimizer

    def check(self) -> None:
        """Stop at a loss that is NaN or infinite, or where a gradient was though its loss was not.

        So nothing broken is saved, and the last checkpoint stays a good one.
        """
        self.recorder.check()
        for name, parameters in self.parameters.items():
            finite = [p.isfinite().all() for p in parameters]
            if finite and not torch.stack(finite).all():
                raise TrainingError(
                    f"parameters of optimizer {name!r} are NaN or infinite after step "
                    f"{self.history.steps}, though its losses are not: its gradients were"
                )

    def finish(self, dataset: Dataset, batch_size: int) -> None:
        """Leave the model with its averaged weights, and let it fit what is not trained."""
        self.model.eval()
        stream = (batch.to(self.processes.device) for batch in in_order(dataset, batch_size))
        with torch.no_grad():
            if self.average is not None:
                means = self.average.module.parameters()
                for parameter, mean in zip(self.model.parameters(), means, strict=True):
                    parameter.copy_(mean)
            self.model.finish(stream)
        self.processes.share((*self.model.parameters(), *self.model.buffers()))
        self.model.train()

    def save(self, path: Path, run: dict[str, Any]) -> None:
        """Write a checkpoint from the first process, with the random states of all."""
        states = self.processes.gather(random_state())
        if self.processes.rank == 0:
            state = {
                "run": run,
                "history": asdict(self.history),
                "window": self.recorder.window,
                "model": self.model.state_dict(),
                "optimizers": {name: o.state_dict() for name, o in self.optimizers.items()},
                "scaler": self.precision.scaler.state_dict(),
                "average": None if self.average is None else self.average.state_dict(),
                "random": states,
            }
            write_checkpoint(path, state)
        self.processes.barrier()

    def restore(self, state: dict[str, Any], path: Path | None) -> None:
        """Go on from a checkpoint."""
        try:
            self.model.load_state_dict(state["model"])
            for name, optimizer in self.optimizers.items():
                optimizer.load_state_dict(state["optimizers"][name])
            self.precision.scaler.load_state_dict(state["scaler"])
            if self.average is not None:
                self.average.load_state_dict(state["average"])
            for name, value in state["history"].items():
                setattr(self.history, name, value)
            self.recorder.window = dict(state["window"])
            restore_random_state(state["random"][self.processes.rank])
        except (LookupError, ValueError, RuntimeError, TypeError, AttributeError) as error:
            raise CheckpointError(f"checkpoint {path} does not fit the model: {error}") from None


def _check_positive(**values: float | None) -> None:
    for name, value in values.items():
        if value is not None and not value > 0:
            raise TrainingError(f"{name}={value}: a number above zero is wanted")


def _identity(model: Trainable) -> dict[str, Any]:
    """What the model is, for the checkpoint of its run: its class, or how it was created."""
    config = getattr(model, "config", {})
    values = config.get("hyperparameters", {})
    return {
        "architecture": config.get("architecture", type(model).__name__),
        **{f"hyperparameter {name}": value for name, value in values.items()},
    }
