"""The layout of tensors in memory that convolutions are fastest in."""

from __future__ import annotations

import torch
from torch import nn


def channels_last(module: nn.Module) -> None:
    """Lay out the (N, C, H, W) parameters of a module with their channels innermost, in place.

    `module.to(memory_format=torch.channels_last)` refuses modules with a Conv3d.
    """
    for parameter in module.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.to(memory_format=torch.channels_last)
