"""The tables of docs/separation.md, from the records in benchmarks/results.

    python benchmarks/recipes/separation_tables.py

A test compares the page with what this prints.
"""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from gentex.data.composites.fingerprint import LEVELS
from gentex.tasks.separation import MAIN
from gentex.tasks.work import ORACLE, TUNED

RESULTS = Path(__file__).parent.parent / "results"
TRAINED_ON = ",lr=0.0005,steps=600]"
"""Ends the label of the shipped network where it was trained on."""
SHOWN = {"structure-ssim": "SSIM ↑", "edge-fscore": "edges ↑", "texture-simse": "texture error ↓"}
FIXED = {"amplitude": 0.06, "scale": 3.0}
"""Where a sweep along the other stands."""


def compared(table: dict[str, Any]) -> str:
    """All separators on one level, the best first by its tuned column, where it has one."""
    lines = []
    for row in sorted(table["rows"], key=lambda row: -float(_best(row, MAIN)["mean"])):
        cells = [_value(row["scores"].get(MAIN + kind), 2) for kind in ("", TUNED, ORACLE)]
        cells += [_value(_best(row, name), 3) for name in SHOWN]
        lines.append([_label(row["architecture"]), *cells])
    return _markdown(["separator", "PSNR ↑", "tuned", "oracle", *SHOWN.values()], lines)


def choices(tables: Iterable[dict[str, Any]]) -> str:
    """What tuning chose on each level."""
    found: dict[str, dict[str, str]] = {}
    for table in tables:
        for row in table["rows"]:
            for chosen in filter(None, row["chosen"]):
                text = ", ".join(f"{name} {choice['value']:g}" for name, choice in chosen.items())
                found.setdefault(row["architecture"], {})[level(table)] = text
    lines = [[f"`{name}`", *(found[name][at] for at in LEVELS)] for name in sorted(found)]
    return _markdown(["tuned to", *LEVELS], lines, numbers=False)


def lead(study: dict[str, Any]) -> str:
    """How far the best learned separator is ahead of the best tuned classic one."""
    lines = []
    for at in LEVELS:
        found = study["levels"][at]
        sources = sorted(found["lead_by_source"].items(), key=lambda item: float(item[1]))
        extremes = ", ".join(f"{sources[end][1]:.2f} ({sources[end][0]})" for end in (0, -1))
        lines.append(
            [
                at,
                "`{}`, tuned".format(found["classic"].removesuffix(", tuned")),
                f"{found['lead']:.2f} ± {found['lead_half_width_95_over_sources']:.2f}",
                f"{_as_it_comes(found):.2f}",
                extremes,
                f"{found['images_won']:.0%}".replace("%", " %"),
                f"{found['wilcoxon_p']:.0e}".replace("e-0", "e-"),
            ]
        )
    head = [
        "level",
        "lead over",
        "lead, dB",
        "without training on",
        "least and greatest over sources",
    ]
    return _markdown([*head, "images won", "Wilcoxon's p"], lines)


def sweep(tables: Sequence[dict[str, Any]], along: str) -> str:
    """PSNR along the amplitude or the scale; classic separators as tuned at each point."""
    tables_at: dict[float, dict[str, Any]] = {}
    for table in tables:
        at = _point(table)
        if all(at[name] == value for name, value in FIXED.items() if name != along):
            tables_at[at[along]] = table
    points = sorted(tables_at)
    values: dict[str, list[str]] = {}
    for point in points:
        for row in tables_at[point]["rows"]:
            cell = _value(_best(row, MAIN), 2)
            values.setdefault(_label(row["architecture"]), []).append(cell)
    lines = [[label, *cells] for label, cells in sorted(values.items())]
    return _markdown([along, *(f"{point:g}" for point in points)], lines)


def level(table: dict[str, Any]) -> str:
    """The level of a table's composites."""
    return str(table["dataset"]).partition(":")[2].partition("+")[0]


def _point(table: dict[str, Any]) -> dict[str, float]:
    """The amplitude and the scale that all textures of a table have."""
    ranges = re.findall(r"(amplitude|scale)=\[([\d.]+)", table["dataset"])
    return {name: float(value) for name, value in ranges}


def _as_it_comes(found: dict[str, Any]) -> float:
    """The lead of the same network before it was trained on."""
    name = found["learned"].replace(TRAINED_ON, "]")
    first, classic = found["psnr"][name], found["psnr"][found["classic"]]
    return statistics.fmean(first[source] - classic[source] for source in classic)


def _label(architecture: str) -> str:
    name = architecture.removesuffix(" (as it comes)")
    trained_on = ", trained on" if name.endswith(TRAINED_ON) else ""
    return f"`{name.replace(TRAINED_ON, ']')}`{trained_on}"


def _best(row: dict[str, Any], name: str) -> dict[str, Any]:
    """The score as tuned, where there is one."""
    tuned = row["scores"].get(name + TUNED)
    found: dict[str, Any] = tuned if tuned and tuned["mean"] is not None else row["scores"][name]
    return found


def _value(score: dict[str, Any] | None, digits: int) -> str:
    if score is None or score["mean"] is None:
        return ""
    spread = "" if score["half_width_95"] is None else f" ± {score['half_width_95']:.{digits}f}"
    return f"{score['mean']:.{digits}f}{spread}"


def _markdown(head: Sequence[str], lines: Iterable[Sequence[str]], *, numbers: bool = True) -> str:
    rule = ["---", *(("---:" if numbers else "---") for _ in head[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *lines))


def all_tables() -> dict[str, str]:
    """Every table, by what it shows."""

    def read(name: str) -> Any:
        return json.loads((RESULTS / name).read_text(encoding="utf-8"))

    tables = sorted(read("separation.json"), key=lambda table: LEVELS.index(level(table)))
    found = {level(table): compared(table) for table in tables}
    found["choices"] = choices(tables)
    found["lead"] = lead(read("study-lead.json"))
    for along in ("amplitude", "scale"):
        found[along] = sweep(read("separation-sweep.json"), along)
    return found


@click.command()
def main() -> None:
    """Print the tables."""
    for name, table in all_tables().items():
        click.echo(f"{name}\n\n{table}\n")


if __name__ == "__main__":
    main()
