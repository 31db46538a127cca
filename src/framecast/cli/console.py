"""What the command line says: results on stdout; progress and errors on stderr.

On a terminal progress is a bar. Elsewhere (a log file, a pipe) it is a plain line now and then. Names, reasons and
attributes come from files and servers: everything is printed as `framecast.core.text.visible` shows it, warnings and
records of libraries too (`speak`).
"""

import logging
import sys
import time
import traceback
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from framecast.core.distributed import is_first
from framecast.core.text import one_line, visible

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID
    from rich.table import Table

SECONDS_BETWEEN_LINES = 15.0
SECONDS_TO_FIRST_LINE = 3.0


def say(text: str) -> None:
    """Print a result: one line on stdout, never wrapped or coloured. Of several processes only the first speaks."""
    if is_first():
        print(visible(text), flush=True)


def note(text: str) -> None:
    """Print what a person may like to know, and no program needs: one line on stderr."""
    if is_first():
        complain(text)


def complain(text: str) -> None:
    """Print one line on stderr, whichever process this is."""
    print(visible(text), file=sys.stderr, flush=True)


def print_trace(error: BaseException) -> None:
    """Print the whole trace of an error on stderr."""
    for line in "".join(traceback.format_exception(error)).splitlines():
        complain(line)


def speak() -> None:
    """Let nothing be printed but through this file: what libraries warn of and log as well.

    Characters that the terminal's encoding does not have appear as escapes.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    warnings.showwarning = lambda message, *_, **__: note(f"warning: {one_line(message)}")
    logging.lastResort = _Records(logging.WARNING)


class _Records(logging.Handler):
    """What libraries log where nobody has asked for it otherwise."""

    def emit(self, record: logging.LogRecord) -> None:
        note(f"{record.levelname.lower()}: {one_line(record.getMessage())}")


class Task:
    """Something that advances towards a total.

    Attributes:
        done: how far it has come; what is half done counts half.
        total: where it ends, or ``None`` where that is unknown.
    """

    def __init__(self, description: str, total: int | None, bar: "tuple[Progress, TaskID] | None") -> None:
        self.done: float = 0
        self.total = total
        self._description = description
        self._bar = bar
        self._note = ""
        self._said = ""
        self._began = time.monotonic()
        self._last_line = self._began - SECONDS_BETWEEN_LINES + SECONDS_TO_FIRST_LINE
        self._first = 0

    def begin(self, done: int) -> None:
        """Begin at ``done``, where earlier work left off: it does not count for the time that is left."""
        self._first, self._began = done, time.monotonic()
        self.reach(done)

    def advance(self, steps: int = 1, *, note: str | None = None) -> None:
        """Go ``steps`` further; ``note`` is a short remark beside the count, such as the present loss."""
        self.reach(self.done + steps, note=note)

    def reach(self, done: float, total: int | None = None, *, note: str | None = None) -> None:
        """Stand at ``done`` of ``total`` (as before where it is not given)."""
        self.done = done
        self.total = total if total is not None else self.total
        self._note = note if note is not None else self._note
        if self._bar is not None:
            progress, task = self._bar
            progress.update(task, completed=self.done, total=self.total, note=visible(self._note, most=200))
        elif time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES:
            self.print_line()

    def print_line(self) -> None:
        """Say on one plain line how far it has come, and nothing twice."""
        self._last_line = time.monotonic()
        whole = int(self.done)
        count = f"{whole}/{self.total}" if self.total is not None else str(whole)
        line = "  ".join(filter(None, [f"{self._description}: {count}", self._note, self._left()]))
        if line != self._said:
            note(line)
        self._said = line

    def _left(self) -> str:
        """Return how long it will take at the rate so far; empty where that is unknown or nothing is left."""
        made, left = self.done - self._first, (self.total or self.done) - self.done
        taken = time.monotonic() - self._began
        if made <= 0 or left <= 0 or taken < 1:
            return ""
        seconds = round(taken / made * left)
        hours, minutes = seconds // 3600, seconds // 60 % 60
        return f"{hours} h {minutes:02d} min left" if hours else f"{minutes} min {seconds % 60:02d} s left"


@contextmanager
def progress(description: str, total: int | None = None) -> Iterator[Task]:
    """Show the progress of the block that follows.

    Args:
        description: what is being done, in a word or two.
        total: the number of steps, where it is known beforehand.
    """
    if not (sys.stderr.isatty() and is_first()):
        task = Task(visible(description), total, None)
        yield task
        task.print_line()
        return

    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description:<12}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        yield Task(description, total, (bar, bar.add_task(visible(description, most=40), total=total, note="")))


def print_table(title: str, rows: list[tuple[str, str]]) -> None:
    """Print ``(name, value)`` pairs below a title, values aligned and wrapped to the terminal."""
    from rich.text import Text

    table = _table(title, show_header=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(Text(visible(name, most=60)), Text(visible(value)))
    _print(table)


def print_grid(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows below headings and a title; cells under a heading stand to the right, names (no heading) to the left.

    Args:
        title: stands above.
        headings: of the columns.
        rows: the cells of each row.
    """
    from rich.text import Text

    table = _table(title)
    for heading in headings:
        table.add_column(Text(visible(heading, most=60)), justify="right" if heading else "left")
    for row in rows:
        table.add_row(*(Text(visible(cell, most=60)) for cell in row))
    _print(table)


def _table(title: str, **options: Any) -> "Table":
    from rich.table import Table
    from rich.text import Text

    words = Text(visible(title), style="bold")
    return Table(box=None, padding=(0, 2, 0, 0), title=words, title_justify="left", **options)


def _print(table: "Table") -> None:
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 120).print(table)
