"""Reports as text: Markdown and LaTeX for papers, CSV and JSON for further work."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from gentex.bench.chosen import chosen
from gentex.bench.paired import chance, paired
from gentex.bench.report.page import environments, html_report
from gentex.bench.store import Store
from gentex.bench.table import Table, shown

LATEX_SPECIAL = str.maketrans(
    {c: "\\" + c for c in "&%$#_{}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
    | {"±": r"$\pm$", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "—": "--", "²": "$^2$"}
    | {"×": r"$\times$", "σ": r"$\sigma$"}
)


def render(style: str, made: Sequence[Table], store: Store) -> str:
    """The tables in one of the styles html, markdown, latex, csv, json."""
    writers: dict[str, Callable[[], str]] = {
        "html": lambda: html_report(made, store, title="gentex"),
        "markdown": lambda: _templates().get_template("markdown.j2").render(tables=made),
        "latex": lambda: _templates().get_template("latex.j2").render(tables=made),
        "csv": lambda: _csv(made),
        "json": lambda: _json(made),
    }
    return writers[style]()


def latex_escape(text: object) -> str:
    """Text in which no character is special to LaTeX."""
    return str(text).translate(LATEX_SPECIAL)


def markdown_escape(text: object) -> str:
    """Text that stays in its table cell."""
    return str(text).replace("|", "\\|")


def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("gentex.bench.report"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"latex": latex_escape, "markdown": markdown_escape, "shown": shown}
    environment.filters |= {"paired": paired, "chance": chance, "chosen": chosen}
    return environment


def _csv(made: Sequence[Table]) -> str:
    """One line for every value: a row, a metric and a seed."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = ("task", "dataset", "budget", "architecture", "metric", "direction", "unit")
    writer.writerow((*names, "seed", "value", "floor", "protocol"))
    for table in made:
        for row in table.rows:
            for column in table.columns:
                value = row.values.get(column.name)
                for seed, number in sorted(value.by_seed.items()) if value else ():
                    where = (table.task, table.dataset, table.budget, row.label)
                    metric = (column.name, column.direction, column.unit)
                    floor = "" if value is None or value.floor is None else value.floor
                    writer.writerow((*where, *metric, seed, number, floor, table.protocol_line))
    return buffer.getvalue()


def _paired(table: Table) -> dict[str, Any] | None:
    found = paired(table)
    if found is None:
        return None
    return found._asdict() | {"rivals": [rival._asdict() for rival in found.rivals]}


def _json(made: Sequence[Table]) -> str:
    """Every table with means, intervals, values by seed, and where and by what they were made."""
    content = [
        {
            "task": table.task,
            "dataset": table.dataset,
            "budget": table.budget,
            "protocol": table.protocol,
            "paired": _paired(table),
            "environments": environments([table]),
            "rows": [
                {
                    "architecture": row.label,
                    "seeds": row.seeds,
                    "scores": {
                        column.name: {
                            "mean": value.mean,
                            "half_width_95": value.half_width,
                            "floor": value.floor,
                            "by_seed": value.by_seed,
                            "direction": column.direction,
                            "unit": column.unit,
                        }
                        for column in table.columns
                        if (value := row.values.get(column.name)) is not None
                    },
                    "chosen": [record.get("chosen", {}) for record in row.records],
                    "records": [record["hash"] for record in row.records],
                    "failures": [record["reason"] for record in row.failures],
                }
                for row in table.rows
            ],
        }
        for table in made
    ]
    return json.dumps(content, indent=1)
