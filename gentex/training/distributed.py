"""Data-parallel training: processes started by `torchrun` that average their gradients."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterable, Sequence
from typing import Any

import torch
import torch.distributed as dist

# Optimisers import this module, and its functions keep the group that there is by then: so it is
# imported before there is one, and leaving a group ends its threads.
import torch.distributed.nn
from torch import Tensor, nn


class Processes:
    """The processes of the run, and which one is this; alone where `torchrun` did not start it."""

    def __init__(self, device: torch.device) -> None:
        self.size = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0")) if self.size > 1 else 0
        self.device = device
        if self.size > 1 and device.type == "cuda" and device.index is None:
            self.device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
            torch.cuda.set_device(self.device)
        if self.size > 1 and not dist.is_initialized():
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
            atexit.register(_leave)  # gloo's threads may abort a process that ends before them

    def share(self, tensors: Iterable[Tensor]) -> None:
        """Give every process the values that the first has, in one message per type."""
        if self.size == 1:
            return
        by_type: dict[torch.dtype, list[Tensor]] = {}
        for tensor in tensors:
            by_type.setdefault(tensor.dtype, []).append(tensor.detach())
        for group in by_type.values():
            message = torch.cat([tensor.reshape(-1) for tensor in group])
            dist.broadcast(message, src=0)
            parts = message.split([tensor.numel() for tensor in group])
            for tensor, part in zip(group, parts, strict=True):
                tensor.copy_(part.view_as(tensor))

    def average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replace every gradient by its mean over the processes, in one message.

        A parameter without a gradient counts as zero where another process has one; where none
        has, it stays without, so that the optimiser passes it over.
        """
        if self.size == 1 or not parameters:
            return
        pieces = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
        here = torch.tensor([float(p.grad is not None) for p in parameters], device=self.device)
        message = torch.cat([*(piece.reshape(-1) for piece in pieces), here])
        dist.all_reduce(message)
        message /= self.size
        *means, share = message.split([*(piece.numel() for piece in pieces), len(pieces)])
        everywhere = all(p.grad is not None for p in parameters)
        there = [True] * len(pieces) if everywhere else (share > 0).tolist()
        for parameter, piece, mean, has in zip(parameters, pieces, means, there, strict=True):
            if has:
                parameter.grad = piece.copy_(mean.view_as(piece))

    def agree(self, flag: bool) -> bool:
        """Whether the first process says so: a clock's answer must be the same everywhere."""
        if self.size == 1:
            return flag
        message = torch.tensor([float(flag)], device=self.device)
        dist.broadcast(message, src=0)
        return bool(message.item())

    def gather(self, value: Any) -> list[Any]:
        """The value of every process, in the order of their ranks."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values

    def barrier(self) -> None:
        """Wait for every process."""
        if self.size > 1:
            dist.barrier()


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()
