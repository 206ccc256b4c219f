"""A codebook that follows the vectors it quantises by moving averages, and keeps no dead codes.

Van den Oord et al. 2017, appendix A.1; dead codes are put back among the data as in Dhariwal et al.
2020, «Jukebox».
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

DEAD = 0.1
"""A code taken less than this times as often as the average code is dead."""


class Codebook(nn.Module):
    """K vectors of D dimensions, learned by `update` and not by gradients.

    Under data-parallel training, where buffers are those of the first process, it follows the
    vectors of that process alone.
    """

    vectors: Tensor
    counts: Tensor
    sums: Tensor

    def __init__(self, codes: int, dim: int, *, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("vectors", torch.randn(codes, dim))
        self.register_buffer("counts", torch.zeros(codes))
        self.register_buffer("sums", torch.zeros(codes, dim))

    def nearest(self, z: Tensor) -> Tensor:
        """The codes (N, h, w) of the nearest vectors to z (N, D, h, w)."""
        with torch.autocast(z.device.type, enabled=False):  # bfloat16 would confuse neighbours
            flat = z.detach().float().movedim(1, -1)
            distances: Tensor = self.vectors.square().sum(1) - 2 * flat @ self.vectors.T
        return distances.argmin(-1)

    def forward(self, codes: Tensor) -> Tensor:
        """The vectors (N, D, h, w) of codes (N, h, w)."""
        return self.vectors[codes].movedim(-1, 1)

    def perplexity(self, codes: Tensor) -> Tensor:
        """How many codes are in use: exp of the entropy of their shares among `codes`."""
        shares = torch.bincount(codes.flatten(), minlength=len(self.counts)) / codes.numel()
        entropy: Tensor = torch.special.entr(shares).sum()
        return entropy.exp()

    @torch.no_grad()
    def update(self, z: Tensor, codes: Tensor) -> None:
        """Move each code towards the mean of the z that took it; replace the dead by random z."""
        flat, taken = z.float().movedim(1, -1).flatten(0, -2), codes.flatten()
        count = torch.zeros_like(self.counts).index_add_(0, taken, flat.new_ones(len(flat)))
        total = torch.zeros_like(self.sums).index_add_(0, taken, flat)
        self.counts.lerp_(count, 1 - self.decay)
        self.sums.lerp_(total, 1 - self.decay)
        threshold = DEAD * self.counts.mean()
        dead = self.counts < threshold
        others = flat[torch.randint(len(flat), dead.shape, device=flat.device)]
        # Twice the threshold: a code that no vector takes in its new place soon gets another.
        self.counts.copy_(torch.where(dead, 2 * threshold, self.counts))
        self.sums.copy_(torch.where(dead[:, None], 2 * threshold * others, self.sums))
        self.vectors.copy_(self.sums / self.counts[:, None])
