"""Tables of samples: the flare class that follows each region and time, as published by Francisco et al. (2024).

A line gives region and time, and either a label or the hours to the next C, M and X flare (arXiv 2410.20843).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from framecast.core.errors import ConfigError, DataError
from framecast.data.archive.format import UNKNOWN
from framecast.data.archive.reader import Archive
from framecast.data.tables import Record, read_table
from framecast.domains.solar.flares import class_of, peak_flux, region_numbers
from framecast.domains.solar.options import CLASSES, HORIZON
from framecast.domains.solar.tables import region_number
from framecast.domains.solar.times import EXPECTED, moment
from framecast.videos.frames import span

NEAR = 300.0
"""Seconds by which the time of a sample may differ from that of its frame, unless half the cadence is less."""

_COLUMNS: dict[str, tuple[str, ...]] = {
    "region": ("harpnum", "noaa_ar", "region", "ar"),
    "time": ("t", "time", "t_rec"),
    "label": ("label",),
    "C": ("nextc_t2f_h",),
    "M": ("nextm_t2f_h",),
    "X": ("nextx_t2f_h",),
}


@dataclass(frozen=True)
class LabelTable:
    """Labels by region: the times, increasing, and for each an index into ``classes``, or `UNKNOWN`."""

    labels: Mapping[str, pd.Series]
    classes: tuple[str, ...]

    def at(self, region: str, times: npt.NDArray[np.datetime64], *, cadence: float) -> npt.NDArray[np.int64]:
        """Return the labels of a region's frames: that of the nearest sample, if it is near enough, else `UNKNOWN`.

        That is within `NEAR` and half of the ``cadence`` (seconds).
        """
        if region not in self.labels:
            return np.full(len(times), UNKNOWN, np.int64)
        slack = span(min(NEAR, cadence / 2))
        nearest = {"method": "nearest", "tolerance": slack, "fill_value": UNKNOWN}
        return self.labels[region].reindex(pd.DatetimeIndex(times), **nearest).to_numpy(np.int64)


def read_label_table(path: str | Path, *, horizon: float = HORIZON, classes: Sequence[str] = CLASSES) -> LabelTable:
    """Return the samples of a table such as Francisco et al. (2024) publish.

    Columns: ``HARPNUM`` (or ``NOAA_AR``, ``region``) and ``T``; and either ``label`` (a class, its index from 0, or a
    flare such as M1.2) or any of ``nextC_t2f_h``, ``nextM_t2f_h``, ``nextX_t2f_h``, the hours to the next flare of that
    class (empty or NaN where none comes).

    Raises:
        DataError: the file is not such a table, or gives one moment of a region two labels.
        ConfigError: the hours are of C, M and X, and ``classes`` are different.
    """
    table = read_table(path, _COLUMNS, required=("region", "time"))
    hours, stated = [name for name in "CMX" if name in table.columns], "label" in table.columns
    if not stated and not hours:
        raise DataError(
            f"{table.path} has no label: it needs the column label, or nextC_t2f_h, nextM_t2f_h, nextX_t2f_h"
        )
    if not stated and (alien := [name for name in classes[1:] if name not in hours]):
        raise ConfigError(
            f"{table.path} gives the hours to flares of class {', '.join(hours)}, from which {alien[0]} cannot be "
            "derived: choose --classes among them"
        )
    found: dict[str, dict[np.datetime64, int]] = {}
    for record in table.records:
        region, time = region_number(record.text("region")), record.read("time", moment, EXPECTED)
        label = _stated(record, classes) if stated else _from_hours(record, hours, horizon, classes)
        if found.setdefault(region, {}).setdefault(time, label) != label:
            raise DataError(f"{record.place} gives region {region} at {time} a different label than an earlier line")
    labels = {region: pd.Series(known).sort_index() for region, known in found.items()}
    return LabelTable(labels, tuple(classes))


def _from_hours(record: Record, hours: Sequence[str], horizon: float, classes: Sequence[str]) -> int:
    near = [name for name in hours if name in record and 0 < record.number(name) < horizon / 3600]
    return max((classes.index(name) for name in near if name in classes), default=0)


def _stated(record: Record, classes: Sequence[str]) -> int:
    """Return the index of the class of a record's label."""
    text, expected = record.text("label"), f"one of {', '.join(classes)}, or an index from 0"
    lower = [name.lower() for name in classes]
    if not text or text.lower() == "nan":
        return UNKNOWN
    if text.lower() in lower:
        return lower.index(text.lower())
    if not text.removesuffix(".0").isdecimal():
        return class_of(record.read("label", peak_flux, expected), classes)
    place = int(text.removesuffix(".0"))
    if place >= len(classes):
        raise DataError(f"{record.place} has label {text!r}; write {expected}")
    return place


def labels_from_table(archive: Archive, samples: LabelTable) -> dict[str, npt.NDArray[np.int64]]:
    """Return the labels of all frames: those of the samples of their regions at their times, else `UNKNOWN`.

    Raises:
        DataError: no sample matches a frame of the archive.
    """
    labels = {
        name: samples.at(number, archive.times(name), cadence=archive.cadence)
        for name, number in region_numbers(archive).items()
    }
    check_some_known(labels, str(archive.path))
    return labels


def check_some_known(labels: Mapping[str, npt.NDArray[np.int64]], place: str) -> None:
    """Raise `DataError` if none of ``labels`` is known: the table has other regions or times than ``place``."""
    if all((values == UNKNOWN).all() for values in labels.values()):
        raise DataError(
            f"no sample matches a frame in {place}: regions must have the same numbers, and times be within "
            f"{NEAR / 60:g} min"
        )
