"""Against solutions in closed form, in float64."""

import math

import pytest
import torch
from gentex_flow.solvers import ERROR, NODES, STAGES, adaptive, euler, midpoint

from gentex import GentexError

RATES = torch.tensor([0.0, 0.5, -2.0, 12.0], dtype=torch.float64)


class Problems:
    """dx/dt = r cos(r t) x, solved by x(0) exp(sin(r t)): the faster its rate r, the harder."""

    def __init__(self, rates: torch.Tensor = RATES) -> None:
        self.start = torch.stack((rates, torch.ones_like(rates)), 1).view(-1, 2, 1, 1)
        self.end = torch.stack((rates, rates.sin().exp()), 1).view(-1, 2, 1, 1)
        self.calls: dict[float, int] = dict.fromkeys(rates.tolist(), 0)

    def velocity(self, x, t):
        """The rate is carried along in a dimension that does not move."""
        for rate in x[:, 0, 0, 0].tolist():
            self.calls[rate] += 1
        r, y = x[:, :1], x[:, 1:]
        t = t.view(-1, 1, 1, 1)
        return torch.cat((torch.zeros_like(r), r * (r * t).cos() * y), 1)


@pytest.mark.parametrize(("solver", "order"), [(euler, 1), (midpoint, 2)])
def test_order(solver, order):
    """Half the step leaves 1/2^order of the error."""
    problems = Problems()
    errors = []
    for steps in (200, 400):
        solution, _ = solver(problems.velocity, problems.start, steps=steps)
        errors.append((solution - problems.end)[1:, 1].abs())
    torch.testing.assert_close(
        errors[0] / errors[1], torch.full_like(errors[0], 2.0**order), rtol=0.1, atol=0
    )


@pytest.mark.parametrize(("solver", "each"), [(euler, 1), (midpoint, 2)])
def test_evaluations_of_equal_steps(solver, each):
    problems = Problems()
    _, evaluations = solver(problems.velocity, problems.start, steps=7)
    assert evaluations.tolist() == [7 * each] * 4 == [*problems.calls.values()]


def test_the_tableau_satisfies_the_order_conditions():
    """Those of quadrature: for order 5 of the solution, and for order 4 of the embedded one."""
    nodes = torch.tensor((0.0, *NODES), dtype=torch.float64)
    for row, node in zip(STAGES, NODES, strict=True):
        assert sum(row) == pytest.approx(node)
    solution = torch.tensor((*STAGES[-1], 0.0), dtype=torch.float64)
    error = torch.tensor(ERROR, dtype=torch.float64)
    for power in range(5):
        assert float(solution @ nodes**power) == pytest.approx(1 / (power + 1))
    for power in range(4):
        assert float(error @ nodes**power) == pytest.approx(0, abs=1e-15)
    assert abs(float(error @ nodes**4)) > 1e-5  # the embedded one is not of order 5


@pytest.mark.parametrize("tolerance", [1e-3, 1e-6, 1e-9])
def test_adaptive_keeps_its_tolerance(tolerance):
    problems = Problems()
    solution, evaluations = adaptive(problems.velocity, problems.start, tolerance=tolerance)
    # It bounds the error of a step; there are tens of them, and the fastest problem grows errors.
    assert (solution - problems.end).abs().max() < 30 * tolerance
    assert evaluations.tolist() == [*problems.calls.values()]
    assert (evaluations[0] <= evaluations).all()
    assert evaluations[0] < evaluations[3]


def test_steps_of_the_adaptive_solver_follow_the_order():
    """The error of a step goes with its size to the power of 5, so does the tolerance."""
    problems = Problems(torch.tensor([12.0], dtype=torch.float64))
    _, coarse = adaptive(problems.velocity, problems.start, tolerance=1e-10)
    _, fine = adaptive(problems.velocity, problems.start, tolerance=1e-13)
    assert math.log(fine / coarse, 1000) == pytest.approx(1 / 5, rel=0.1)


def test_adaptive_solves_each_problem_as_if_it_were_alone():
    problems = Problems()
    together, evaluations = adaptive(problems.velocity, problems.start, tolerance=1e-5)
    for i, start in enumerate(problems.start):
        alone, own = adaptive(problems.velocity, start[None], tolerance=1e-5)
        assert torch.equal(alone[0], together[i])
        assert own == evaluations[i]


def test_adaptive_leaves_its_start_alone():
    problems = Problems()
    before = problems.start.clone()
    adaptive(problems.velocity, problems.start, tolerance=1e-3)
    assert torch.equal(problems.start, before)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_adaptive_gives_up_on_velocities_that_are_not_finite(value):
    with pytest.raises(GentexError, match="not finite"):
        adaptive(lambda x, t: x + value, torch.ones(2, 1, 1, 1), tolerance=1e-3, attempts=20)
