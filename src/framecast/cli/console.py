"""What the command line says: results on stdout; progress and errors on stderr.

Names, reasons and attributes come from files and servers: everything is printed as `framecast.core.text.visible` shows
it, warnings and records of libraries too (`speak`).
"""

import logging
import sys
import traceback
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framecast.core.distributed import is_first
from framecast.core.fingerprint import sizes_below
from framecast.core.progress import complain as complain
from framecast.core.progress import note as note
from framecast.core.progress import track as progress  # noqa: F401
from framecast.core.progress import track_stages as track_stages
from framecast.core.text import one_line, visible

if TYPE_CHECKING:
    from rich.table import Table


def say(text: str) -> None:
    """Print a result: one line on stdout, never wrapped or coloured. Of several processes only the first speaks."""
    if is_first():
        print(visible(text), flush=True)


def print_trace(error: BaseException) -> None:
    """Print the traceback of an error on stderr."""
    for line in "".join(traceback.format_exception(error)).splitlines():
        complain(line)


def speak() -> None:
    """Print warnings and log records of libraries through this file too.

    Characters that the terminal's encoding does not have appear as escapes.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    warnings.showwarning = lambda message, *_, **__: note(f"warning: {one_line(message)}")
    logging.lastResort = _Records(logging.WARNING)


class _Records(logging.Handler):
    """Handles the log records of libraries."""

    def emit(self, record: logging.LogRecord) -> None:
        note(f"{record.levelname.lower()}: {one_line(record.getMessage())}")


def print_table(title: str, rows: list[tuple[str, str]]) -> None:
    """Print ``(name, value)`` pairs below a title, values aligned and wrapped to the terminal."""
    from rich.text import Text

    table = _table(title, show_header=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(Text(visible(name, most=60)), Text(visible(value)))
    _print(table)


def print_list(title: str, rows: Sequence[tuple[str, str]], *, most: int = 20, rest: str = "") -> None:
    """Print ``(name, reason)`` pairs below a title with their number, the first ``most``; nothing if there are none."""
    if rows:
        print_table(f"{title} ({len(rows)})", list(rows[:most]))
        if len(rows) > most:
            note(f"and {len(rows) - most} more{rest}")


def print_grid(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows below headings and a title; cells under a heading stand to the right, those without to the left."""
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


Rows = list[tuple[str, str]]

_DIGEST = 64  # length of a SHA-256 in hexadecimal, of which a few digits suffice to distinguish two

_MOST = 12  # entries of a list that are shown


def nested(attrs: Mapping[str, Any], *, leave_out: tuple[str, ...] = (), prefix: str = "") -> Rows:
    """Return the attributes as rows: ``{"windows": {"train": 32}}`` is ``windows: train 32``."""
    rows: Rows = []
    for name, value in attrs.items():
        if name in leave_out or value in (None, {}, []):
            continue
        title = f"{prefix}{name}".replace("_", " ")
        if isinstance(value, Mapping) and any(isinstance(inner, Mapping) for inner in value.values()):
            rows += nested(value, prefix=f"{title} ")
        else:
            rows.append((title, phrase(value)))
    return rows


def phrase(value: Any) -> str:
    """Return a value in words: mappings as ``a 1, b 2``, lists with commas, checksums cut short."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {phrase(inner)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        shown = ", ".join(phrase(inner) for inner in value[:_MOST])
        return shown if len(value) <= _MOST else f"{shown} … ({len(value)} in all)"
    if isinstance(value, str) and len(value) == _DIGEST and set(value) <= set("0123456789abcdef"):
        return value[:12]
    if isinstance(value, float):
        return f"{value:.6g}"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return str(value)


def megabytes(path: Path) -> str:
    """Return the size of all files in the folder."""
    return f"{sum(size for _, size in sizes_below(path)) / 1e6:.1f} MB"
