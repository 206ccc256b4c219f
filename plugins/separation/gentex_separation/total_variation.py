"""Total variation of images with any number of channels, and its dual variable.

    TV(u) = Σ_pixels √( mean over channels of |∇u|² )

couples the channels (after Bresson and Chan, «Fast dual minimization of the vectorial total
variation norm», 2008), so that edges stay at the same place in all of them. Means over channels,
not sums: a grey image stored in three channels is treated as it is in one.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 -- its customary name
from torch import Tensor

from gentex_separation.operators import gradient

NORM = 8.0  # ‖∇‖² is below it on every grid


def halved(images: Tensor) -> Tensor:
    """Images of half the size, means over 2×2 pixels; of what there is of them at the border."""
    return F.avg_pool2d(images, 2, ceil_mode=True, count_include_pad=False)


def slope(u: Tensor) -> Tensor:
    """The root mean square over channels of |∇u|, (N, H, W)."""
    across, down = gradient(u)
    return (across.square_() + down.square_()).mean(1).sqrt_()


def relative(gap: Tensor, energy: Tensor, f: Tensor, weight: float) -> Tensor:
    """Gap over energy, of each image f; 0 where the gap is no more than rounding makes it.

    That is, about `weight` times the variation of rounding errors in f; in a constant image there
    is nothing else. NaN stays NaN.
    """
    rounding = 4 * weight * torch.finfo(f.dtype).eps * f.abs().sum((1, 2, 3))
    return torch.where(gap <= rounding, 0, gap / energy)


class Field:
    """A vector field p of images (N, C, H, W) with Σ_channels |p|² ≤ 1 in every pixel, from zero.

    √C · TV(u) is the greatest ⟨∇u, p⟩ over all such fields. Everything happens in place.
    """

    def __init__(self, like: Tensor) -> None:
        *rest, height, width = like.shape
        # A column and a row of zeros before the first, and zeros in the last ones, make the
        # divergence one difference each way.
        across = like.new_zeros(*rest, height, width + 1)
        down = like.new_zeros(*rest, height + 1, width)
        self.across, self._before_across = across[..., 1:], across[..., :-1]
        self.down, self._before_down = down[..., 1:, :], down[..., :-1, :]
        self._shrink = torch.empty_like(like[:, :1])

    def start_from(self, coarse: Field) -> None:
        """The field of the same image at half the size, enlarged."""
        size = self.across.shape[-2:]
        for field, half in ((self.across, coarse.across), (self.down, coarse.down)):
            field.copy_(F.interpolate(half, size=size, mode="bilinear"))
        self.across[..., -1] = 0
        self.down[..., -1, :] = 0

    def ascend(self, u: Tensor, step: float, scratch: Tensor) -> None:
        """P + `step` ∇u, projected; `scratch` is like u, and overwritten."""
        inner_across, inner_down = self.across[..., :-1], self.down[..., :-1, :]
        inner_across.add_(u[..., 1:], alpha=step).sub_(u[..., :-1], alpha=step)
        inner_down.add_(u[..., 1:, :], alpha=step).sub_(u[..., :-1, :], alpha=step)
        self.project(scratch)

    def project(self, scratch: Tensor) -> None:
        """Onto the ball, pixel by pixel; `scratch` is like an image, and overwritten."""
        squares = torch.mul(self.across, self.across, out=scratch).addcmul_(self.down, self.down)
        if squares.shape[1] > 1:
            squares = torch.sum(squares, 1, keepdim=True, out=self._shrink)
        torch.rsqrt(squares, out=self._shrink).clamp_(max=1)
        self.across.mul_(self._shrink)
        self.down.mul_(self._shrink)

    def divergence(self, onto: Tensor, scale: float, out: Tensor) -> Tensor:
        """`onto` + `scale` · div p, written to `out`."""
        torch.add(onto, self.across, alpha=scale, out=out).sub_(self._before_across, alpha=scale)
        return out.add_(self.down, alpha=scale).sub_(self._before_down, alpha=scale)

    def deficit(self, u: Tensor) -> Tensor:
        """√C · TV(u) − ⟨∇u, p⟩ of every image, (N,): never negative, zero where p is optimal.

        Summed from the pixels' own deficits, so that single precision does not cancel.
        """
        across, down = gradient(u)
        length = (across.square() + down.square()).sum(1).sqrt_()
        return length.sub_((across.mul_(self.across) + down.mul_(self.down)).sum(1)).sum((1, 2))
