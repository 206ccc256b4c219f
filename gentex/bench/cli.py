"""`python -m gentex.bench`, also `gentex bench`: run, list, report."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from gentex.bench.plan import Job, plan
from gentex.bench.store import Store
from gentex.bench.suite import (
    Entry,
    Suite,
    find_suite,
    make_suite,
    packaged_suites,
    parse_entry,
)
from gentex.bench.table import tables
from gentex.cli import plugin_option
from gentex.errors import SuiteError, closest
from gentex.registry import import_target, registry

DEFAULT_SUITE = "quick"


class _DefaultRun(click.Group):
    """A group whose command is `run` where none is named."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ("-h", "--help")):
            args = ["run", *args]
        return super().parse_args(context, args)


store_option = click.option(
    "--store",
    type=click.Path(file_okay=False, path_type=Path),
    default=lambda: os.environ.get("GENTEX_STORE", "gentex-runs"),
    help="Folder of records; GENTEX_STORE, else ./gentex-runs.",
)
data_option = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=lambda: os.environ.get("GENTEX_DATA"),
    help="Folder of data sets; by default GENTEX_DATA.",
)


@click.group(cls=_DefaultRun, context_settings={"help_option_names": ["-h", "--help"]})
def bench() -> None:
    """Compare architectures. Without a command: run, and without a suite: the quick one."""


@bench.command()
@click.argument("suite", required=False)
@click.option("--task", help="With a suite: only this task.  [default: generation@1]")
@click.option("--dataset", multiple=True, help="name or 'name[size=64]'; repeat, or use commas.")
@click.option("--architecture", multiple=True, help="name or 'name[width=32]'; likewise.")
@click.option("--seeds", help="0,1,2 or 0-4.")
@click.option("--budget", help="500steps, 20000images or 60s.")
@click.option("--device", help="auto, cpu, cuda or mps.")
@click.option("--time-limit", type=float, help="Seconds after which a cell counts as failed.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, help="Cells at a time.")
@click.option("--executor", default="local", show_default=True, help="What runs the cells.")
@click.option("--retry-failed", is_flag=True, help="Run cells again whose record is a failure.")
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), help="Where the page goes."
)
@store_option
@data_option
@plugin_option
def run(
    suite: str | None,
    task: str | None,
    dataset: tuple[str, ...],
    architecture: tuple[str, ...],
    jobs: int,
    executor: str,
    retry_failed: bool,
    html: Path | None,
    store: Path,
    data: Path | None,
    **overrides: Any,
) -> int:
    """Run a suite (a name or a TOML file), or a comparison given by options.

    What is in the store already is not run again. With a suite, --task, --dataset and
    --architecture choose from it, and --seeds, --budget, --device and --time-limit replace what it
    says.
    """
    from gentex.bench.report import html_report
    from gentex.bench.screen import leaderboard, run_with_progress

    chosen = _chosen(suite, task, dataset, architecture, overrides)
    records = Store(store)
    execute = import_target(registry().resolve("executor", executor))
    planned = plan(chosen, root=data)
    open_jobs = [job for job in planned if _is_open(records, job, retry_failed)]
    page = html or store / f"{chosen.name}.html"
    try:
        run_with_progress(open_jobs, len(planned), records, executor=execute, workers=jobs)
    except KeyboardInterrupt:
        left = sum(records.read(job.cell.hash) is None for job in planned)
        click.echo(
            f"\ninterrupted: {len(planned) - left} of {len(planned)} cells are in {store}; "
            "the same command goes on from there",
            err=True,
        )
        return 130
    results = [r for job in planned if (r := records.read(job.cell.hash)) is not None]
    made = tables(results)
    leaderboard(made)
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(html_report(made, records, title=chosen.name, summary=chosen.summary), "utf-8")
    click.echo(f"\nreport: {page}")
    failed = [record for record in results if record["status"] != "ok"]
    if failed:
        click.echo(
            f"{len(failed)} of {len(planned)} cells failed; --retry-failed runs them again, "
            "after the cause is mended",
            err=True,
        )
    return 1 if failed else 0


@bench.command("list")
@store_option
@plugin_option
def list_command(store: Path) -> None:
    """List the suites that gentex brings, and what is in the store."""
    for suite in packaged_suites():
        click.echo(f"suite {suite.name}: {suite.summary}")
    for record in Store(store):
        from gentex.bench.plan import Cell

        reason = f": {record['reason']}" if record["status"] != "ok" else ""
        cell = Cell(**record["cell"])
        click.echo(f"{record['hash'][:12]}  {record['status']:<6}  {cell}{reason}")


@bench.command()
@click.argument("suite", required=False)
@click.option(
    "--format",
    "style",
    type=click.Choice(("html", "markdown", "latex", "csv", "json")),
    default="markdown",
    show_default=True,
)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Else printed."
)
@store_option
@data_option
@plugin_option
def report(
    suite: str | None, style: str, output: Path | None, store: Path, data: Path | None
) -> None:
    """Report what is in the store, or only what belongs to SUITE."""
    from gentex.bench.report import render

    records = Store(store)
    if suite is None:
        results = list(records)
    else:
        planned = plan(find_suite(suite), root=data)
        results = [r for job in planned if (r := records.read(job.cell.hash)) is not None]
    if not results:
        raise SuiteError(
            f"no records in {str(store)!r}" + (f" of suite {suite!r}" if suite else "")
        )
    text = render(style, tables(results), records)
    if output is None:
        click.echo(text)
    else:
        output.write_text(text, encoding="utf-8")


def _chosen(
    suite: str | None,
    task: str | None,
    dataset: Sequence[str],
    architecture: Sequence[str],
    overrides: dict[str, Any],
) -> Suite:
    """The suite that the arguments describe."""
    given = {key: value for key, value in overrides.items() if value is not None}
    datasets, architectures = _split(dataset), _split(architecture)
    if suite is None and architectures:
        only = {"architectures": architectures, **given}
        only |= {"task": task} if task else {}
        only |= {"datasets": datasets} if datasets else {}
        return make_suite("comparison", {"matrix": [only]})
    found = find_suite(suite or DEFAULT_SUITE)
    wanted = {
        "datasets": [parse_entry(text) for text in datasets],
        "architectures": [parse_entry(text) for text in architectures],
    }
    kept: list[dict[str, Any]] = []
    for matrix in found.matrix:
        fields: dict[str, Any] = dict(matrix) | given
        for key, entries in wanted.items():
            # A name alone stands for all variants of it.
            fields[key] = [
                entry
                for entry in fields[key]
                if not entries or entry in entries or Entry(name=entry.name) in entries
            ]
        if task in (None, matrix.task) and fields["datasets"] and fields["architectures"]:
            kept.append(fields)
    if not kept:
        raise SuiteError(_nothing_left(found, task, datasets, architectures))
    return make_suite(found.name, {"summary": found.summary, "matrix": kept})


def _nothing_left(
    suite: Suite, task: str | None, datasets: Sequence[str], architectures: Sequence[str]
) -> str:
    asked = [x for x in (task, *datasets, *architectures) if x]
    has = {matrix.task for matrix in suite.matrix}
    has |= {e.name for m in suite.matrix for e in (*m.datasets, *m.architectures)}
    missing = [name for name in asked if name not in has] or asked
    return f"suite {suite.name!r} has no {missing[0]!r}{closest(missing[0], has)}"


def _split(values: Sequence[str]) -> list[str]:
    """Entries separated by commas that stand outside brackets."""
    import re

    return [part for value in values for part in re.split(r",(?![^\[]*\])", value) if part.strip()]


def _is_open(store: Store, job: Job, retry_failed: bool) -> bool:
    record = store.read(job.cell.hash)
    if record is not None and record["status"] != "ok" and retry_failed:
        store.discard(job.cell)
        return True
    return record is None


def main() -> None:
    """Entry of `python -m gentex.bench`."""
    from gentex.cli import run as run_command

    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a text stream has it
    run_command(bench, "python -m gentex.bench")
