from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gentex.bench.plan import Cell, Job, plan
from gentex.bench.suite import make_suite
from gentex.errors import SuiteError, UnknownNameError
from gentex.registry import registry

CELL = Cell(
    "gentex:generation@1", "gentex:digits", "gan:dcgan", 0, {"steps": 1}, "data", {"gan": "c"}
)


def planned(**matrix: Any) -> list[Job]:
    matrix = {"architectures": ["dcgan"], "datasets": ["digits"], **matrix}
    return plan(make_suite("x", {"matrix": [matrix]}))


def test_a_plan_is_the_product_seeds_outermost() -> None:
    jobs = planned(architectures=["dcgan", "dcgan[width=8]"], seeds=[0, 1])
    assert [(j.cell.seed, j.cell.architecture_label) for j in jobs] == [
        (0, "dcgan"),
        (0, "dcgan[width=8]"),
        (1, "dcgan"),
        (1, "dcgan[width=8]"),
    ]


def test_the_same_cell_is_planned_once() -> None:
    assert len(planned(architectures=["dcgan", "gan:dcgan", {"name": "dcgan"}])) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"task": "gentex:generation@2"},
        {"dataset": "gentex:photo-textures"},
        {"dataset_options": {"size": 16}},
        {"architecture": "gan:wgan-gp"},
        {"hyperparameters": {"width": 8}},
        {"seed": 1},
        {"budget": {"steps": 2}},
        {"data": "other"},
        {"code": {"gan": "other"}},
        {"training": {"batch_size": 8}},
        {"options": {"samples": 10}},
        {"device": "cuda"},
    ],
)
def test_everything_that_can_change_the_result_changes_the_hash(change: dict[str, Any]) -> None:
    assert replace(CELL, **change).hash != CELL.hash
    assert replace(CELL).hash == CELL.hash


def test_circumstances_do_not_change_the_hash(tmp_path: Path) -> None:
    (one,), (other,) = planned(time_limit=10), planned(time_limit=20)
    assert one.cell.hash == other.cell.hash


def test_editing_a_plugin_changes_its_cells(tmp_path: Path) -> None:
    code = (
        "import gentex\n@gentex.register('{0}-one', license='MIT')\n"
        "class A(gentex.Generator):\n    def sample(self, n, *, rng=None, condition=None): ...\n"
    )
    file = tmp_path / "edited.py"
    file.write_text(code.format("edited"))
    plugin = registry().add_file(file)
    try:
        (before,) = planned(architectures=["edited-one"])
        file.write_text(file.read_text() + "# changed\n")
        (after,) = planned(architectures=["edited-one"])
    finally:
        registry().plugins.remove(plugin)
    assert before.cell.hash != after.cell.hash
    assert before.plugin_files == (str(file),)


def test_names_are_checked_when_planning() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'dcgan'"):
        planned(architectures=["dcgna"])
    with pytest.raises(UnknownNameError, match="did you mean 'digits'"):
        planned(datasets=["digit"])
    with pytest.raises(UnknownNameError, match=r"did you mean 'generation@1'"):
        planned(task="generatoin@1")


def test_an_architecture_must_be_what_the_task_compares(tmp_path: Path) -> None:
    file = tmp_path / "encoder_only.py"
    file.write_text(
        "import gentex\n@gentex.register('enc')\nclass A(gentex.Encoder):\n"
        "    def encode(self, images): ...\n"
    )
    plugin = registry().add_file(file)
    try:
        with pytest.raises(SuiteError, match="'enc' is no generator"):
            planned(architectures=["enc"])
    finally:
        registry().plugins.remove(plugin)


def test_planning_imports_neither_torch_nor_model_code() -> None:
    code = (
        "import sys\n"
        "import gentex.bench.screen, gentex.bench.report, gentex.bench.cli\n"
        "from gentex.bench.plan import plan\n"
        "from gentex.bench.suite import find_suite\n"
        "assert plan(find_suite('quick'))\n"
        "heavy = ('torch', 'torchvision', 'timm', 'gentex_gan.dcgan')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_floors_stand_in_every_comparison_of_a_task_that_has_them() -> None:
    def labels(*matrices: dict[str, Any]) -> list[str]:
        task = {"task": "separation@1", "datasets": ["composites:easy"]}
        jobs = plan(make_suite("x", {"matrix": [task | matrix for matrix in matrices]}))
        return [f"{job.cell.architecture_label} {job.cell.seed}" for job in jobs]

    learned = {"architectures": ["unet"], "seeds": [3, 4], "training": {"batch_size": 4}}
    floors = ["identity 3", "gaussian 3"]
    assert labels(learned) == ["unet 3", "unet 4", *floors]
    assert labels(learned, {"architectures": ["gaussian[strength=2]"]})[3:] == ["identity 3"]
    present = {"architectures": ["separation:gaussian", "identity"]}
    assert sorted(labels(learned, present)) == ["gaussian 0", "identity 0", "unet 3", "unet 4"]
    other = {"architectures": ["rof"], "options": {"tuning": 0}}
    assert labels(learned, other)[3:] == [*floors, "identity 0", "gaussian 0"]
    assert len(planned(architectures=["dcgan"])) == 1, "generation has none"


def test_the_card_of_a_task_tells_its_floors(command: Callable[..., Any]) -> None:
    assert "floors:       identity, gaussian" in command("info", "separation@1").out


def test_a_floor_is_not_trained() -> None:
    task = {"task": "separation@1", "datasets": ["composites:easy"], "architectures": ["unet"]}
    unet, identity, _ = plan(make_suite("x", {"matrix": [task | {"training": {"ema": 0.9}}]}))
    assert (unet.cell.training, identity.cell.training) == ({"ema": 0.9}, {})
    assert identity.cell.budget == {"steps": 0}
