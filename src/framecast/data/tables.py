"""Reading user-supplied CSV tables: one line of names, whose columns are found under any of their usual names.

Lines that begin with ``#`` are comments. The separator is a comma, a semicolon or a tab, whichever the line of names
has most of. Errors name the file, the line and the column.
"""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from framecast.core.errors import DataError
from framecast.core.reading import read_text
from framecast.core.text import cell_text

Value = TypeVar("Value")

_MOST_CHARACTERS = 2**17
"""Characters of a line."""

_MOST_BYTES = 2**28


@dataclass(frozen=True)
class Record:
    """One line of a table: file and line for messages, and text by column, without the empty ones."""

    place: str
    cells: Mapping[str, str]

    def __contains__(self, column: str) -> bool:
        return column in self.cells

    def read(self, column: str, convert: Callable[[str], Value], what: str) -> Value:
        """Return what ``convert`` makes of a cell; it raises ValueError for text that it does not understand.

        Raises:
            DataError: the cell is empty or cannot be converted; the message says ``what`` should stand there.
        """
        if column not in self.cells:
            raise DataError(f"{self.place} has no {column}: write {what}")
        try:
            return convert(self.cells[column])
        except ValueError:
            raise DataError(f"{self.place} has {column} {self.cells[column]!r}; write {what}") from None

    def number(self, column: str) -> float:
        """Return a cell as a number, or raise `DataError`."""
        return self.read(column, float, "a number")

    def text(self, column: str) -> str:
        """Return a cell as text, empty if it is."""
        return self.cells.get(column, "")


@dataclass(frozen=True)
class TextTable:
    """A table that was read: the file, the columns found by the name they have here, and its lines in order."""

    path: Path
    columns: frozenset[str]
    records: tuple[Record, ...]


def read_table(
    path: str | Path, columns: Mapping[str, Sequence[str]], *, required: Sequence[str], unnamed: str | None = None
) -> TextTable:
    """Read the table at ``path``.

    Args:
        path: the file.
        columns: for each column the names it may have, whatever their case; the first that is there counts. Others are
            left alone.
        required: columns that must be there.
        unnamed: the column that the only one of a file without a line of names is.

    Raises:
        DataError: there is no such file, it is not text, or a column is missing.
    """
    path = Path(path)
    try:
        lines = read_text(path, most=_MOST_BYTES).removeprefix("\ufeff").splitlines()
    except OSError as error:
        raise DataError(f"{path} cannot be read as a table: {error.strerror}") from None
    numbered = [(k, line) for k, line in enumerate(lines, 1) if line.strip() and not line.lstrip().startswith("#")]
    for k, line in numbered:
        if len(line) > _MOST_CHARACTERS:
            raise DataError(f"{path}, line {k} has {len(line)} characters; at most {_MOST_CHARACTERS} are read")
    if not numbered:
        raise DataError(f"{path} is empty: its first line must name the columns {', '.join(required)}")
    heading = numbered[0][1]
    separator = max(",;\t", key=heading.count)
    names = [name.strip().lower() for name in next(csv.reader([heading], delimiter=separator))]
    found = {
        column: place
        for column, known in columns.items()
        if (place := next((names.index(name.lower()) for name in known if name.lower() in names), None)) is not None
    }
    if unnamed is not None and not found and len(names) == 1:
        found = {unnamed: 0}
    else:
        numbered = numbered[1:]
    if missing := [column for column in required if column not in found]:
        wanted = " and ".join(f"{column} (or {', '.join(columns[column][1:])})" for column in missing)
        raise DataError(f"{path} has the columns {', '.join(names)}; it needs {wanted}")
    records: list[Record] = []
    for number, line in numbered:
        rows = csv.reader([line, "\n"], delimiter=separator)
        row = next(rows)
        if rows.line_num > 1:
            raise DataError(f"{path.name}, line {number} has a quotation mark that is not closed there: close it")
        cells = {column: cell_text(row[k].strip()) for column, k in found.items() if k < len(row) and row[k].strip()}
        records.append(Record(f"{path.name}, line {number}", cells))
    return TextTable(path, frozenset(found), tuple(records))
