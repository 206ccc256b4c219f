"""Data-parallel training: processes started by `torchrun` that average their gradients."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import nn


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

    def same_start(self, module: nn.Module) -> None:
        """Give every process the parameters and buffers of the first."""
        if self.size > 1:
            for tensor in (*module.parameters(), *module.buffers()):
                dist.broadcast(tensor.data, src=0)

    def average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replace every gradient by its mean over the processes, in one message.

        A parameter without a gradient here counts as zero, as another process may have one.
        """
        if self.size == 1 or not parameters:
            return
        pieces = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
        message = torch.cat([piece.reshape(-1).float() for piece in pieces])
        dist.all_reduce(message)
        message /= self.size
        split = message.split([piece.numel() for piece in pieces])
        for parameter, piece, mean in zip(parameters, pieces, split, strict=True):
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
