"""Progress bars and error lines of the command line."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from likeness.progress import Progress

__all__ = ["fail", "reporter", "say"]

NOTE = "note"
"""A stage of its own: what a user should know of a photo; it stays on the screen."""


def fail(message: str) -> None:
    """One sentence on standard error, its mark in red on a terminal."""
    mark = "\x1b[31mlikeness:\x1b[0m" if sys.stderr.isatty() else "likeness:"
    print(mark, " ".join(message.split()), file=sys.stderr, flush=True)  # noqa: T201


def say(line: str) -> None:
    """One line of an answer on standard output."""
    print(line)  # noqa: T201


@contextmanager
def reporter() -> Iterator[Progress]:
    """A progress that draws a bar per stage on a terminal and prints a line per message elsewhere."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.fields[stage]:>8}"), BarColumn(), TextColumn("{task.description}"))
    bars = Bars(*columns, TimeElapsedColumn(), console=Console(stderr=True))
    stages: dict[str, TaskID] = {}
    with bars:

        def show(stage: str, fraction: float, message: str) -> None:
            if stage == NOTE:
                bars.console.print(f"    [yellow]note[/yellow] {escape(message)}", highlight=False)
                return
            if stage not in stages:
                for task in stages.values():
                    bars.stop_task(task)
                stages[stage] = bars.add_task(escape(message), total=1.0, stage=stage)
            bars.update(stages[stage], completed=fraction, description=escape(message))

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
