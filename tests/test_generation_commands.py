"""`gentex train` and `gentex sample` as a user runs them, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import gentex
from gentex import ImageShape
from gentex.interfaces import Generator
from gentex.sampling import interpolate

SHAPE = ImageShape(1, 16, 16)


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("L"))


def saved(folder: Path, architecture: str, **hyperparameters: Any) -> Path:
    model = gentex.create(architecture, image=SHAPE, seed=0, **hyperparameters)
    return gentex.save(model, folder / architecture)


@pytest.fixture
def conditional(tmp_path: Path) -> Path:
    pytest.importorskip("gentex_gan")
    return saved(tmp_path, "sngan", width=4, classes=3)


def test_train_and_sample(tmp_path: Path, command: Callable[..., Any]) -> None:
    pytest.importorskip("gentex_gan")
    run, sheets = tmp_path / "run", [tmp_path / f"{i}.png" for i in range(3)]
    trained = command(
        "train",
        "dcgan[width=4]",
        *("--dataset", "digits[size=16]", "--budget", "3steps", "--batch-size", 8),
        *("--device", "cpu", "-o", run),
    )
    assert trained.code == 0, trained.err
    assert trained.out.startswith("dcgan[width=4]: 3 steps")
    for sheet, seed in zip(sheets, (3, 3, 4), strict=True):
        done = command("sample", run, "-n", 64, "--seed", seed, "-o", sheet)
        assert (done.code, done.out) == (0, f"64 images in {sheet}\n"), done.err
    first, again, other = map(pixels, sheets)
    assert first.shape == (8 * 18 + 2, 8 * 18 + 2)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    model = gentex.load(run)
    assert np.array_equal(first[2:18, 2:18], gentex.sample(model, 1, seed=3)[0, 0].numpy())


def test_images_of_one_class(
    tmp_path: Path, command: Callable[..., Any], conditional: Path
) -> None:
    sheet = tmp_path / "two.png"
    done = command("sample", conditional, "-n", 2, "--class", 2, "-o", sheet)
    assert done.code == 0, done.err
    expected = gentex.sample(gentex.load(conditional), 2, condition=torch.tensor([2, 2]))
    assert np.array_equal(pixels(sheet)[2:18, 2:18], expected[0, 0].numpy())
    done = command("interpolate", conditional, "-n", 2, "--class", 1, "-o", sheet)
    assert done.code == 0, done.err


def test_truncation(tmp_path: Path, command: Callable[..., Any]) -> None:
    pytest.importorskip("gentex_gan")
    run, sheet = saved(tmp_path, "dcgan", width=4), tmp_path / "sheet.png"
    done = command("sample", run, "-n", 4, "--truncation", 0.1, "-o", sheet)
    assert done.code == 0, done.err
    model = gentex.load(run)
    whole = gentex.sample(model, 4)
    model.truncation = 0.1
    expected = gentex.sample(model, 4)
    assert not torch.equal(whole, expected)
    assert np.array_equal(pixels(sheet)[2:18, 2:18], expected[0, 0].numpy())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--class", 3), "has the classes 0 to 2"),
        (("--class", -1), "--class"),
        (("--truncation", 0), "--truncation"),
    ],
    ids=str,
)
def test_what_a_conditional_model_refuses(
    tmp_path: Path, command: Callable[..., Any], conditional: Path, options: Any, says: str
) -> None:
    for name in ("sample", "interpolate"):
        done = command(name, conditional, *options, "-o", tmp_path / "sheet.png")
        assert done.code == 2
        assert says in done.err
    assert not (tmp_path / "sheet.png").exists()


def test_what_other_models_refuse(tmp_path: Path, command: Callable[..., Any]) -> None:
    pytest.importorskip("gentex_vae")
    run = saved(tmp_path, "conv-vae", width=4, latent=4)
    for options, says in (
        (("--class", 0), "without classes"),
        (("--truncation", 0.5), "no truncation"),
    ):
        done = command("sample", run, *options, "-o", tmp_path / "sheet.png")
        assert done.code == 2
        assert says in done.err


def test_evaluations_of_all_samples_are_counted(
    tmp_path: Path, command: Callable[..., Any]
) -> None:
    pytest.importorskip("gentex_flow")
    model = gentex.create("flow-matching", image=SHAPE, seed=0, width=8, evaluations=4)
    gentex.sample(model, 5, batch_size=2)
    assert model.spent.tolist() == [4] * 5
    run = gentex.save(model, tmp_path / "run")
    done = command("sample", run, "-n", 3, "--batch-size", 2, "-o", tmp_path / "sheet.png")
    assert done.out == f"3 images in {tmp_path / 'sheet.png'}, 4 evaluations of the network each\n"


class Labelled(Generator):
    """Images that say their class; the noise is drawn, and not looked at."""

    def sample(self, n, *, rng=None, condition=None):
        gentex.randn((n, 1), rng=rng)
        return condition[:, None, None, None].expand(n, 1, 2, 2) / 255


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_between_two_samples_the_class_is_that_of_the_nearer(batch_size: int) -> None:
    classes = torch.tensor([1, 4, 2])
    images = interpolate(Labelled(), 2, 5, batch_size=batch_size, condition=classes)
    assert images[:, :, 0, 0, 0].tolist() == [[1, 1, 4, 4, 4], [4, 4, 2, 2, 2]]


def test_a_folder_that_cannot_be_written_is_an_error_in_words(
    tmp_path: Path, command: Callable[..., Any]
) -> None:
    pytest.importorskip("gentex_vae")
    occupied = tmp_path / "occupied"
    occupied.write_text("a file where a folder is wanted")
    settings = ("--dataset", "digits[size=16]", "--budget", "1steps", "--batch-size", 4)
    done = command("train", "conv-vae[width=4]", *settings, "--device", "cpu", "-o", occupied)
    assert done.code == 2
    assert str(occupied) in done.err
    assert "Traceback" not in done.err
    done = command("bench", "run", "--store", occupied, "--dataset", "digits", "--budget", "1steps")
    assert done.code == 2
