"""Progress bars and error lines of the command line."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from likeness.progress import Progress

__all__ = ["fail", "reporter"]


def fail(message: str) -> None:
    """One red sentence on standard error."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"[red]likeness:[/red] {message}", markup=True)


@contextmanager
def reporter() -> Iterator[Progress]:
    """A progress that draws a bar per stage on a terminal and prints a line per message elsewhere."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    columns = (TextColumn("{task.fields[stage]:>8}"), BarColumn(), TextColumn("{task.description}"))
    bars = Bars(*columns, TimeElapsedColumn(), console=Console(stderr=True))
    stages: dict[str, TaskID] = {}
    with bars:

        def show(stage: str, fraction: float, message: str) -> None:
            if stage not in stages:
                for task in stages.values():
                    bars.stop_task(task)
                stages[stage] = bars.add_task(message, total=1.0, stage=stage)
            bars.update(stages[stage], completed=fraction, description=message)

        yield show


def _lines() -> Progress:
    start = time.monotonic()
    last = ""

    def show(stage: str, fraction: float, message: str) -> None:
        nonlocal last
        if message != last:
            print(f"{time.monotonic() - start:6.1f} s  {stage:>8}  {message}", file=sys.stderr, flush=True)  # noqa: T201
            last = message

    return show
