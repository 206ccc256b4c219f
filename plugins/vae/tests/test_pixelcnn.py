import pytest
import torch
from gentex_vae.pixelcnn import PixelCNN


@pytest.fixture
def prior() -> PixelCNN:
    """Untrained, with weights large enough for every code to matter."""
    prior = PixelCNN(7, width=8, layers=4).eval()
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.mul_(2)
    return prior


def test_a_code_depends_on_all_before_it_and_on_nothing_else(prior):
    """Row by row: no look ahead, and no blind spot (within the reach of four layers)."""
    weight = torch.randn(1, 7, 4, 5, requires_grad=True)
    soft = weight.softmax(1)

    def logits() -> torch.Tensor:
        embedding = prior.embedding
        prior.embedding = torch.nn.Identity()  # so that a gradient to the codes exists
        try:
            return prior((soft.movedim(1, -1) @ embedding.weight).squeeze(0)[None])
        finally:
            prior.embedding = embedding

    for i in range(4):
        for j in range(5):
            (gradient,) = torch.autograd.grad(
                logits()[0, :, i, j].square().sum(), weight, allow_unused=True, retain_graph=True
            )
            seen = gradient[0].abs().sum(0).flatten() > 0
            before = torch.arange(20) < 5 * i + j
            assert torch.equal(seen, before), (i, j)


def test_probabilities_of_all_grids_add_up_to_one():
    prior = PixelCNN(3, width=4, layers=2)
    grids = torch.cartesian_prod(*[torch.arange(3)] * 6).view(-1, 2, 3)
    assert prior.log_prob(grids).exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_samples_are_the_inverse_distribution_function_of_their_noise(prior):
    """By whole grids and a search, where `sample` passes over the rows that matter only."""
    noise = torch.randn(30, 9, 4)
    codes = prior.sample(noise)
    with torch.no_grad():
        cdf = prior(codes).double().softmax(1).cumsum(1)
    expected = torch.searchsorted(
        cdf.movedim(1, -1).contiguous(), torch.special.ndtr(noise.double())[..., None]
    ).squeeze(-1)
    assert torch.equal(codes, expected)
    assert torch.equal(codes[1:2], prior.sample(noise[1:2]))


def test_samples_have_the_probabilities_of_the_model():
    """All 16 grids of 2×2 binary codes, by chi-square."""
    prior = PixelCNN(2, width=4, layers=1)
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.mul_(3)
        grids = torch.cartesian_prod(*[torch.arange(2)] * 4).view(-1, 2, 2)
        expected = 4000 * prior.log_prob(grids).exp()
    codes = prior.sample(torch.randn(4000, 2, 2)).flatten(1)
    counts = torch.bincount(codes @ torch.tensor([8, 4, 2, 1]), minlength=16)
    assert ((counts - expected) ** 2 / expected).sum() < 37.7  # 0.999 quantile at 15 degrees
    assert expected.max() / expected.min() > 2


def test_it_learns_a_checkerboard():
    """From 9 bits a grid to the one bit that is left: which colour comes first."""
    prior = PixelCNN(2, width=8, layers=2)
    board = (torch.arange(3)[:, None] + torch.arange(3)) % 2
    grids = torch.stack([board, 1 - board])
    optimizer = torch.optim.Adam(prior.parameters(), lr=1e-2)
    for _ in range(100):
        optimizer.zero_grad()
        (-prior.log_prob(grids).mean()).backward()
        optimizer.step()
    bits = -prior.log_prob(grids).mean().item() / torch.tensor(2.0).log().item()
    assert bits == pytest.approx(1, abs=0.1)
    samples = prior.sample(torch.randn(50, 3, 3))
    right = [any(torch.equal(sample, grid) for grid in grids) for sample in samples]
    assert sum(right) >= 45
