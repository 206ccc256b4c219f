from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gentex.bench.paired import chance, holm, paired
from gentex.bench.report import render
from gentex.bench.store import Store
from gentex.bench.table import shown, tables

Make = Callable[..., dict[str, Any]]
RNG = np.random.default_rng(0)
ITEMS = {name: RNG.normal(mean, 1, 24) for name, mean in (("x", 1.0), ("y", 2.0), ("z", 3.0))}


@pytest.fixture
def records(make_record: Make) -> list[dict[str, Any]]:
    """Three rows whose items are known; lower is better, so x leads; y has two seeds."""
    made = []
    for name, seed, shift in (("x", 0, 0.0), ("y", 0, 0.5), ("y", 1, -0.5), ("z", 0, 0.0)):
        values = ITEMS[name] + shift
        made.append(make_record(f"a:{name}", seed, float(values.mean())))
        made[-1]["items"] = {"fd": values.tolist(), "fd-oracle": (values - 9).tolist()}
    return made


def test_the_best_row_is_compared_item_by_item(records: list[dict[str, Any]]) -> None:
    (table,) = tables(records)
    found = paired(table)
    assert found is not None
    assert (found.metric, found.best, found.items) == ("fd", "x", 24)
    assert [rival.label for rival in found.rivals] == ["y", "z"]
    expected = [stats.wilcoxon(ITEMS[name] - ITEMS["x"]).pvalue for name in ("y", "z")]
    assert [rival.p for rival in found.rivals] == pytest.approx(holm(expected))
    for rival in found.rivals:
        assert rival.behind == pytest.approx((ITEMS[rival.label] - ITEMS["x"]).mean())


def test_tuned_values_are_rivals_of_their_own_and_oracles_are_none(
    records: list[dict[str, Any]],
) -> None:
    records[-1]["items"]["fd-tuned"] = (ITEMS["z"] - 3).tolist()
    (table,) = tables(records)
    found = paired(table)
    assert found is not None
    assert found.best == "z, tuned"
    assert {rival.label for rival in found.rivals} == {"x", "y", "z"}


def test_where_more_is_better_the_largest_is_the_best(records: list[dict[str, Any]]) -> None:
    for record in records:
        record["scores"]["fd"]["direction"] = "higher"
    found = paired(tables(records)[0])
    assert found is not None
    assert found.best == "z"
    assert all(rival.behind > 0 for rival in found.rivals)


@pytest.mark.parametrize("bad", [[float("nan")] * 24, [None] * 24, [1.0] * 23, [], None])
def test_rows_without_the_same_items_are_left_out(
    records: list[dict[str, Any]], bad: list[Any] | None
) -> None:
    records[-1]["items"]["fd"] = bad
    found = paired(tables(records)[0])
    assert found is not None
    assert [rival.label for rival in found.rivals] == ["y"]


def test_equal_items_are_no_difference(records: list[dict[str, Any]]) -> None:
    for record in records:
        record["items"] = {"fd": ITEMS["x"].tolist()}
    found = paired(tables(records)[0])
    assert found is not None
    assert [(rival.behind, rival.p) for rival in found.rivals] == [(0, 1), (0, 1)]


def test_nothing_to_compare_is_nothing(make_record: Make) -> None:
    assert paired(tables([make_record(), make_record("a:y")])[0]) is None
    assert paired(tables([make_record(status="failed")])[0]) is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_corrects_the_least_by_all_and_the_largest_by_none(values: list[float]) -> None:
    corrected = holm(values)
    assert min(corrected) == min(1.0, len(values) * min(values))
    assert all(value <= new <= 1 for value, new in zip(values, corrected, strict=True))
    order = np.argsort(values, kind="stable")
    assert np.all(np.diff(np.array(corrected)[order]) >= 0)


def test_holm_of_the_textbook() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_every_form_but_the_plain_tables_shows_it(
    records: list[dict[str, Any]], tmp_path: Path
) -> None:
    made, store = tables(records), Store(tmp_path)
    found = paired(made[0])
    assert found is not None
    y = found.rivals[0]
    assert f"| y | {shown(y.behind)} | {chance(y.p)} |" in render("markdown", made, store)
    page = render("html", made, store)
    assert "Paired over the 24 test items: x against the others" in page
    assert (
        f"<td>y</td><td>{shown(y.behind)}</td><td>{chance(y.p).replace('<', '&lt;')}</td>" in page
    )
    told = json.loads(render("json", made, store))[0]["paired"]
    assert told["best"] == "x"
    assert told["rivals"][0] == {"label": "y", "behind": y.behind, "p": y.p}


def test_no_chance_is_printed_smaller_than_anyone_believes() -> None:
    assert [chance(p) for p in (1e-9, 0.0123, 1.0)] == ["< 0.001", "0.012", "1"]
