"""The documentation's examples are run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gentex.builtin.features import FEATURES
from gentex.builtin.layer_metrics import LAYER_METRICS
from gentex.builtin.metrics import METRICS

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
    for card in FEATURES:
        assert f"`{card.name}" in page.partition("## Feature spaces")[2], card.name


def test_metrics_of_generation_have_a_paper_each_of_them_once() -> None:
    papers = {id(card.paper): card.paper for card in METRICS + FEATURES if card.paper}
    assert all(card.paper is not None for card in METRICS)
    assert len({paper.key for paper in papers.values()}) == len(papers)


def test_links_between_documents_lead_somewhere() -> None:
    for page in (ROOT / "README.md", *ROOT.glob("docs/**/*.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
