"""Text of others, made fit for one line of a terminal, a log or a table.

Names, attributes, headers and answers of servers may hold anything: escape sequences that set a window's title or hide
what follows, marks that reverse the direction of writing, a megabyte of letters. Everything that framecast prints
passes through `visible`, and every cell of a CSV table through `plain_cell`.
"""

import unicodedata
from collections.abc import Mapping
from typing import Any

LONGEST = 2000
"""Characters of a line that are shown."""

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode's categories of what has no shape: controls, marks of direction, surrogates, separators of lines."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet computes."""


def visible(text: object, *, most: int = LONGEST) -> str:
    r"""Return ``text`` on one line: control characters as escapes such as ``\x1b``, the middle of a long one elided."""
    line = str(text)
    if len(line) > most:
        head, tail = most * 2 // 3, most // 3
        line = f"{line[:head]} … ({len(line) - head - tail} characters left out) … {line[-tail:]}"
    if line.isascii() and line.isprintable():
        return line
    return "".join(_escape(letter) if unicodedata.category(letter) in _HIDDEN else letter for letter in line)


def one_line(text: object, *, most: int = LONGEST) -> str:
    """Return ``text`` as `visible` does, with line breaks and runs of white space as single spaces."""
    return visible(" ".join(str(text).split()), most=most)


def plain_cell(text: str) -> str:
    """Return the text of a CSV cell so that no spreadsheet takes it for a formula; see `cell_text`.

    An apostrophe is put in front, which spreadsheets do not show (OWASP, "CSV injection").
    """
    return f"'{text}" if text.startswith((*_FORMULA, "'")) else text


def plain_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of a table with its texts as `plain_cell` makes them; numbers stay numbers."""
    return {name: plain_cell(value) if isinstance(value, str) else value for name, value in row.items()}


def cell_text(cell: str) -> str:
    """Return the text of which `plain_cell` made ``cell``."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith((*_FORMULA, "'")) else cell


def _escape(letter: str) -> str:
    number = ord(letter)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
