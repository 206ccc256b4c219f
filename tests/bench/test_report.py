from __future__ import annotations

import base64
import csv
import io
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import stats

from gentex.bench.report import render
from gentex.bench.report.text import latex_escape
from gentex.bench.screen import leaderboard
from gentex.bench.store import Store
from gentex.bench.table import interval, shown, tables

Make = Callable[..., dict[str, Any]]


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=8))
def test_intervals_are_students_t_over_seeds(values: list[float]) -> None:
    mean, half = interval(values)
    assert mean is not None
    assert half is not None
    assert mean == pytest.approx(np.mean(values), abs=1e-9)
    error = stats.sem(values)
    if error > 1e-9:
        low, high = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=error)
        assert (mean - half, mean + half) == pytest.approx((low, high), abs=1e-6)


def test_one_seed_has_no_interval() -> None:
    assert interval([3.0]) == (3.0, None)
    assert interval([]) == (None, None)


@given(st.floats(-1e300, 1e300))
def test_shown_numbers_keep_their_leading_digits(value: float) -> None:
    assert math.isclose(float(shown(value)), value, rel_tol=6e-3, abs_tol=1e-300)


def test_rows_are_ordered_by_the_first_metric(make_record: Make) -> None:
    (table,) = tables(
        [make_record("a:x", seed, value) for seed, value in ((0, 3.0), (1, 5.0))]
        + [make_record("a:y", 0, 2.0)]
    )
    assert [(row.label, str(row.values["fd"])) for row in table.rows] == [
        ("y", "2.000"),
        ("x", f"4.000 ± {12.706 * math.sqrt(2) / math.sqrt(2):.2f}"),
    ]
    assert table.floor == {"fd": pytest.approx(0.1)}


@pytest.mark.parametrize(
    "other",
    [
        {"protocol": {"N": 50}},
        {"budget": {"steps": 20}},
        {"data": "other"},
        {"dataset_options": {"size": 16}},
        {"options": {"samples": 5}},
    ],
)
def test_what_is_not_comparable_stands_in_another_table(
    make_record: Make, other: dict[str, Any]
) -> None:
    assert len(tables([make_record(), make_record("a:y", **other)])) == 2


def test_variants_and_changed_code_are_rows_of_their_own(make_record: Make) -> None:
    (table,) = tables(
        [
            make_record(),
            make_record(hyperparameters={"width": 8}),
            make_record(training={"batch_size": 8}),
            make_record(code={"gan": "changed"}),
        ]
    )
    assert len(table.rows) == 4


def test_training_stands_in_a_label_only_where_rows_differ_in_it(make_record: Make) -> None:
    same = {"batch_size": 8}
    (table,) = tables(
        [make_record(training=same), make_record(seed=1, status="failed", training=same)]
    )
    (row,) = table.rows
    assert "batch_size" not in row.label
    assert table.protocol["batch_size"] == 8
    (table,) = tables([make_record(), make_record(training=same)])
    assert sum(row.label.endswith("(batch_size=8)") for row in table.rows) == 1
    assert "batch_size" not in table.protocol


def test_what_is_not_trained_stands_beside_rows_of_every_budget(make_record: Make) -> None:
    untrained = {"budget": {"steps": 0}, "cost": {"steps": 0, "parameters": 0}}
    shipped = {"budget": {"steps": 0}, "cost": {"steps": 0, "parameters": 9}}
    first, second = tables(
        [
            make_record("a:rof", training={"batch_size": 8}, **untrained),
            make_record("a:unet", **shipped),
            make_record("a:unet", budget={"steps": 10}),
            make_record("a:unet", budget={"steps": 20}),
        ]
    )
    assert [first.budget, second.budget] == ["10 steps", "20 steps"]
    for table in (first, second):
        assert {row.label for row in table.rows} == {"rof", "unet (as it comes)", "unet"}
    (alone,) = tables([make_record("a:rof", **untrained)])
    assert alone.budget == "untrained"


def test_failures_are_shown_with_their_row(make_record: Make) -> None:
    (table,) = tables([make_record(), make_record(seed=1, status="failed")])
    assert [len(row.failures) for row in table.rows] == [1]
    (alone,) = tables([make_record(status="failed")])
    assert [len(row.failures) for row in alone.rows] == [1]


@pytest.fixture
def made(make_record: Make, tmp_path: Path) -> tuple[list[Any], Store]:
    store = Store(tmp_path)
    records = [
        make_record("gan:dcgan", 0, 1.0),
        make_record("gan:dcgan", 1, 1.5),
        make_record("my_gan:a_b", 0, 3.0, hyperparameters={"name": "50%|x&y<script>"}),
        make_record("gan:broken", status="failed"),
    ]
    folder = store.cells / records[0]["hash"]
    folder.mkdir(parents=True)
    Image.new("RGB", (4, 4), "red").save(folder / "samples.png")
    (tmp_path / "secret.png").write_bytes((folder / "samples.png").read_bytes())
    records[0]["files"] = {"samples": "samples.png", "stolen": "../../secret.png", "gone": "no.png"}
    return tables(records), store


def test_the_page_is_self_contained_and_escaped(made: tuple[list[Any], Store]) -> None:
    page = render("html", *made)
    assert not re.search(r"(src|href)\s*=\s*[\"']?(?!data:)[^\"'>\s]", page)
    assert "<script" not in page
    assert "@import" not in page
    assert "&lt;script&gt;" in page
    pictures = re.findall(r"data:image/png;base64,([^\"]+)", page)
    assert len(pictures) == 1, "the sample sheet, and no file from outside the cell's folder"
    assert Image.open(io.BytesIO(base64.b64decode(pictures[0]))).size == (4, 4)
    assert "data:image/svg+xml;base64," in page
    assert "broken, seed 0 failed: it broke" in page


def test_one_row_of_several_seeds_has_intervals(make_record: Make, tmp_path: Path) -> None:
    for seeds, said in (((0, 1), "Student-t interval over seeds."), ((0,), "One seed: no interv")):
        records = [make_record(seed=seed, value=1.0 + seed) for seed in seeds]
        assert said in render("html", tables(records), Store(tmp_path))


def test_real_images_are_shown_once_and_are_of_no_row(make_record: Make, tmp_path: Path) -> None:
    store = Store(tmp_path)
    records = [make_record("gan:first", 0, 1.0), make_record("gan:second", 0, 2.0)]
    for record, colour in zip(records, ("red", "blue"), strict=True):
        folder = store.cells / record["hash"]
        folder.mkdir(parents=True)
        Image.new("RGB", (4, 4), colour).save(folder / "samples.png")
        Image.new("RGB", (4, 4), "white").save(folder / "real.png")
        record["files"] = {"samples": "samples.png", "real": "real.png"}
    captions = re.findall(r"<figcaption>([^<]*: [^<]*)<", render("html", tables(records), store))
    assert captions == ["first, seed 0: samples", "all rows: real", "second, seed 0: samples"]


def test_latex_has_as_many_cells_in_every_line(made: tuple[list[Any], Store]) -> None:
    text = render("latex", *made)
    lines = [line for line in text.splitlines() if line.rstrip().endswith(r"\\")]
    assert len({len(re.findall(r"(?<!\\)&", line)) for line in lines}) == 1
    assert r"50\%|x\&y" in text
    assert "correlation" not in text, "a metric that never ranks has no column"


@given(st.text(alphabet="&%$#_{}~^\\abc ±"))
def test_latex_escaping_leaves_no_special_character(text: str) -> None:
    bare = re.sub(r"\\text\w+\{\}|\$\\pm\$|\\[&%$#_{}]", "", latex_escape(text))
    assert not re.search(r"[&%$#_{}~^\\]", bare)


def test_markdown_tables_are_regular(made: tuple[list[Any], Store]) -> None:
    rows = [line for line in render("markdown", *made).splitlines() if line.startswith("|")]
    assert len(rows) == 6, "header, rule, three rows, floor"
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1


def test_every_form_says_the_protocol(
    make_record: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    protocol = {"N": 100, "features": "random_conv@1", "data resize": "50 % & ×"}
    made = tables([make_record(protocol=protocol)])
    line = "N = 100; features = random_conv@1; data resize = 50 % & ×"
    store = Store(tmp_path)
    assert f"Protocol: {line}.\n" in render("markdown", made, store)
    assert f"Protocol: {line.replace('&', '&amp;')}." in render("html", made, store)
    caption = next(s for s in render("latex", made, store).splitlines() if r"\caption" in s)
    escaped = r"N = 100; features = random\_conv@1; data resize = 50 \% \& $\times$."
    assert caption.endswith(f" Protocol: {escaped}}}")
    rows = list(csv.DictReader(io.StringIO(render("csv", made, store))))
    assert [row["protocol"] for row in rows] == [line] * 2
    assert json.loads(render("json", made, store))[0]["protocol"] == protocol
    leaderboard(made)
    assert line in " ".join(capsys.readouterr().out.split())


def test_csv_and_json_hold_every_value(made: tuple[list[Any], Store]) -> None:
    lines = list(csv.DictReader(io.StringIO(render("csv", *made))))
    values = [(r["architecture"], r["seed"], r["value"]) for r in lines if r["metric"] == "fd"]
    assert values == [
        ("dcgan", "0", "1.0"),
        ("dcgan", "1", "1.5"),
        ("a_b[name=50%|x&y<script>]", "0", "3.0"),
    ]
    (table,) = json.loads(render("json", *made))
    assert [e["cells"] for e in table["environments"]] == [3]
    assert table["rows"][0]["scores"]["fd"]["by_seed"] == {"0": 1.0, "1": 1.5}
    assert table["rows"][0]["scores"]["fd"]["mean"] == 1.25
