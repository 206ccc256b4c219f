"""The documentation's examples are run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_links_between_documents_lead_somewhere() -> None:
    for page in (ROOT / "README.md", *ROOT.glob("docs/**/*.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
