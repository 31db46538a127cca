"""Lists of bad dates: eclipses, manoeuvres, flat-field campaigns, whatever one does not want to learn from.

A table with columns ``start`` and ``end`` (both included), or one column of dates: a day without a time is the whole
day, a time without an end the images within a minute of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from framecast.core.errors import DataError
from framecast.data.tables import Record, read_table
from framecast.domains.solar.image import FrameHeader
from framecast.domains.solar.times import EXPECTED, moment

_COLUMNS = {"start": ("start", "date", "time", "t", "from", "begin"), "end": ("end", "stop", "to", "until")}

_DAY = np.timedelta64(86_400 * 10**9 - 1, "ns")
_MINUTE = np.timedelta64(60, "s")


@dataclass(frozen=True)
class Exclusions:
    """Stretches of time whose images are left out.

    Attributes:
        spans: start and end, UTC, both included.
    """

    spans: tuple[tuple[np.datetime64, np.datetime64], ...]

    @classmethod
    def read(cls, path: str | Path) -> "Exclusions":
        """Read the table at ``path``.

        Raises:
            DataError: it is no such table; the message names the line.
        """
        table = read_table(path, _COLUMNS, required=("start",), unnamed="start")
        return cls(tuple(_span(record) for record in table.records))

    def apply(self, frames: Sequence[FrameHeader]) -> list[FrameHeader]:
        """Return those of ``frames`` that are left out."""
        times = np.array([frame.time for frame in frames], "datetime64[ns]")
        out = np.zeros(len(frames), bool)
        for start, end in self.spans:
            out |= (times >= start) & (times <= end)
        return [frame for frame, leave in zip(frames, out, strict=True) if leave]


def _span(record: Record) -> tuple[np.datetime64, np.datetime64]:
    start = record.read("start", moment, EXPECTED)
    last = "end" if "end" in record else "start"
    end = record.read(last, moment, EXPECTED)
    if end < start:
        raise DataError(f"{record.place} ends before it starts: put its times in order")
    if _is_day(record.text(last)):
        return start, end + _DAY
    return (start, end) if last == "end" else (start - _MINUTE, end + _MINUTE)


def _is_day(text: str) -> bool:
    return len(text.strip()) <= len("2017-08-08")
