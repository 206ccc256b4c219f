"""Convolutions whose gradient at the input can be differentiated again at the usual price.

The second derivative that PyTorch has for a convolution takes the weight's gradient by way of a
convolution with a kernel as large as the map, which costs about twice what it should, and loses the
channels-last layout. Written as a transposed convolution the gradient at the input is an operation
like any other, with the ordinary backward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d
from torch.overrides import TorchFunctionMode


class TwiceDifferentiable(TorchFunctionMode):
    """Within this context, what `conv2d` gives has an input gradient with a quick derivative.

    For `torch.autograd.grad(..., inputs, create_graph=True)` where the weights of the convolutions
    are not among the inputs: such a call gives them no gradient. The backward pass that follows
    does.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is conv2d and not kwargs and len(args) == 7:  # as `nn.Conv2d` calls it
            x, weight, bias, stride, padding, dilation, groups = args
            if isinstance(padding, tuple) and tuple(dilation) == (1, 1):
                return Convolution.apply(x, weight, bias, stride, padding, groups)
        return func(*args, **(kwargs or {}))


class Convolution(torch.autograd.Function):
    """A 2D convolution; the arguments are those of `conv2d`, without dilation."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: tuple[int, int],
        padding: tuple[int, int],
        groups: int,
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.bias_size = None if bias is None else list(bias.shape)
        ctx.stride, ctx.padding, ctx.groups = stride, padding, groups
        return conv2d(x, weight, bias, stride, padding, 1, groups)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        if torch.is_grad_enabled():  # the graph of this pass is wanted: see TwiceDifferentiable
            kernel, reached = weight.shape[2:], gradient.shape[2:]
            rest = [
                size - ((n - 1) * step - 2 * pad + k)
                for size, n, step, pad, k in zip(
                    x.shape[2:], reached, ctx.stride, ctx.padding, kernel, strict=True
                )
            ]
            at_input = conv_transpose2d(
                gradient, weight, None, ctx.stride, ctx.padding, rest, ctx.groups
            )
            return at_input, None, None, None, None, None
        mask = list(ctx.needs_input_grad[:3])
        gradients = torch.ops.aten.convolution_backward(
            gradient,
            x,
            weight,
            ctx.bias_size,
            ctx.stride,
            ctx.padding,
            [1, 1],
            False,
            [0, 0],
            ctx.groups,
            mask,
        )
        return (*gradients, None, None, None)
