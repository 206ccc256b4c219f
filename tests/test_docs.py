"""The documentation's examples are run."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from gentex.builtin.cost_metrics import COST_METRICS
from gentex.builtin.features import FEATURES
from gentex.builtin.layer_metrics import LAYER_METRICS
from gentex.builtin.metrics import METRICS
from gentex.cli import gentex as gentex_command

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("where", ["docs/examples/my_gan.py", "README.md"])
def test_a_plugin_of_at_most_40_lines_is_compared_by_one_command(
    tmp_path: Path, where: str
) -> None:
    text = (ROOT / where).read_text(encoding="utf-8")
    code = text if where.endswith(".py") else BLOCK.findall(text)[0]
    assert len(code.splitlines()) <= 40
    (tmp_path / "my_gan.py").write_text(code)
    command = "--plugin my_gan.py --architecture my-gan,dcgan[width=4] --dataset digits[size=16]"
    rest = "--budget 2steps --jobs 2"
    done = subprocess.run(
        [sys.executable, "-m", "gentex.bench", *command.split(), *rest.split()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "150"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "my-gan" in done.stdout
    assert "dcgan[width=4]" in done.stdout
    assert "floor: real against real" in done.stdout


def test_every_metric_and_feature_space_is_in_the_documentation() -> None:
    page = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("|")]
    for card in METRICS + LAYER_METRICS:
        (row,) = (row for row in rows if f"`{card.name}`" in row.split("|")[1])
        assert row.split("|")[2].strip() == (card.direction or "–"), card.name
        link = card.paper and (card.paper.arxiv or card.paper.doi)
        assert link in row if link else "http" not in row, card.name
    for card in COST_METRICS:
        (row,) = (row for row in rows if f"`{card.name}`" in row.split("|")[1])
        assert row.split("|")[2].strip() == (card.direction or "–"), card.name
    for card in FEATURES:
        assert f"`{card.name}" in page.partition("## Feature spaces")[2], card.name


def test_every_paper_of_a_metric_is_cited(capsys: pytest.CaptureFixture[str]) -> None:
    cited = [card for card in METRICS + LAYER_METRICS if card.paper is not None]
    assert "bits-per-dim" in [card.name for card in cited]
    gentex_command(["cite", *(card.name for card in cited)], standalone_mode=False)
    printed = capsys.readouterr().out
    assert all(card.paper.key in printed for card in cited if card.paper is not None)


def test_metrics_of_generation_have_a_paper_each_of_them_once() -> None:
    papers = {id(card.paper): card.paper for card in METRICS + FEATURES if card.paper}
    assert all(card.paper is not None for card in METRICS)
    assert len({paper.key for paper in papers.values()}) == len(papers)


def test_recorded_runs_say_their_protocol() -> None:
    page = (ROOT / "docs/generation.md").read_text(encoding="utf-8")
    results = json.loads((ROOT / "benchmarks/results/generation.json").read_text(encoding="utf-8"))
    for table in results:
        heading = f"**{table['dataset']}**"
        (line,) = re.findall(rf"{re.escape(heading)}[^\n]*\n\n(Protocol: .*?)\n\n", page, re.DOTALL)
        recorded = table["protocol"]
        counts = {key: recorded[key].split()[0] for key in ("train", "test", "copies of")}
        for said in (
            f"train split of {counts['train']} images, test split of {counts['test']}",
            f"N = {recorded['N']} ",
            f"among {counts['copies of']} training images",
            f"images {recorded['image']}, brought there from",
            "Lanczos (Pillow)",
            f"features `{recorded['features']}`, resize for them {recorded['resize']}",
            recorded["dtype"],
        ):
            assert said in line.replace("\n", " "), (heading, said)


def test_the_tables_of_separation_are_those_of_the_records() -> None:
    recipe = runpy.run_path(str(ROOT / "benchmarks/recipes/separation_tables.py"))
    page = (ROOT / "docs/separation.md").read_text(encoding="utf-8")
    for name, table in recipe["all_tables"]().items():
        assert f"\n\n{table}\n" in page, name


def test_links_between_documents_lead_somewhere() -> None:
    for page in (ROOT / "README.md", *ROOT.glob("docs/**/*.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
