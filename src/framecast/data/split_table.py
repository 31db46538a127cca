"""Splits as tables: the side of each window, written, compared, and used as the split of a run.

A table has the columns ``window`` (such as ``AR12673@2017-08-13T06:00``) and ``side``, or ``sequence`` and ``side``.
Two people whose tables have the same checksums divided the same windows in the same way.
"""

import hashlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from framecast.core.errors import ConfigError, DataError
from framecast.core.files import write_atomically
from framecast.core.text import plain_cell
from framecast.data.tables import Record, read_table
from framecast.data.windows import Window, WindowList, manifest_hash

SIDES = ("train", "validation", "test")
DROPPED = "dropped"

_COLUMNS = {"window": ("window",), "sequence": ("sequence", "region"), "side": ("side", "split", "set")}


Division = dict[str, WindowList]
"""Windows of ``train``, ``validation``, ``test`` and, across a boundary or in a gap, ``dropped``."""


class Split(ABC):
    """A way of dividing windows. Compare and hash by value; the arguments are the configuration."""

    @abstractmethod
    def divide(self, windows: WindowList) -> Division:
        """Return the windows of each side; no two sides may share a frame."""


@dataclass(frozen=True, kw_only=True)
class TableSplit(Split):
    """By a user-supplied table. Windows that it does not name are dropped; no two sides may share a frame.

    Attributes:
        table: path of the CSV file, with columns ``window`` or ``sequence``, and ``side``: train, validation or test.
        sha256: checksum of that file; when it is given, another content is refused.
        kind: identifies this kind of split in configurations.
    """

    table: str
    sha256: str = ""
    kind: Literal["table"] = "table"

    def pinned(self) -> "TableSplit":
        """Return the same with absolute path and checksum, as a run keeps it."""
        path = Path(self.table).absolute()
        return replace(self, table=str(path), sha256=_checksum(path))

    def divide(self, windows: WindowList) -> Division:
        """Return the windows of each side.

        Raises:
            DataError: there is no such table, its content has changed, it contains none of these windows, or windows
                of two sides share a frame.
        """
        found = _checksum(Path(self.table))
        if self.sha256 and found != self.sha256:
            raise DataError(
                f"{self.table} has changed since the split was made (SHA-256 {found[:12]}…, not {self.sha256[:12]}…): "
                "restore the table that was used"
            )
        sides = read_sides(self.table)

        def side(window: Window) -> str:
            names = (window.id, window.key, window.sequence)
            return next((sides[name] for name in names if name in sides), DROPPED)

        division = divided(windows, side)
        if windows and not any(division[name] for name in SIDES):
            raise DataError(f"{self.table} lists none of these windows, such as {windows[0].id}")
        _check_apart(division, self.table)
        return division


def divided(windows: WindowList, side: Callable[[Window], str]) -> Division:
    """Return the windows by what ``side`` says of each."""
    chosen: dict[str, list[Window]] = {name: [] for name in (*SIDES, DROPPED)}
    for window in windows:
        chosen[side(window)].append(window)
    return {name: replace(windows, windows=tuple(part)) for name, part in chosen.items()}


def write_split(path: str | Path, division: Mapping[str, WindowList]) -> None:
    """Write which windows are on which side; `read_sides` and `TableSplit` read it."""
    lines = [f"# {side}: {len(division[side])} windows, {checksum(division, side)}" for side in SIDES]
    rows = sorted(f"{_cell(window.id)},{side}" for side in (*SIDES, DROPPED) for window in division.get(side, ()))
    Path(path).absolute().parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, "\n".join([*lines, "window,side", *rows, ""]))


def _cell(name: str) -> str:
    """Return ``name`` as a cell of a table, in quotes where a character in it would mean something else there."""
    cell = plain_cell(name)
    return '"' + cell.replace('"', '""') + '"' if set(cell) & set(',;\t"#') else cell


def checksum(division: Mapping[str, WindowList], side: str) -> str:
    """Return the SHA-256 of the windows of ``side``, as a run's ``data.json`` has it; a dash for none."""
    return manifest_hash(division[side]) if division[side] else "-"


def read_sides(path: str | Path) -> dict[str, str]:
    """Return the side of each window or sequence that the table at ``path`` names.

    Raises:
        DataError: it is not such a table; the message names the line.
    """
    table = read_table(path, _COLUMNS, required=("side",))
    column = next((name for name in ("window", "sequence") if name in table.columns), None)
    if column is None:
        raise DataError(f"{table.path} lists no windows: it needs the column window (or sequence)")
    sides: dict[str, str] = {}
    for record in table.records:
        name, side = record.read(column, str, f"the name of a {column}"), _side(record)
        if sides.setdefault(name, side) != side:
            raise DataError(f"{record.place} puts {name} on a different side than an earlier line")
    return sides


def compare(own: Mapping[str, WindowList], path: str | Path) -> Counter[tuple[str, str]]:
    """Return how many windows are on which side here, and on which in the table at ``path``.

    Both names of a pair are sides, or ``absent``. Two equal splits have only pairs of equal names.
    """
    here = {window.id: side for side, members in own.items() for window in members}
    there = read_sides(path)
    if not any("@" in name for name in there):
        raise ConfigError(f"{path} lists sequences; only tables of windows can be compared")
    return Counter((here.get(name, "absent"), there.get(name, "absent")) for name in {*here, *there})


def _side(record: Record) -> str:
    side = record.text("side").lower()
    if side not in (*SIDES, DROPPED):
        raise DataError(f"{record.place} has side {record.text('side')!r}; it can be {', '.join(SIDES)} or {DROPPED}")
    return side


def _check_apart(division: Mapping[str, WindowList], table: str) -> None:
    owners: dict[tuple[str, int], tuple[str, Window]] = {}
    for side in SIDES:
        for window in division[side]:
            for index in window.indices:
                other, first = owners.setdefault((window.sequence, index), (side, window))
                if other != side:
                    raise DataError(
                        f"{table} puts {first.id} into {other} and {window.id} into {side}, but they share a "
                        "frame: drop the windows between two sides"
                    )


def _checksum(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(f"the table of the split, {path}, cannot be read: {error.strerror}") from None
