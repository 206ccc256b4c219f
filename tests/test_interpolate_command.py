"""`gentex interpolate`: from one sample of a seed to the next, by all the noise there is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import gentex
from gentex import Generator, GentexError, ImageShape, randn
from gentex.interfaces import sample_rngs
from gentex.interfaces.noise import Between
from gentex.sampling import interpolate

SHAPE = ImageShape(3, 16, 24)
MODELS: dict[str, dict[str, Any]] = {
    "dcgan": {"width": 4},
    "conv-vae": {"width": 4, "latent": 6},
    "flow-matching": {"width": 8, "evaluations": 3},
}


def saved(folder: Path, architecture: str) -> Path:
    """An untrained model whose weights are large enough that its samples differ."""
    model = gentex.create(architecture, image=SHAPE, seed=0, **MODELS[architecture])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * randn(parameter.shape, rng=torch.Generator().manual_seed(1)))
    return gentex.save(model, folder / architecture)


def cells(sheet: Path) -> np.ndarray:
    """The pictures of a sheet, (rows, columns, H, W, C): 2 pixels lie around each."""
    pixels = np.asarray(Image.open(sheet).convert("RGB"))
    step = np.array([SHAPE.height + 2, SHAPE.width + 2])
    rows, columns = (np.array(pixels.shape[:2]) - 2) // step
    cut = [
        [pixels[y + 2 : y + step[0], x + 2 : x + step[1]] for x in np.arange(columns) * step[1]]
        for y in np.arange(rows) * step[0]
    ]
    return np.array(cut)


@pytest.mark.parametrize("architecture", MODELS)
def test_rows_go_from_sample_to_sample(
    tmp_path: Path, command: Callable[..., Any], architecture: str
) -> None:
    pytest.importorskip(
        {"dcgan": "gentex_gan", "conv-vae": "gentex_vae"}.get(architecture, "gentex_flow")
    )
    run = saved(tmp_path, architecture)
    done = command("interpolate", run, "-n", 3, "--steps", 5, "--seed", 7, "-o", tmp_path / "i.png")
    assert (done.code, done.out) == (0, f"3 rows of 5 images in {tmp_path / 'i.png'}\n"), done.err
    assert command("sample", run, "-n", 4, "--seed", 7, "-o", tmp_path / "each").code == 0
    samples = [np.asarray(Image.open(path)) for path in sorted((tmp_path / "each").iterdir())]
    pictures = cells(tmp_path / "i.png")
    assert pictures.shape == (3, 5, SHAPE.height, SHAPE.width, 3)
    for row in range(3):
        assert np.array_equal(pictures[row, 0], samples[row])
        assert np.array_equal(pictures[row, -1], samples[row + 1])
        steps = np.abs(np.diff(pictures[row].astype(float), axis=0)).mean(axis=(1, 2, 3))
        whole = np.abs(pictures[row, 0].astype(float) - pictures[row, -1]).mean()
        assert whole > 1, "two different images"
        assert steps.min() > 0
        assert steps.max() < whole, "no step is as wide as the way"


def test_mistakes(tmp_path: Path, command: Callable[..., Any]) -> None:
    model = gentex.create("rof", image=SHAPE)
    gentex.save(model, tmp_path / "rof")
    done = command("interpolate", tmp_path / "rof", "-o", tmp_path / "i.png")
    assert done.code == 2
    assert "which is no Generator" in done.err
    assert command("interpolate", tmp_path / "nothing", "-o", tmp_path / "i.png").code == 2
    done = command("interpolate", tmp_path / "rof", "--steps", 1, "-o", tmp_path / "i.png")
    assert done.code == 2
    assert "--steps" in done.err
    assert not (tmp_path / "i.png").exists()


class Noise(Generator):
    """Two draws of noise, shown as they are."""

    def sample(self, n, *, rng=None, condition=None):
        parts = [randn((n, 1, 2, 3), rng=rng), randn((n, 1, 2, 3), rng=rng)]
        return torch.cat(parts, dim=2) / 10 + 0.5


@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_all_draws_are_interpolated(batch_size: int) -> None:
    images = interpolate(Noise(), 3, 4, seed=5, batch_size=batch_size)
    assert images.shape == (3, 4, 1, 4, 3)
    assert images.dtype == torch.uint8
    ends = gentex.sample(Noise(), 4, seed=5)
    assert torch.equal(images[:, 0], ends[:3])
    assert torch.equal(images[:, -1], ends[1:])
    moved = images.float().diff(dim=1).abs().amax(dim=(-1, -3))  # every draw moves, in every step
    assert (moved.amax(dim=-1) > 0).all()
    assert torch.equal(interpolate(Noise(), 1, 2, seed=5), images[:1, [0, -1]])


def test_noise_that_is_drawn_otherwise() -> None:
    class Uniform(Generator):
        def sample(self, n, *, rng=None, condition=None):
            return torch.stack([torch.rand(1, 2, 2, generator=g) for g in rng])

    class Seeded(Generator):
        def sample(self, n, *, rng=None, condition=None):
            return torch.stack([torch.full((1, 2, 2), g.initial_seed() / 2**32) for g in rng])

    for model in (Uniform(), Seeded()):
        with pytest.raises(GentexError, match="cannot be interpolated: it draws noise otherwise"):
            interpolate(model, 1, 3)
    with pytest.raises(ValueError, match="at least 1 of 2"):
        interpolate(Noise(), 1, 1)


# ------------------------------------------------------------------------------- the noise itself


def between(share: float, shape: tuple[int, ...], *, seed: int = 0, **options: Any) -> torch.Tensor:
    start, end = sample_rngs(seed, [0, 1])
    return randn((1, *shape), rng=[Between(start, end, share)], **options)[0]


def ends(shape: tuple[int, ...], *, seed: int = 0, **options: Any) -> torch.Tensor:
    return randn((2, *shape), rng=sample_rngs(seed, [0, 1]), **options)


@given(
    shape=st.sampled_from([(1,), (2,), (1, 1), (7,), (3, 4, 5), (0,)]),
    seed=st.integers(0, 500),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_the_ends_are_the_samples_own_noise(shape, seed, dtype) -> None:
    start, end = ends(shape, seed=seed, dtype=dtype)
    assert torch.equal(between(0.0, shape, seed=seed, dtype=dtype), start)
    assert torch.equal(between(1.0, shape, seed=seed, dtype=dtype), end)
    assert between(0.3, shape, seed=seed, dtype=dtype).dtype == dtype
    assert between(0.3, shape, seed=seed).isfinite().all()


@given(share=st.floats(0, 1), seed=st.integers(0, 500))
def test_the_way_is_a_great_circle(share: float, seed: int) -> None:
    """Of unit vectors at the ends it makes a unit vector, at its share of the angle."""
    noise = ends((9,), seed=seed, dtype=torch.float64)
    point = between(share, (9,), seed=seed, dtype=torch.float64)
    weights = torch.linalg.lstsq(noise.T, point[:, None]).solution
    torch.testing.assert_close(noise.T @ weights, point[:, None])
    units = noise / noise.norm(dim=1, keepdim=True)
    unit = (units.T @ weights)[:, 0]
    assert float(unit.norm()) == pytest.approx(1)
    whole, part = (torch.linalg.vector_norm(units[0] - x) for x in (units[1], unit))
    angles = [2 * (chord / 2).clamp(-1, 1).asin() for chord in (whole, part)]
    assert float(angles[1]) == pytest.approx(share * float(angles[0]), abs=1e-7)


def test_noise_in_between_is_as_long_as_noise() -> None:
    """A straight line would be shorter by a factor of √½ in the middle."""
    middle = torch.stack([between(0.5, (4000,), seed=seed) for seed in range(5)])
    assert middle.std() == pytest.approx(1, abs=0.03)


def test_rows_of_either_kind() -> None:
    start, end = sample_rngs(0, [0, 1])
    rng = [*sample_rngs(0, [0]), Between(start, end, 0.5), *sample_rngs(0, [1])]
    rows = randn((3, 4), rng=rng)
    assert torch.equal(rows[::2], ends((4,)))
    assert torch.equal(rows[1], between(0.5, (4,)))
