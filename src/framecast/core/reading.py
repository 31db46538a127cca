"""Reading small untrusted files: every read is bounded, and nothing blocks.

A file that should be a page long may be a terabyte, a list nested a million deep, an alias that expands to a billion
values, or a pipe that never sends anything.
"""

import json
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from framecast.core.errors import ConfigError, DataError
from framecast.core.text import one_line

MOST_BYTES = 64 * 2**20
"""Bytes of a JSON document that is read as a whole."""

MOST_DEPTH = 64
"""Largest depth of nested lists and mappings."""

MOST_CHARACTERS = 2**16
"""Length of a YAML document; a recipe has a few thousand characters, and the parser takes seconds for so many."""

MOST_VALUES = 10**6
"""Largest number of values in a YAML document, with aliases expanded."""

MOST_MARKS = 5 * 10**6
"""Commas and opening brackets in a JSON document: a list or mapping may take a hundred times its bytes of memory."""


def check_regular(path: str | Path) -> int:
    """Return the bytes of the file at ``path``; a pipe, a device or a socket is a `DataError`.

    Raises:
        DataError: it is not a regular file.
        OSError: it does not exist, is a folder, or cannot be read.
    """
    status = Path(path).stat()
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(21, os.strerror(21), str(path))
    if not stat.S_ISREG(status.st_mode):
        raise DataError(f"{path} is a pipe, a device or a socket: give a regular file")
    return status.st_size


def read_bytes(path: str | Path, *, most: int = MOST_BYTES) -> bytes:
    """Return the content of the file at ``path``, at most ``most`` bytes.

    Raises:
        DataError: it is longer, or not a regular file.
        OSError: it cannot be read.
    """
    size = check_regular(path)
    if size <= most:
        with Path(path).open("rb") as stream:
            content = stream.read(most + 1)
        if len(content) <= most:
            return content
        size = len(content)
    raise DataError(f"{path} has {size} bytes; a file of this kind has at most {most}")


def read_text(path: str | Path, *, most: int = MOST_BYTES) -> str:
    """Return the text of the UTF-8 file at ``path``; see `read_bytes`.

    Raises:
        DataError: as `read_bytes`, or it is not UTF-8.
    """
    try:
        return read_bytes(path, most=most).decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start})") from None


def read_json(path: str | Path, *, most: int = MOST_BYTES) -> Any:
    """Return the JSON document in the file at ``path``.

    Raises:
        DataError: as `read_text`, or it is not valid JSON, or too deep (`check_document`).
        OSError: it cannot be read.
    """
    return parse_json(read_text(path, most=most), where=str(path))


def parse_json(text: str | bytes, *, where: str) -> Any:
    """Return the JSON document ``text``.

    Raises:
        DataError: it is not valid JSON, or too deep (`check_document`); the message begins with ``where``.
    """
    marks: Any = (b",", b"[", b"{") if isinstance(text, bytes) else (",", "[", "{")
    if sum(map(text.count, marks)) > MOST_MARKS:
        raise DataError(f"{where} contains more than {MOST_MARKS} values")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else one_line(error, most=200)
        raise DataError(f"{where} cannot be read as JSON ({reason})") from None
    check_document(document, where=where, most=MOST_MARKS)
    return document


def check_document(document: object, *, where: str, most: int = MOST_VALUES) -> None:
    """Raise `DataError` if plain data are nested too deeply, or are too many.

    A value with several references counts for each: a few lines of YAML can expand to billions of values.
    """
    level, seen = [document], 0
    for _ in range(MOST_DEPTH):
        level = [part for parent in level for part in _parts(parent) if isinstance(part, dict | list)]
        seen += sum(map(len, level))  # type: ignore[arg-type]
        if seen > most:
            raise DataError(f"{where} contains more than {most} values")
        if not level:
            return
    raise DataError(f"{where} is nested deeper than {MOST_DEPTH} levels")


def _parts(value: object) -> Iterable[object]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def parse_yaml(text: str, where: str) -> Any:
    """Return what the YAML ``text`` says; ``where`` is its name in the message.

    Raises:
        ConfigError: it is not valid YAML, holds a date or a number that does not exist, or is too long or too deep.
    """
    import yaml

    if len(text) > MOST_CHARACTERS:
        raise ConfigError(f"{where} has {len(text)} characters of YAML; at most {MOST_CHARACTERS} are read")
    try:
        document = yaml.safe_load(text)
        check_document(document, where=where)
    except DataError as error:
        raise ConfigError(str(error)) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{where} is not valid YAML: {one_line(error, most=400)}") from None
    return document
