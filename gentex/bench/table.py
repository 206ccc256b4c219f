"""Leaderboards: records become rows, with an interval beside every number.

Rows are compared only where task, dataset, budget, options and protocol are the same; what was not
trained has no budget, and stands beside rows of any. An interval is Student's t over training seeds
(95 %); with one seed there is none, and nothing is called best.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from gentex.bench.plan import Cell
from gentex.bench.store import Record
from gentex.bench.suite import Budget

UNTRAINED = "untrained"
"""The budget of what was not trained."""


@dataclass(frozen=True, slots=True)
class Value:
    """A metric over the seeds of a row: the mean, and half the width of its 95 % interval."""

    mean: float | None
    half_width: float | None
    floor: float | None
    by_seed: dict[int, float]

    def __str__(self) -> str:
        if self.mean is None:
            return "—"
        if self.half_width is None:
            return shown(self.mean)
        return f"{shown(self.mean)} ± {shown(self.half_width)}"


@dataclass(frozen=True, slots=True)
class Column:
    """A metric: its name, which way is better, its unit."""

    name: str
    direction: str = ""
    unit: str = ""

    @property
    def arrow(self) -> str:
        """↑ or ↓ as an arrow to the better side."""
        return {"lower": "↓", "higher": "↑"}.get(self.direction, "")


@dataclass(slots=True)
class Row:
    """One architecture with its hyperparameters, over seeds."""

    label: str
    values: dict[str, Value] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)
    failures: list[Record] = field(default_factory=list)

    @property
    def seeds(self) -> list[int]:
        """The seeds that have a result."""
        return sorted(record["cell"]["seed"] for record in self.records)


@dataclass(slots=True)
class Table:
    """One comparison."""

    task: str
    dataset: str
    budget: str
    protocol: dict[str, Any]
    columns: list[Column]
    rows: list[Row]

    @property
    def title(self) -> str:
        """The comparison in a line."""
        return f"{self.task} on {self.dataset}, {self.budget}"

    @property
    def protocol_line(self) -> str:
        """The protocol in a line: `N = 1000; dtype = float64`."""
        return "; ".join(f"{key} = {value}" for key, value in self.protocol.items())

    @property
    def floor(self) -> dict[str, float]:
        """The floor of each metric that has one, the mean over all rows."""
        found: dict[str, float] = {}
        for column in self.columns:
            values = (row.values.get(column.name) for row in self.rows)
            floors = [v.floor for v in values if v is not None and v.floor is not None]
            if floors:
                found[column.name] = statistics.fmean(floors)
        return found


def tables(records: Iterable[Record]) -> list[Table]:
    """Records as comparisons, the rows of each ordered by its first metric, best first."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        groups.setdefault((_comparison(record), _budget(record)), []).append(record)
    # What nothing was spent on stands beside rows of every budget.
    for (comparison, budget), group in [*groups.items()]:
        spent = [key for key in groups if key[0] == comparison and key[1] != UNTRAINED]
        if budget == UNTRAINED and spent:
            del groups[comparison, budget]
            for key in spent:
                groups[key] += group
    ok = ([r for r in group if r["status"] == "ok"] for group in groups.values())
    made = [_table(group) for group in _by_protocol(filter(None, ok))]
    for group in groups.values():
        for record in group:
            if record["status"] != "ok":
                _add_failure(made, record)
    return made


def _by_protocol(groups: Iterable[Sequence[Record]]) -> list[list[Record]]:
    split: dict[tuple[int, str], list[Record]] = {}
    for number, group in enumerate(groups):
        for record in group:
            key = number, json.dumps(record.get("protocol", {}), sort_keys=True)
            split.setdefault(key, []).append(record)
    return list(split.values())


def _comparison(record: Record) -> str:
    """What rows of one table have in common beside the budget and what was recorded."""
    cell = record["cell"]
    names = ("task", "dataset", "dataset_options", "data", "options")
    return json.dumps([cell[name] for name in names], sort_keys=True)


def _budget(record: Record) -> str:
    if record.get("cost", {}).get("steps") == 0:
        return UNTRAINED
    return str(Budget(**record["cell"]["budget"]))


def _table(records: Sequence[Record]) -> Table:
    columns: dict[str, Column] = {}
    grouped: dict[str, list[Record]] = {}
    for record in records:
        for name, score in record["scores"].items():
            columns.setdefault(name, Column(name, score["direction"], score["unit"]))
        grouped.setdefault(_row_key(record), []).append(record)
    trained = [record for record in records if _budget(record) != UNTRAINED] or records
    trainings = {json.dumps(record["cell"]["training"], sort_keys=True) for record in trained}
    rows = [_row(group, columns, training=len(trainings) > 1) for group in grouped.values()]
    first = next((column for column in columns.values() if column.direction), None)
    if first is not None:
        rows.sort(key=lambda row: _rank(row.values.get(first.name), first.direction))
    cell = _cell(trained[0])
    protocol = dict(records[0].get("protocol", {}))
    if len(trainings) == 1:
        protocol |= cell.training
    task, budget = cell.task.partition(":")[2], _budget(trained[0])
    return Table(task, cell.dataset_label, budget, protocol, list(columns.values()), rows)


def _row(records: Sequence[Record], columns: dict[str, Column], *, training: bool) -> Row:
    label = _row_label(records[0], training=training)
    row = Row(label, records=sorted(records, key=lambda r: r["cell"]["seed"]))
    for name in columns:
        by_seed = {
            record["cell"]["seed"]: record["scores"][name]["value"]
            for record in row.records
            if name in record["scores"] and record["scores"][name]["value"] is not None
        }
        scores = [record["scores"].get(name, {}) for record in row.records]
        floors = [score["floor"] for score in scores if score.get("floor") is not None]
        mean, half = interval(list(by_seed.values()))
        row.values[name] = Value(mean, half, statistics.fmean(floors) if floors else None, by_seed)
    return row


def interval(
    values: Sequence[float], confidence: float = 0.95
) -> tuple[float | None, float | None]:
    """Mean and half-width of its Student-t interval; no half-width for fewer than two values."""
    if not values:
        return None, None
    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, None
    from scipy import stats  # a second to import, and one seed does not need it

    quantile = float(stats.t.ppf((1 + confidence) / 2, len(values) - 1))
    return mean, quantile * statistics.stdev(values) / math.sqrt(len(values))


def shown(value: float) -> str:
    """A number with four significant digits, without an exponent where that is readable."""
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        digits = max(0, 3 - math.floor(math.log10(abs(value)))) if value else 0
        return f"{value:.{min(digits, 6)}f}"
    return f"{value:.2e}"


def _add_failure(made: list[Table], record: Record) -> None:
    """Show a failed cell in the row, and the table, in which it would stand."""
    cell = _cell(record)
    budget = _budget(record)
    fitting = [
        table
        for table in made
        if table.budget in (budget, UNTRAINED)
        and any(_comparison(other) == _comparison(record) for other in _records(table))
    ]
    if not fitting:
        task = cell.task.partition(":")[2]
        fitting = [Table(task, cell.dataset_label, budget, {}, [], [])]
        made += fitting
    table = fitting[0]
    differs = any(table.protocol.get(name) != value for name, value in cell.training.items())
    label = _row_label(record, training=differs)
    row = next((row for row in table.rows if row.label == label), None)
    if row is None:
        row = Row(label)
        table.rows.append(row)
    row.failures.append(record)


def _records(table: Table) -> list[Record]:
    return [record for row in table.rows for record in (*row.records, *row.failures)]


def _rank(value: Value | None, direction: str) -> float:
    if value is None or value.mean is None:
        return math.inf
    return value.mean if direction == "lower" else -value.mean


def _row_key(record: Record) -> str:
    cell = record["cell"]
    names = ("architecture", "hyperparameters", "training", "device", "code")
    return json.dumps([*(cell[name] for name in names), _budget(record)], sort_keys=True)


def _row_label(record: Record, *, training: bool) -> str:
    cell = _cell(record)
    values = ", ".join(f"{name}={value}" for name, value in cell.training.items())
    if _budget(record) == UNTRAINED:
        return cell.architecture_label + (" (as it comes)" if record["cost"]["parameters"] else "")
    return cell.architecture_label + (f" ({values})" if training and values else "")


def _cell(record: Record) -> Cell:
    return Cell(**record["cell"])
