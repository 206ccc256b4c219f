"""The sample sheets of a store side by side, for the documentation.

    python benchmarks/recipes/samples.py STORE docs/pictures

writes samples-DATASET.png for each dataset: real images, then each architecture's samples, by the
first seed of each.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click
from PIL import Image, ImageDraw, ImageFont

from gentex.bench.plan import Cell

SIDE = 210
GAP, TITLE = 10, 22
COLUMNS = 5


@click.command()
@click.argument("store", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
def main(store: Path, out: Path) -> None:
    """Write a picture for each dataset of STORE into the folder OUT."""
    out.mkdir(parents=True, exist_ok=True)
    records = [json.loads(path.read_text()) for path in sorted(store.glob("records/*.json"))]
    sheets: dict[str, dict[str, Image.Image]] = {}
    for record in sorted(records, key=lambda r: (r["cell"]["seed"], r["cell"]["architecture"])):
        if record["status"] == "ok" and "samples" in record.get("files", {}):
            _add(sheets.setdefault(record["cell"]["dataset"], {}), record, store)
    for dataset, panels in sheets.items():
        name = re.sub(r"\W+", "-", dataset.partition(":")[2]).lower()
        path = out / f"samples-{name}.png"
        _montage(panels).save(path, optimize=True)
        click.echo(f"{path}: {path.stat().st_size / 1024:.0f} KiB")


def _add(panels: dict[str, Image.Image], record: dict[str, Any], store: Path) -> None:
    folder = store / "cells" / record["hash"]
    label = Cell(**record["cell"]).architecture_label.partition("[")[0]
    for title, role in (("real", "real"), (label, "samples")):
        if title not in panels:
            panels[title] = Image.open(folder / record["files"][role]).convert("RGB")


def _montage(panels: dict[str, Image.Image]) -> Image.Image:
    rows = -(-len(panels) // COLUMNS)
    size = (COLUMNS * (SIDE + GAP) + GAP, rows * (SIDE + TITLE + GAP) + GAP)
    sheet = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for number, (title, panel) in enumerate(panels.items()):
        x = GAP + number % COLUMNS * (SIDE + GAP)
        y = GAP + number // COLUMNS * (SIDE + TITLE + GAP)
        draw.text((x, y), title, fill="black", font=font)
        sheet.paste(panel.resize((SIDE, SIDE), Image.Resampling.NEAREST), (x, y + TITLE))
    return sheet


if __name__ == "__main__":
    main()
