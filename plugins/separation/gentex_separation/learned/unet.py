"""U-Net: Ronneberger, Fischer and Brox, MICCAI 2015; residual, and small enough for a CPU.

The image goes in as its 2×2 blocks (as in FFDNet: Zhang, Zuo and Zhang, TIP 2018), so that no layer
works at the full resolution, where channels cost most. Skips are added instead of concatenated.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from gentex import ImageShape
from gentex_separation.learned.supervised import Supervised, padded, zeroed
from gentex_separation.learned.weights import load_weights
from gentex_separation.solution import whole

BLOCK = 2


class UNet(Supervised):
    """A U-Net that predicts the texture.

    width: channels at half the resolution; half as many more with each of two halvings.
    lr, steps, weights, ensemble: see `Supervised`.
    """

    def __init__(
        self,
        image: ImageShape,
        *,
        width: int = 32,
        lr: float = 2e-3,
        steps: int = 0,
        weights: str = "",
        ensemble: bool = False,
    ) -> None:
        super().__init__(image, lr, steps, weights, ensemble)
        width = whole("width", width)
        widths = [width, width * 3 // 2, width * 2]
        self.head = nn.Conv2d(self.channels * BLOCK**2, width, 3, padding=1)
        self.encode = nn.ModuleList(Residual(w) for w in widths)
        self.decode = nn.ModuleList(Residual(w) for w in widths[:-1])
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairs)
        self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in pairs)
        self.tail = zeroed(nn.Conv2d(width, self.channels * BLOCK**2, 3, padding=1))
        if weights:
            load_weights(self, "unet")

    def network(self, images: Tensor) -> Tensor:
        h, w = images.shape[-2:]
        x = padded(images, BLOCK * 2 ** len(self.down)) - 0.5
        x = self.head(functional.pixel_unshuffle(x, BLOCK))
        skips = []
        for encode, down in zip(self.encode, self.down, strict=False):
            skips.append(encode(x))
            x = down(skips[-1])
        x = self.encode[-1](x)
        for decode, up in zip(reversed(self.decode), reversed(self.up), strict=True):
            x = decode(up(x) + skips.pop())
        return functional.pixel_shuffle(self.tail(x), BLOCK)[..., :h, :w]


class Residual(nn.Module):
    """x + conv(relu(conv(relu(x)))): residual block with the activations in front."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(self.first(x.relu()).relu_())
        return x + y
