"""What tasks chose on training data: the point of a grid that a row's tuned columns stand for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gentex.bench.table import Row, Table


def chosen(table: Table) -> dict[str, str]:
    """The label of each row that was tuned, and what was chosen: `strength = 0.02, scale = 3`.

    A number at an end of what it was chosen from is marked: better ones may lie beyond, so that the
    tuned column may do the row an injustice. Where seeds disagree, all that was chosen is named.
    """
    rows = ((row.label, "; ".join(_distinct(row))) for row in table.rows)
    return {label: text for label, text in rows if text}


def _distinct(row: Row) -> Iterable[str]:
    texts = (_text(record.get("chosen", {})) for record in row.records)
    return dict.fromkeys(filter(None, texts))


def _text(values: dict[str, dict[str, Any]]) -> str:
    return ", ".join(
        f"{name} = {choice['value']}"
        + (" (an end of its grid)" if _at_end(choice["value"], choice["choices"]) else "")
        for name, choice in values.items()
    )


def _at_end(value: Any, choices: list[Any]) -> bool:
    """Whether a number is the least or the greatest of several; there is no end of other things."""
    if len(choices) < 2 or not all(type(choice) in (int, float) for choice in choices):
        return False
    return value in (min(choices), max(choices))
