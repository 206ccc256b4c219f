"""Paired tests over test items: does the best row lead on the same images, or by luck with them?

Rows of one comparison have seen the same items. In the metric that ranks them, and in the same with
tuned hyperparameters, every row's values are averaged over its seeds, item by item, and compared
with those of the best: by the mean difference, and by Wilcoxon's signed-rank test (Biometrics
Bulletin 1(6), 1945), whose p is corrected for the number of rows compared (Holm, Scandinavian
Journal of Statistics 6(2), 1979). Another training of the same architecture is not what it asks
about: intervals over seeds are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gentex.bench.table import Row, Table
from gentex.tasks.work import TUNED


class Rival(NamedTuple):
    """A row against the best one.

    behind: the mean over items by which the best row is better, in the metric's unit.
    p: that of a difference as large where there is none, corrected; 1 where all items are equal.
    """

    label: str
    behind: float
    p: float


class Paired(NamedTuple):
    """The best row of a table, and how far behind it the others are, the nearest first."""

    metric: str
    unit: str
    items: int
    best: str
    rivals: list[Rival]


def paired(table: Table) -> Paired | None:
    """The paired comparison of a table's rows; None where fewer than two have the same items."""
    metric = next((column for column in table.columns if column.direction), None)
    if metric is None:
        return None
    sign = 1 if metric.direction == "higher" else -1
    found: list[tuple[str, np.ndarray]] = []
    for row in table.rows:
        for name, label in ((metric.name, row.label), (metric.name + TUNED, f"{row.label}, tuned")):
            values = _items(row, name)
            if values is not None:
                found.append((label, sign * values))
    found.sort(key=lambda one: -float(one[1].mean()))
    found = [one for one in found if one[1].shape == found[0][1].shape]
    if len(found) < 2:
        return None
    best, values = found[0]
    differences = [values - other for _, other in found[1:]]
    rivals = [
        Rival(label, float(difference.mean()), p)
        for (label, _), difference, p in zip(
            found[1:], differences, holm([_signed_rank(d) for d in differences]), strict=True
        )
    ]
    return Paired(metric.name, metric.unit, len(values), best, rivals)


def holm(values: Sequence[float]) -> list[float]:
    """Each p of several tests, such that all are wrong together no oftener than one would be."""
    corrected, largest = [1.0] * len(values), 0.0
    for rank, index in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        largest = max(largest, min(1.0, values[index] * (len(values) - rank)))
        corrected[index] = largest
    return corrected


def chance(p: float) -> str:
    """A p as it is printed: two digits, and no smaller than anyone believes."""
    return "< 0.001" if p < 1e-3 else f"{p:.2g}"


def _items(row: Row, name: str) -> np.ndarray | None:
    """Values of every item, the mean over seeds; None where not all are finite numbers."""
    seeds = [record.get("items", {}).get(name) for record in row.records]
    if not seeds or any(not values or len(values) != len(seeds[0]) for values in seeds):
        return None
    mean = np.array(seeds, dtype=float).mean(0)  # None becomes NaN
    return mean if np.isfinite(mean).all() else None


def _signed_rank(difference: np.ndarray) -> float:
    """The p of Wilcoxon's test, two-sided."""
    if not difference.any():
        return 1.0
    from scipy import stats  # a second to import, and a table of one row does not need it

    p = float(stats.wilcoxon(difference).pvalue)
    return 1.0 if math.isnan(p) else p
