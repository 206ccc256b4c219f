"""Two untrained networks: Gandelsman, Shocher and Irani, «Double-DIP», CVPR 2019 (1812.00467).

A convolutional network with random weights finds some images sooner than others: it is a prior
(Ulyanov, Vedaldi and Lempitsky, «Deep Image Prior», CVPR 2018, 1711.10925). One network makes the
structure s of an image f out of noise, another its texture t; both are fitted to that image alone,

    min  mean (f − s − t)²  +  λ TV(s)  +  α mean |t|  +  β mean (G * (f − s))²  +  γ E(s, t).

The first term and the exclusion loss E, by which two layers have no gradients at the same places,
are the paper's. Which layer is which its applications know from hints; here the other terms say it:
structure has little variation, texture is small and, under a Gaussian G, has mean zero. And E moves
the structure only, which so gives way where there is texture; moving both, it is least without any
texture at all. What neither network explains when the fit ends is texture.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.functional import leaky_relu

from gentex import ImageShape, Layers, Separator
from gentex_separation.operators import gaussian_blur
from gentex_separation.solution import layers, positive, single_precision, whole

SMALL = 0.02  # α
LOCAL, SIGMA = 1.0, 3.0  # β, and the width of G in pixels
EXCLUSION, STEEP, SCALES = 0.003, 10.0, 3  # γ, and of E: how soon a gradient counts, and sizes
HALVINGS = 4  # from the image to the coarsest map
NOISE = 4  # channels of noise at each finer size
TEXTURE = 0.1  # the range of textures, to start with


class DeepPrior(Separator):
    """Structure and texture as two networks make them that were fitted to the image.

    Nothing is trained and nothing is kept: every image is fitted from the same weights and noise,
    and no result depends on the batch or on earlier calls. They are drawn once, as weights
    elsewhere are, from the seed that the model is created with.

    strength: λ of the structure's total variation.
    iterations: steps of Adam for every image.
    width: channels of both networks.
    lr: its learning rate, which falls to zero in the second half.
    """

    seed: Tensor

    def __init__(
        self,
        image: ImageShape,
        *,
        strength: float = 0.025,
        iterations: int = 300,
        width: int = 16,
        lr: float = 0.01,
    ) -> None:
        super().__init__()
        self.strength, self.lr = positive("strength", strength), positive("lr", lr)
        self.iterations, self.width = whole("iterations", iterations), whole("width", width)
        self.register_buffer("seed", torch.randint(2**31, ()))

    def separate(self, images: Tensor) -> Layers:
        """Layers of images (N, C, H, W) of any size; seconds for each of 64×64."""
        images = single_precision(images)
        structure = torch.empty_like(images, memory_format=torch.contiguous_format)
        for i in range(len(images)):
            structure[i : i + 1] = self.fitted(images[i : i + 1])
        return layers(images, structure)

    def fitted(self, image: Tensor) -> Tensor:
        """The structure of one image (1, C, H, W), detached."""
        # Gradients are wanted here, in full precision, wherever the call comes from.
        unscaled = torch.autocast(image.device.type, enabled=False)
        with torch.inference_mode(False), torch.enable_grad(), unscaled:
            f = image.clone(memory_format=torch.contiguous_format)
            rng = torch.Generator().manual_seed(int(self.seed))
            structure, texture = (Prior(f, self.width, rng) for _ in range(2))
            both = nn.ModuleList([structure, texture])
            optimizer = torch.optim.Adam(both.parameters(), self.lr, fused=True)
            for iteration in range(self.iterations):
                optimizer.param_groups[0]["lr"] = self.lr * min(
                    1.0, 2 - 2 * iteration / self.iterations
                )
                optimizer.zero_grad()
                self.loss_of(f, structure().sigmoid(), TEXTURE * texture()).backward()
                optimizer.step()
            found: Tensor = structure().sigmoid()
        return found.detach()

    def loss_of(self, f: Tensor, s: Tensor, t: Tensor) -> Tensor:
        """What is minimised for an image and its layers, all (1, C, H, W)."""
        return (
            (f - s - t).square().mean()
            + self.strength * size(*differences(s)).mean()
            + SMALL * size(t).mean()
            + LOCAL * gaussian_blur(f - s, SIGMA).square().mean()
            + EXCLUSION * exclusion(s, t.detach())
        )


class Prior(nn.Module):
    """A decoder that makes one image like `image`, up to an activation, out of noise of its own.

    From 1/16 of the size up: 3×3 convolution, normalisation of every channel, leaky ReLU, bilinear
    enlargement; new noise comes in at every size, so that fine detail can be had as easily.

    rng: where weights and noise are drawn from, on the CPU.
    """

    def __init__(self, image: Tensor, width: int, rng: torch.Generator) -> None:
        super().__init__()
        channels, *sides = image.shape[1:]

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=rng).to(image)

        self.sizes = [[math.ceil(side / 2**k) for side in sides] for k in range(HALVINGS, -1, -1)]
        inputs = [width, *[width + NOISE] * HALVINGS]
        self.noise = [normal(1, NOISE if i else width, *size) for i, size in enumerate(self.sizes)]
        self.filters = nn.ParameterList(
            normal(width, n, 3, 3) * (2 / (9 * n)) ** 0.5 for n in inputs
        )
        self.gains = nn.ParameterList(image.new_ones(width) for _ in inputs)
        self.biases = nn.ParameterList(image.new_zeros(width) for _ in inputs)
        self.last = nn.Parameter(normal(channels, width, 1, 1) / width**0.5)
        self.level = nn.Parameter(image.new_zeros(channels))

    def forward(self) -> Tensor:
        x = self.noise[0]
        stages = zip(self.filters, self.gains, self.biases, strict=True)
        for i, (weight, gain, bias) in enumerate(stages):
            if i:
                x = functional.interpolate(x, self.sizes[i], mode="bilinear")
                x = torch.cat([x, self.noise[i]], 1)
            x = functional.conv2d(functional.pad(x, (1, 1, 1, 1), "replicate"), weight)
            x = leaky_relu(torch.group_norm(x, len(gain), gain, bias), 0.1)
        return functional.conv2d(x, self.last, self.level)


def differences(u: Tensor) -> tuple[Tensor, Tensor]:
    """Forward differences as in `operators.gradient`, differentiable."""
    across, down = u.diff(dim=-1), u.diff(dim=-2)
    return functional.pad(across, (0, 1)), functional.pad(down, (0, 0, 0, 1))


def size(*parts: Tensor) -> Tensor:
    """The root of the mean over channels of the sum of squares, (1, 1, H, W); smooth at zero."""
    squares = torch.stack([part.square() for part in parts]).sum(0)
    return (squares.mean(1, keepdim=True) + 1e-6).sqrt()


def exclusion(s: Tensor, t: Tensor) -> Tensor:
    """How far both layers have gradients at the same places, at several sizes.

    That of Double-DIP is from Zhang, Ng and Chen, «Single Image Reflection Separation with
    Perceptual Losses», CVPR 2018. Here both gradients are weighed alike.
    """
    total = s.new_zeros(())
    for _ in range(SCALES):
        edges, grain = (torch.tanh(STEEP * size(*differences(x))) for x in (s, t))
        total = total + (edges * grain).mean()
        s, t = (functional.avg_pool2d(x, 2, ceil_mode=True) for x in (s, t))
    return total / SCALES
