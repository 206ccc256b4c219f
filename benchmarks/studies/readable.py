"""Records that can be read: JSON in which every row of values takes one line."""

from __future__ import annotations

import json
import re
from typing import Any


def readable(content: dict[str, Any]) -> str:
    """The content as JSON; numbers of rows to five digits, lists that hold no others in a line."""
    text = json.dumps(content, indent=1, ensure_ascii=False)
    # A list begins with a line break, which brackets within a string do not.
    return re.sub(r"\[\n[^][{}]*\]", _in_a_line, text) + "\n"


def _in_a_line(row: re.Match[str]) -> str:
    values = json.loads(row[0])
    short = [v if isinstance(v, str) else float(f"{v:.5g}") for v in values]
    return json.dumps(short, ensure_ascii=False)
