"""What the harness shows on a terminal: progress while it runs, a leaderboard at the end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table as RichTable

from gentex.bench.execute import Event, Executor
from gentex.bench.plan import Job
from gentex.bench.store import Store
from gentex.bench.table import Row, Table, shown


def run_with_progress(
    jobs: Sequence[Job], total: int, store: Store, *, executor: Executor, workers: int
) -> None:
    """Execute jobs under a progress bar for the whole and one for each running cell."""
    console = Console()
    if total > len(jobs):
        console.print(f"{total - len(jobs)} of {total} cells are in {store.folder} already")
    if not jobs:
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        whole = progress.add_task("all cells", total=total, completed=total - len(jobs))
        bars: dict[str, TaskID] = {}
        elsewhere: set[str] = set()

        def show(event: Event) -> None:
            digest, name = event.job.cell.hash, escape(str(event.job.cell))
            if event.what == "started":
                bars[digest] = progress.add_task(name, total=1.0)
            elif event.what == "progress" and "fraction" in event.state:
                losses = " ".join(f"{k}={v:.3g}" for k, v in event.state["losses"].items())
                text = f"{name} [dim]{event.state['phase']} {escape(losses)}[/dim]"
                progress.update(bars[digest], completed=event.state["fraction"], description=text)
            elif event.what == "elsewhere" and digest not in elsewhere:
                elsewhere.add(digest)
                console.print(f"[dim]waiting for another process:[/dim] {name}")
            elif event.what == "ended":
                progress.advance(whole)
                console.print(_ended(event))
            if event.what in ("ended", "elsewhere") and digest in bars:
                progress.remove_task(bars.pop(digest))

        executor(jobs, store, workers=workers, on_event=show)


def _ended(event: Event) -> str:
    name = escape(str(event.job.cell))
    seconds = event.state.get("cost", {}).get("cell_seconds", 0.0)
    if event.state.get("status") == "ok":
        return f"[green]done[/green]   {name} [dim]{seconds:.0f} s[/dim]"
    reason = escape(event.state.get("reason", "no record"))
    return f"[red]failed[/red] {name} [dim]{seconds:.0f} s[/dim] {reason}"


def leaderboard(made: Iterable[Table]) -> None:
    """Print every comparison: architectures down and metrics across, or turned where that fits."""
    console = Console()
    for table in made:
        columns = [column for column in table.columns if column.direction]
        seeds = {len(row.seeds) for row in table.rows if row.records}
        note = "one seed: no intervals" if seeds <= {1} else "mean ± 95 % interval over seeds"
        heads = [
            f"{c.name} {c.arrow}" + (f" [dim]{escape(c.unit)}[/dim]" if c.unit else "")
            for c in columns
        ]
        lines = [
            [escape(row.label) + _failures(row)]
            + [str(row.values[c.name]) if c.name in row.values else "—" for c in columns]
            for row in table.rows
        ]
        if table.floor:
            floors = [shown(table.floor[c.name]) if c.name in table.floor else "" for c in columns]
            lines.append(["[dim]floor: real against real[/dim]", *floors])
        cells = [["architecture", *heads], *lines]
        turned = len(columns) > len(lines)
        if turned:
            cells = [list(line) for line in zip(*cells, strict=True)]
            cells[0][0] = "metric"
        shape = RichTable(title=escape(table.title), caption=note, title_justify="left")
        for number, head in enumerate(cells[0]):
            if number == 0:
                shape.add_column(head, overflow="fold", no_wrap=turned)
            else:
                shape.add_column(head, overflow="fold", justify="right")
        for line in cells[1:]:
            shape.add_row(*line)
        console.print()
        console.print(shape)
        if table.protocol:
            console.print(f"[dim]{escape(table.protocol_line)}[/dim]", highlight=False)


def _failures(row: Row) -> str:
    return f" [red]({len(row.failures)} failed)[/red]" if row.failures else ""
