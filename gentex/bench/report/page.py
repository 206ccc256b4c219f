"""The report as one self-contained HTML page: leaderboards, sample sheets, curves, provenance."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from gentex.bench.chosen import chosen
from gentex.bench.paired import chance, paired
from gentex.bench.store import Record, Store, timestamp
from gentex.bench.table import Row, Table, shown

IMAGE_TYPES = {".png": "image/png", ".webp": "image/webp", ".gif": "image/gif"}
MARKED = 12
"""Curves of fewer points show each of them."""
CURVE_COLOURS = ("#3b6fb6", "#c8553d", "#4d8b57", "#8a63a8", "#b58900", "#5b8e9f")


def html_report(made: Sequence[Table], store: Store, *, title: str, summary: str = "") -> str:
    """The page: it loads nothing from anywhere, so it can be mailed and kept."""
    environment = Environment(
        loader=PackageLoader("gentex.bench.report"),
        undefined=StrictUndefined,
        autoescape=select_autoescape(default=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"shown": shown, "chance": chance}
    return environment.get_template("page.html.j2").render(
        title=title,
        summary=summary,
        made=timestamp(),
        tables=[_section(table, store) for table in made],
        environments=environments(made),
    )


def _section(table: Table, store: Store) -> dict[str, Any]:
    return {
        "table": table,
        "columns": [column for column in table.columns if column.direction],
        "shown_only": [column for column in table.columns if not column.direction],
        "intervals": any(len(row.seeds) > 1 for row in table.rows),
        "best": _best(table),
        "paired": paired(table),
        "chosen": chosen(table),
        "sheets": _unique([sheet for row in table.rows for sheet in _sheets(row, store)]),
        "curves": [(row.label, _curves(row.records[0])) for row in table.rows if row.records],
    }


def _best(table: Table) -> dict[str, str]:
    """The label of the best mean of each metric, where there are seeds enough to speak of it."""
    best: dict[str, str] = {}
    for column in table.columns:
        rows = [
            (value.mean, row.label)
            for row in table.rows
            if (value := row.values.get(column.name)) is not None and value.half_width is not None
        ]
        means = [(mean, label) for mean, label in rows if mean is not None]
        if len(means) > 1 and column.direction:
            best[column.name] = (min if column.direction == "lower" else max)(means)[1]
    return best


def _sheets(row: Row, store: Store) -> list[dict[str, str]]:
    """The pictures that the first seed of a row left, as data URIs."""
    if not row.records:
        return []
    record = row.records[0]
    sheets: list[dict[str, str]] = []
    for role, name in record.get("files", {}).items():
        # A record may come from somebody else: only plain files of its own cell are shown.
        folder = (store.cells / record["hash"]).resolve()
        path = (folder / name).resolve()
        kind = IMAGE_TYPES.get(path.suffix)
        if kind is None or not path.is_relative_to(folder) or not path.is_file():
            continue
        data = base64.b64encode(path.read_bytes()).decode()
        caption = f"{row.label}, seed {record['cell']['seed']}"
        sheets.append({"role": role, "label": caption, "uri": f"data:{kind};base64,{data}"})
    return sheets


def _unique(sheets: list[dict[str, str]]) -> list[dict[str, str]]:
    """Sheets without repetition: the real images are the same for every row, and of none."""
    count = Counter(sheet["uri"] for sheet in sheets)
    first: dict[str, dict[str, str]] = {}
    for sheet in sheets:
        shared = {"label": "all rows"} if count[sheet["uri"]] > 1 else {}
        first.setdefault(sheet["uri"], sheet | shared)
    return [*first.values()]


def _curves(record: Record) -> str:
    """Training curves as an SVG picture, as a data URI; empty where there are none."""
    curves = {name: points for name, points in record.get("curves", {}).items() if points}
    if not curves:
        return ""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # Text as text keeps the picture small; a fixed salt makes the same record the same bytes.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "gentex", "font.size": 8}):
        figure = Figure(figsize=(3.6, 1.9), layout="constrained")
        axes = figure.subplots()
        for (name, points), colour in zip(curves.items(), CURVE_COLOURS * 9, strict=False):
            steps, values = zip(*points, strict=True)
            # Without a marker a run too short for a line would show nothing.
            marker = "." if len(points) < MARKED else None
            axes.plot(steps, values, marker=marker, label=name, linewidth=1.2, color=colour)
        axes.set_xlabel("step")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=7)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()


def environments(made: Sequence[Table]) -> list[dict[str, Any]]:
    """The distinct environments behind the tables, with the number of cells of each."""
    counted: dict[str, dict[str, Any]] = {}
    for table in made:
        for row in table.rows:
            for record in row.records:
                environment = record.get("environment", {})
                entry = counted.setdefault(str(environment), {**environment, "cells": 0})
                entry["cells"] += 1
                entry["command"] = record.get("provenance", {}).get("command", "")
    return list(counted.values())
