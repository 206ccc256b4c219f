"""A suite names a feature space: known before anything is trained, and part of what a cell is."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gentex
from gentex.bench.plan import Cell, plan
from gentex.bench.suite import make_suite
from gentex.bench.table import tables
from gentex.errors import DataError, GentexError
from gentex.registry import registry

SUITE = """
[[matrix]]
datasets = ["digits"]
architectures = ["dcgan[width=4]"]
budget = "1steps"
options = {{ features = "{features}" }}
"""


@pytest.fixture(autouse=True)
def no_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("GENTEX_WEIGHTS", raising=False)


def cell(features: str | None = None) -> Cell:
    matrix: dict[str, Any] = {"datasets": ["digits"], "architectures": ["dcgan"]}
    if features is not None:
        matrix["options"] = {"features": features}
    (job,) = plan(make_suite("x", {"matrix": [matrix]}))
    return job.cell


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ("inception", "needs a file of weights, and nothing is downloaded"),
        ("inception-v1-bvlc", "no bvlc_googlenet_rgb_fp16.pth in"),
        ("inception-v1-bvlc:nothing.pth", "nothing.pth is no file of weights"),
        ("lpips", "needs a file of weights"),
        ("dinov2", "needs a file of weights"),
        ("timm:resnet18", r"no resnet18.safetensors or resnet18.pth in"),
        ("timm:resnet8", "timm has no model 'resnet8'; did you mean"),
        ("timm", "needs an argument: 'timm:NAME'"),
        ("encoder:nowhere", "no saved model"),
        ("random-cov", "did you mean 'random-conv'"),
    ],
)
def test_what_cannot_be_used_is_no_plan(features: str, message: str) -> None:
    with pytest.raises(GentexError, match=message):
        cell(features)


def test_missing_weights_end_the_command_at_once(
    tmp_path: Path, bench: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    (tmp_path / "x.toml").write_text(SUITE.format(features="inception"))
    done = bench("x.toml")
    assert done.returncode == 2
    assert "feature space 'inception' needs a file of weights" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "gentex-runs").exists()


def test_weights_are_part_of_a_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bvlc_googlenet_rgb_fp16.pth"
    path.write_bytes(b"one")
    first = cell(f"inception-v1-bvlc:{path}")
    assert first.data == f"{cell().data} {hashlib.sha256(b'one').hexdigest()}"
    assert cell("random-conv").data == cell().data, "nothing lies in a file"
    path.write_bytes(b"other")
    assert cell(f"inception-v1-bvlc:{path}").hash != first.hash
    monkeypatch.setenv("GENTEX_WEIGHTS", str(tmp_path))
    assert cell("inception-v1-bvlc").data == cell(f"inception-v1-bvlc:{path}").data


def test_a_trained_encoder_is_part_of_a_cell(tmp_path: Path) -> None:
    made = []
    for seed in (0, 1):
        model = gentex.create("conv-vae", image=(1, 8, 8), width=4, latent=2, seed=seed)
        gentex.save(model, tmp_path / "vae")
        made.append(cell(f"encoder:{tmp_path / 'vae'}"))
    assert made[0].options == made[1].options
    assert made[0].hash != made[1].hash
    (tmp_path / "vae" / "model.safetensors").unlink()
    with pytest.raises(DataError, match=r"model\.safetensors is missing"):
        cell(f"encoder:{tmp_path / 'vae'}")


def test_so_is_the_code_of_a_plugins_feature_space(tmp_path: Path) -> None:
    file = tmp_path / "my_space.py"
    file.write_text("import gentex\n@gentex.register('mine', kind='features')\ndef mine(): ...\n")
    plugin = registry().add_file(file)
    try:
        assert cell("mine").code == {**cell().code, "my_space": plugin.code_hash()}
    finally:
        registry().plugins.remove(plugin)


def test_planning_with_weights_needs_no_torch(tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(b"weights")
    code = (
        "import sys\n"
        "from gentex.bench.plan import plan\n"
        "from gentex.bench.suite import make_suite\n"
        "matrix = {'architectures': ['dcgan'], 'options': {'features': 'inception:w.pth'}}\n"
        "assert plan(make_suite('x', {'matrix': [matrix]}))\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("key", ["N", "features", "copies of", "resize"])
def test_unequal_protocols_never_share_a_table(
    make_record: Callable[..., dict[str, Any]], key: str
) -> None:
    """Of one suite: a data set that grew since, or weights that were exchanged."""
    usual = {"N": 1000, "features": "a@1", "copies of": "9 training images", "resize": "none"}
    records = [
        make_record("a:x", seed, protocol=usual | {key: other})
        for seed, other in ((0, usual[key]), (1, usual[key]), (2, "other"))
    ] + [make_record("a:y", protocol=usual)]
    made = tables(records)
    assert sorted(len(table.rows) for table in made) == [1, 2]
    for table in made:
        seen = {r["protocol"][key] for row in table.rows for r in row.records}
        assert seen == {table.protocol[key]}
