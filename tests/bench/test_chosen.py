from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gentex.bench.chosen import chosen
from gentex.bench.report import render
from gentex.bench.store import Store
from gentex.bench.table import tables

Make = Callable[..., dict[str, Any]]


def strength(value: float) -> dict[str, Any]:
    return {"strength": {"value": value, "choices": [0.1, 0.2, 0.4]}}


def test_what_was_chosen_is_told_and_the_end_of_a_grid_marked(make_record: Make) -> None:
    inside, low, high, none = (make_record(f"a:{name}", 0, 1.0) for name in "wxyz")
    inside["chosen"] = strength(0.2)
    low["chosen"] = strength(0.1) | {"solver": {"value": "fft", "choices": ["fft", "cg"]}}
    high["chosen"] = strength(0.4) | {"scale": {"value": 3, "choices": [3]}}
    none["chosen"] = {}
    (table,) = tables([inside, low, high, none])
    assert chosen(table) == {
        "w": "strength = 0.2",
        "x": "strength = 0.1 (an end of its grid), solver = fft",
        "y": "strength = 0.4 (an end of its grid), scale = 3",
    }


def test_seeds_that_chose_differently_are_all_told(make_record: Make) -> None:
    records = [make_record("a:x", seed, 1.0) for seed in range(3)]
    for record, value in zip(records, (0.2, 0.4, 0.2), strict=True):
        record["chosen"] = strength(value)
    (table,) = tables(records)
    assert chosen(table) == {"x": "strength = 0.2; strength = 0.4 (an end of its grid)"}


@pytest.mark.parametrize("style", ["html", "markdown"])
def test_reports_tell_it(make_record: Make, tmp_path: Path, style: str) -> None:
    record = make_record("a:x", 0, 1.0)
    old = make_record("a:y", 0, 2.0)  # records from before this was kept have nothing to tell
    old.pop("chosen", None)
    without = render(style, tables([record, old]), Store(tmp_path))
    assert "Chosen on training data" not in without
    record["chosen"] = strength(0.1)
    text = render(style, tables([record, old]), Store(tmp_path))
    assert "Chosen on training data" in text
    assert "strength = 0.1 (an end of its grid)" in text


def test_json_keeps_what_it_was_chosen_from(make_record: Make, tmp_path: Path) -> None:
    record = make_record("a:x", 0, 1.0)
    record["chosen"] = strength(0.1)
    (table,) = json.loads(render("json", tables([record]), Store(tmp_path)))
    assert table["rows"][0]["chosen"] == [strength(0.1)]
