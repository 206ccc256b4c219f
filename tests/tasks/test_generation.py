from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import gentex
from gentex.errors import DataError, GentexError
from gentex.registry import registry
from gentex.tasks import Outcome, Work
from gentex.tasks.generation import run

OPTIONS = {"size": 16}


def work(folder: Path, architecture: str = "dcgan[width=4]", **changes: Any) -> Work:
    name, _, rest = architecture.partition("[")
    given = {"width": int(rest.rstrip("]").partition("=")[2])} if rest else {}
    fields: dict[str, Any] = {
        "architecture": name,
        "hyperparameters": given,
        "dataset": "digits",
        "dataset_options": OPTIONS,
        "seed": 0,
        "budget": {"steps": 2},
        "folder": folder,
        "device": "cpu",
        **changes,
    }
    return Work(**fields)


@pytest.fixture
def oracle(tmp_path: Path) -> Iterator[str]:
    """A generator that hands out training images."""
    file = tmp_path / "oracle.py"
    file.write_text(
        "import torch, gentex\n"
        "@gentex.register('oracle', license='MIT')\n"
        "class Oracle(gentex.Generator):\n"
        "    def __init__(self, image):\n"
        "        super().__init__()\n"
        "        data = gentex.load_dataset('digits', 'train', size=image.height)\n"
        "        order = torch.randperm(len(data), generator=torch.Generator().manual_seed(1))\n"
        "        self.register_buffer('images', data.batch(order).images)\n"
        "        self.next = 0\n"
        "    def sample(self, n, *, rng=None, condition=None):\n"
        "        self.next += n\n"
        "        return self.images[self.next - n : self.next]\n"
    )
    plugin = registry().add_file(file)
    yield "oracle"
    registry().plugins.remove(plugin)


def test_an_outcome_has_scores_with_floor_protocol_curves_and_files(tmp_path: Path) -> None:
    outcome = run(work(tmp_path), samples=50)
    assert isinstance(outcome, Outcome)
    wanted = {"fd", "kid", "precision", "recall", "density", "coverage", "swd"}
    assert wanted <= set(outcome.scores)
    for name in wanted:
        score = outcome.scores[name]
        assert score.direction == ("lower" if name in ("fd", "kid", "swd") else "higher")
        assert score.floor is not None
    assert {"train-time", "train-throughput", "sample-throughput", "peak-memory"} <= set(
        outcome.scores
    )
    assert outcome.protocol["N"] == 50
    assert outcome.protocol["image"] == "1×16×16"
    assert outcome.protocol["features"].startswith("random-conv")
    assert outcome.cost["steps"] == 2
    assert set(outcome.curves) >= {"discriminator", "generator"}
    for name in outcome.files.values():
        assert (tmp_path / name).exists()
    model = gentex.load(tmp_path / "model")
    assert gentex.sample(model, 3, seed=0).shape == (3, 1, 16, 16)


def test_the_same_cell_gives_the_same_scores(tmp_path: Path) -> None:
    first, second = (run(work(tmp_path / n), samples=40).scores for n in "ab")
    for name in ("fd", "kid", "precision", "recall", "density", "coverage", "swd"):
        assert first[name] == second[name]


def test_handing_out_training_images_scores_like_the_floor(tmp_path: Path, oracle: str) -> None:
    scores = run(work(tmp_path, oracle), samples=300).scores
    trained = run(work(tmp_path / "gan"), samples=300).scores
    for name in ("fd", "kid", "swd", "precision", "recall", "coverage"):
        value, floor = scores[name].value, scores[name].floor
        assert floor is not None
        assert abs(value - floor) < 0.2 * abs(trained[name].value - floor), name
    assert "train-time" not in scores, "nothing was trained"


def test_n_is_what_both_splits_can_give(tmp_path: Path) -> None:
    assert run(work(tmp_path), samples=10**6).protocol["N"] == 355


def test_a_trained_encoder_is_a_feature_space(tmp_path: Path) -> None:
    model = gentex.create("conv-vae", image=(1, 16, 16), width=4, latent=8, seed=0)
    gentex.save(model, tmp_path / "vae")
    outcome = run(work(tmp_path / "run"), samples=40, features=f"encoder:{tmp_path / 'vae'}")
    assert outcome.protocol["features"].startswith("encoder:vae:conv-vae:")
    with pytest.raises(DataError, match="encodes images of 1×16×16; these are 1×8×8"):
        run(
            work(tmp_path / "x", dataset_options={"size": 8}),
            samples=40,
            features=f"encoder:{tmp_path / 'vae'}",
        )
    gan = gentex.create("dcgan", image=(1, 16, 16), width=4)
    gentex.save(gan, tmp_path / "gan")
    with pytest.raises(DataError, match="no Encoder"):
        run(work(tmp_path / "y"), samples=40, features=f"encoder:{tmp_path / 'gan'}")


def test_a_likelihood_model_reports_bits_per_dimension(tmp_path: Path) -> None:
    scores = run(work(tmp_path, "conv-vae[width=4]"), samples=40).scores
    assert scores["bits-per-dim"].direction == "lower"
    assert 0 < scores["bits-per-dim"].value < 20
    assert "bits-per-dim" not in run(work(tmp_path / "gan"), samples=40).scores


def test_mistakes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="at least 2"):
        run(work(tmp_path), samples=1)
    with pytest.raises(GentexError, match="did you mean 'random-conv'"):
        run(work(tmp_path), features="random-cov")


def test_training_does_not_depend_on_the_callers_random_state(tmp_path: Path) -> None:
    torch.manual_seed(1)
    first = run(work(tmp_path / "a"), samples=40).scores["fd"]
    torch.manual_seed(2)
    assert run(work(tmp_path / "b"), samples=40).scores["fd"] == first
