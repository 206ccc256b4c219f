"""How far the best learned separator leads the best tuned classic one, image by image.

    python -m gentex.bench benchmarks/suites/separation.toml --data DATA --store STORE
    python benchmarks/studies/separation_lead.py STORE --out benchmarks/results/study-lead.json

The best of each kind is the one with the best mean on the test images, which favours the classic
ones where there are more of them. A learned separator's value for an image is its mean over seeds.
The lead is a mean over texture sources, each the mean over its ten images. Its interval (95 %) is
Student's t over the sources, as another choice of sources would move it; the paired tests (t, and
Wilcoxon's signed ranks) are over the images, and say less: images of one source are alike. The
values of all images stand in the record, for tests against what comes later.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
from readable import readable
from scipy import stats

import gentex
from gentex.bench.environment import environment
from gentex.bench.plan import Cell
from gentex.bench.store import Record, Store
from gentex.bench.table import interval
from gentex.data.composites.fingerprint import LEVELS
from gentex.registry import registry
from gentex.tasks.separation import MAIN, by_source


class Row(NamedTuple):
    """A separator on a level: decibels of every test image, by seed."""

    label: str
    learned: bool
    psnr: dict[int, np.ndarray[Any, np.dtype[np.float64]]]

    @property
    def images(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Of every image, the mean over seeds."""
        return np.asarray(np.mean([*self.psnr.values()], axis=0))


def rows(records: Iterable[Record]) -> list[Row]:
    """Learned separators as they come, classic ones as they are tuned on training composites."""
    found: dict[str, Row] = {}
    for record in records:
        cell, items = Cell(**record["cell"]), record["items"]
        learned = "learned" in registry().resolve("architecture", cell.architecture).card.tags
        name = MAIN if learned or f"{MAIN}-tuned" not in items else f"{MAIN}-tuned"
        label = cell.architecture_label + (", tuned" if name != MAIN else "")
        row = found.setdefault(label, Row(label, learned, {}))
        row.psnr[cell.seed] = np.asarray(items[name])
    return [*found.values()]


def compared(records: Iterable[Record], sources: tuple[str, ...]) -> dict[str, Any]:
    """The lead on one level."""
    ranked = sorted(
        rows(records), key=lambda row: -statistics.fmean(by_source(row.images, sources).values())
    )
    learned = next(row for row in ranked if row.learned)
    classic = next(row for row in ranked if not row.learned)
    difference = learned.images - classic.images
    leads = by_source(difference, sources)
    mean, half = interval([*leads.values()])
    seeds = {
        seed: statistics.fmean(by_source(psnr - classic.images, sources).values())
        for seed, psnr in learned.psnr.items()
    }
    return {
        "learned": learned.label,
        "classic": classic.label,
        "psnr": {row.label: by_source(row.images, sources) for row in ranked},
        "sources": [*sources],
        "psnr_of_images": {row.label: row.images.tolist() for row in ranked},
        "lead": mean,
        "lead_half_width_95_over_sources": half,
        "lead_by_source": leads,
        "lead_by_seed": seeds,
        "lead_half_width_95_over_seeds": interval([*seeds.values()])[1],
        "images_won": float((difference > 0).mean()),
        "paired_t_p": float(stats.ttest_rel(learned.images, classic.images).pvalue),
        "wilcoxon_p": float(stats.wilcoxon(difference).pvalue),
    }


@click.command()
@click.argument("store", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
def main(store: Path, out: Path) -> None:
    """Compare the records in STORE, level by level."""
    good = [record for record in Store(store) if record["status"] == "ok"]
    result: dict[str, Any] = {}
    for level in LEVELS:
        here = [r for r in good if r["cell"]["dataset"].startswith(f"gentex:composites:{level}")]
        options = here[0]["cell"]["dataset_options"]
        test: Any = gentex.load_dataset(f"composites:{level}", "test", **options)
        result[level] = compared(here, test.sources)
        lead = result[level]
        click.echo(
            f"{level}: {lead['learned']} leads {lead['classic']} by {lead['lead']:.2f} "
            f"± {lead['lead_half_width_95_over_sources']:.2f} dB, "
            f"on {lead['images_won']:.0%} of the images (Wilcoxon p = {lead['wilcoxon_p']:.1g})"
        )
    mean = statistics.fmean(result[level]["lead"] for level in LEVELS)
    click.echo(f"mean over levels: {mean:.2f} dB")
    content = {"mean_lead": mean, "levels": result, "environment": environment()}
    out.write_text(readable(content), encoding="utf-8")


if __name__ == "__main__":
    main()
