"""DnCNN: Zhang, Zuo, Chen, Meng and Zhang, IEEE Transactions on Image Processing 26(7), 2017.

A row of convolutions with batch norm whose output is not the clean image but what is to be removed.
"""

from __future__ import annotations

from torch import Tensor, nn

from gentex import ImageShape
from gentex.errors import HyperparameterError
from gentex_separation.learned.supervised import Supervised, zeroed
from gentex_separation.learned.weights import load_weights
from gentex_separation.solution import whole


class DnCNN(Supervised):
    """Convolutions at the full resolution; the texture it sees is at most 2 × depth + 1 px wide.

    depth: convolutions, at least 3; the paper has 17.
    width: channels between them; the paper has 64. The defaults are small, for a CPU.
    lr, steps, weights, ensemble: see `Supervised`.
    """

    def __init__(
        self,
        image: ImageShape,
        *,
        depth: int = 10,
        width: int = 32,
        lr: float = 1e-3,
        steps: int = 0,
        weights: str = "",
        ensemble: bool = False,
    ) -> None:
        super().__init__(image, lr, steps, weights, ensemble)
        width = whole("width", width)
        if depth < 3:
            raise HyperparameterError(f"depth={depth}: allowed are whole numbers from 3")
        self.layers = nn.Sequential(
            nn.Conv2d(self.channels, width, 3, padding=1),
            nn.ReLU(inplace=True),
            *(layer for _ in range(depth - 2) for layer in normalised(width)),
            zeroed(nn.Conv2d(width, self.channels, 3, padding=1)),
        )
        if weights:
            load_weights(self, "dncnn")

    def network(self, images: Tensor) -> Tensor:
        texture: Tensor = self.layers(images - 0.5)
        return texture


def normalised(width: int) -> tuple[nn.Module, ...]:
    """Convolution, batch norm, ReLU."""
    return (
        nn.Conv2d(width, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    )
