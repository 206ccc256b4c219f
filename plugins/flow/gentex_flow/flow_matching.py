"""Flow matching: Lipman, Chen, Ben-Hamu, Nickel & Le 2023, «Flow Matching for Generative Modeling».

On straight paths from noise to images, with σ_min = 0; optionally between noise and images that
optimal transport has paired within the batch (Tong et al. 2024, arXiv 2302.00482).
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from gentex import Batch, Generator, ImageShape, Rng, randn
from gentex.errors import HyperparameterError
from gentex_flow.checks import check_choice, check_positive, unconditional
from gentex_flow.solvers import adaptive, euler, midpoint
from gentex_flow.unet import UNet

Coupling = Literal["independent", "ot"]
Time = Literal["uniform", "logit-normal"]
Solver = Literal["euler", "midpoint", "adaptive"]


class FlowMatching(Generator):
    """A velocity field v(x, t) that carries noise (t = 0) to images in [-1, 1] (t = 1).

    width, blocks, patch, dropout: of the network; see `UNet`.
    coupling: which noise a path leads from to an image: «independent», or «ot», that of the
        assignment within the batch with the least sum of squared distances.
    time: where on the paths the network trains: «uniform», or «logit-normal», more often halfway
        (Esser et al. 2024, equation 19, with location 0 and scale 1).
    solver: of the ODE that samples solve: «euler», «midpoint», or «adaptive», Dormand & Prince's.
    evaluations: of the network for each sample, by the solvers with fixed steps.
    tolerance: of the adaptive solver, in units of half the range of images.
    lr: learning rate of Adam.

    Those of the solver do not touch training, and can be set on a trained model.

    spent: (n,), the evaluations of the network for each image of the last `sample`.
    """

    def __init__(
        self,
        image: ImageShape,
        *,
        width: int = 32,
        blocks: int = 1,
        patch: int = 1,
        dropout: float = 0.0,
        coupling: Coupling = "independent",
        time: Time = "uniform",
        solver: Solver = "midpoint",
        evaluations: int = 50,
        tolerance: float = 1e-3,
        lr: float = 5e-4,
    ) -> None:
        super().__init__()
        check_choice("coupling", coupling, get_args(Coupling))
        check_choice("time", time, get_args(Time))
        check_positive(lr=lr)
        self.image, self.coupling, self.time = image, coupling, time
        self.solver, self.evaluations, self.tolerance = solver, evaluations, tolerance
        self.check_solver()
        self.lr = lr
        self.spent = torch.zeros(0, dtype=torch.int64)
        self.network = UNet(image, width=width, blocks=blocks, patch=patch, dropout=dropout)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"flow": torch.optim.Adam(self.parameters(), lr=self.lr, fused=True)}

    def loss(self, batch: Batch) -> Tensor:
        """E ‖v((1 - t) x₀ + t x₁, t) - (x₁ - x₀)‖², the mean over the dimensions of an image."""
        x1 = 2 * batch.images - 1
        x0 = torch.randn_like(x1)
        if self.coupling == "ot":
            x0 = x0[assignment(x0, x1)]
        t = self.times(len(batch))
        s = t.view(-1, 1, 1, 1)
        velocity = self.velocity((1 - s) * x0 + s * x1, t)
        return (velocity - (x1 - x0)).square().mean()

    def times(self, n: int) -> Tensor:
        """Times (n,) in [0, 1] to train at."""
        if self.time == "uniform":
            return torch.rand(n, device=self.device)
        return torch.randn(n, device=self.device).sigmoid()

    @torch.no_grad()
    def sample(self, n: int, *, rng: Rng = None, condition: Tensor | None = None) -> Tensor:
        unconditional("flow-matching", condition)
        self.check_solver()
        x0 = randn((n, *self.image), rng=rng, device=self.device)
        if self.solver == "adaptive":
            x1, self.spent = adaptive(self.velocity, x0, tolerance=self.tolerance)
        elif self.solver == "midpoint":
            x1, self.spent = midpoint(self.velocity, x0, steps=self.evaluations // 2)
        else:
            x1, self.spent = euler(self.velocity, x0, steps=self.evaluations)
        return ((x1 + 1) / 2).clamp(0, 1)

    def check_solver(self) -> None:
        """Raise a HyperparameterError where there is no such solver, or no such step."""
        check_choice("solver", self.solver, get_args(Solver))
        check_positive(tolerance=self.tolerance)
        least = 2 if self.solver == "midpoint" else 1
        if self.evaluations < least:
            raise HyperparameterError(
                f"evaluations={self.evaluations!r}: at least {least} with solver={self.solver!r}"
            )

    def velocity(self, x: Tensor, t: Tensor) -> Tensor:
        """dx/dt (N, C, H, W) at points x (N, C, H, W) and times t (N,)."""
        v: Tensor = self.network(x, t)
        return v.float()


def assignment(x0: Tensor, x1: Tensor) -> Tensor:
    """The permutation of x0 (N, ...) that brings it nearest to x1 (N, ...), in squared distance."""
    costs = torch.cdist(x1.flatten(1), x0.flatten(1)).square()
    _, partners = linear_sum_assignment(costs.cpu().numpy())
    return torch.as_tensor(partners, device=x0.device)
