"""Flares and the labels that follow from them: which class of flare starts within the hours after a frame.

Two kinds of table are read. A list of events (start, peak, class, region, one line for each flare), as GOES event
lists are; and samples (time, region, and either a label or the hours to the next C, M and X flare), as Francisco et al.
(2024, arXiv 2410.20843) publish them.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from framecast.data.archive import Archive
from framecast.data.layout import UNKNOWN
from framecast.data.tables import Record, Table, read_table
from framecast.errors import ConfigError, DataError
from framecast.solar.clock import EXPECTED, moment

CLASSES = ("quiet", "C", "M", "X")
"""The classes of Francisco et al. (2024); the first is "less than the second"."""

HORIZON = 12 * 3600.0
"""Seconds after a frame within which a flare must start, as in that paper."""

NEAR = 300.0
"""Seconds by which the time of a sample may differ from that of its frame, unless half the cadence is less."""

_SCALE = {"A": 1e-8, "B": 1e-7, "C": 1e-6, "M": 1e-5, "X": 1e-4}
_CLASS = re.compile(r"([ABCMX])\s*(\d*\.?\d*)", re.IGNORECASE)
_REGION = re.compile(r"(?:NOAA|SHARP|HARP|AR|\s|_|-)*0*(\d+)", re.IGNORECASE)

_EVENTS: dict[str, tuple[str, ...]] = {
    "start": ("start", "start_time", "event_starttime", "begin", "tstart"),
    "peak": ("peak", "peak_time", "event_peaktime", "max", "tpeak"),
    "class": ("class", "goes_class", "fl_goescls", "magnitude"),
    "region": ("region", "noaa", "noaa_ar", "ar_noaanum", "harpnum", "ar"),
}
_SAMPLES: dict[str, tuple[str, ...]] = {
    "region": ("harpnum", "noaa_ar", "region", "ar"),
    "time": ("t", "time", "t_rec"),
    "label": ("label",),
    "C": ("nextc_t2f_h",),
    "M": ("nextm_t2f_h",),
    "X": ("nextx_t2f_h",),
    "id": ("id",),
}


@dataclass(frozen=True)
class Flare:
    """An event of a list.

    Attributes:
        start: when it begins, UTC.
        flux: the peak flux in W/m² between 1 and 8 Å, which its class stands for (M1.5 is 1.5e-5).
        region: number of the active region, empty where the list gives none.
    """

    start: np.datetime64
    flux: float
    region: str


def peak_flux(text: str) -> float:
    """Return the peak flux in W/m² that the class ``text`` (``M``, ``C4.2``, ``X10``) stands for.

    Raises:
        ValueError: it is no class.
    """
    found = _CLASS.fullmatch(text.strip())
    if found is None:
        raise ValueError(text)
    return _SCALE[found[1].upper()] * float(found[2] or 1)


def region_number(text: str) -> str:
    """Return the number in ``AR12673``, ``NOAA 12673`` or ``00377``; what is no number comes back as it is."""
    text = text.strip()
    found = _REGION.fullmatch(text.removesuffix(".0"))
    return "" if text in ("0", "") else found[1] if found else text


def read_events(path: str | Path) -> list[Flare]:
    """Return the flares of an event list, in order of their starts.

    Columns: ``start``, ``class`` and ``region`` (which may be empty where it is not known); a ``peak`` must not come
    before the start. The usual names of GOES and HEK tables are known.

    Raises:
        DataError: the file is no such list; the message names line and column.
    """
    table = read_table(path, _EVENTS, required=("start", "class", "region"))
    return sorted((_event(record) for record in table.records), key=lambda flare: flare.start)


def _event(record: Record) -> Flare:
    start = record.read("start", moment, EXPECTED)
    if "peak" in record and record.read("peak", moment, EXPECTED) < start:
        raise DataError(f"{record.place} has its peak before its start: correct one of them")
    flux = record.read("class", peak_flux, "a class such as C4.2 or M1")
    return Flare(start, flux, region_number(record.text("region")))


def thresholds(classes: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return the fluxes in W/m² from which each of ``classes`` but the first counts.

    Raises:
        ConfigError: they are no classes of flares, or not in rising order.
    """
    try:
        fluxes = np.array([peak_flux(name) for name in classes[1:]])
    except ValueError as error:
        raise ConfigError(f"{error.args[0]!r} is no class of flares; write such as quiet,C,M,X or quiet,M5") from None
    if not len(fluxes) or (np.diff(fluxes) <= 0).any():
        raise ConfigError(f"classes are {', '.join(classes)}; write what is none of them first, then them, rising")
    return fluxes


def largest_within(
    times: npt.NDArray[np.datetime64], flares: Sequence[Flare], *, horizon: float, classes: Sequence[str] = CLASSES
) -> npt.NDArray[np.int64]:
    """Return for each of ``times`` the class of the largest flare that starts after it and up to ``horizon`` s later.

    Args:
        times: ``[time]``.
        flares: of one region.
        horizon: seconds.
        classes: their names; the first stands for less than the second.
    """
    fluxes, span = thresholds(classes), np.timedelta64(round(horizon * 1e9), "ns")
    labels = np.zeros(len(times), np.int64)
    for flare in flares:
        place = int(np.searchsorted(fluxes, flare.flux * (1 + 1e-9), side="right"))
        near = (times < flare.start) & (flare.start <= times + span)
        labels[near] = np.maximum(labels[near], place)
    return labels


def labels_from_events(
    archive: Archive,
    flares: Sequence[Flare],
    *,
    horizon: float = HORIZON,
    classes: Sequence[str] = CLASSES,
    covered: tuple[np.datetime64 | None, np.datetime64 | None] = (None, None),
) -> dict[str, npt.NDArray[np.int64]]:
    """Return the labels of all frames, from a list of events that is complete.

    A region without a flare is quiet. Sequences are known by their attribute ``region``, else by their name.

    Args:
        archive: whose frames are labelled.
        flares: the list.
        horizon: seconds.
        classes: their names.
        covered: first and last moment of which the list tells all flares; a frame whose horizon is not within is
            `UNKNOWN`. None is no limit.

    Raises:
        DataError: no event is of a region of the archive.
    """
    regions = region_numbers(archive)
    if not {flare.region for flare in flares} & set(regions.values()):
        some = sorted({flare.region for flare in flares})[:3]
        raise DataError(
            f"no event is of a region in {archive.path}: its sequences are {_few(sorted(regions.values()))}, and the "
            f"events are of {_few(some)}; regions must have the same numbers (prepare with --regions)"
        )
    first, last = covered
    span = np.timedelta64(round(horizon * 1e9), "ns")
    labels = {}
    for name, number in regions.items():
        times = archive.times(name)
        found = largest_within(times, [f for f in flares if f.region == number], horizon=horizon, classes=classes)
        outside = np.zeros(len(times), bool)
        outside |= False if first is None else times < first
        outside |= False if last is None else times + span > last
        labels[name] = np.where(outside, UNKNOWN, found)
    return labels


@dataclass(frozen=True)
class Samples:
    """A table of samples: the labels of regions at moments.

    Attributes:
        labels: by region: the moments, rising, and at each a place in ``classes``, or `UNKNOWN`.
        classes: names of the classes.
    """

    labels: Mapping[str, tuple[npt.NDArray[np.datetime64], npt.NDArray[np.int64]]]
    classes: tuple[str, ...]

    def at(self, region: str, times: npt.NDArray[np.datetime64], *, cadence: float) -> npt.NDArray[np.int64]:
        """Return the labels of frames: each that of the nearest sample, if it is within `NEAR`, else `UNKNOWN`.

        Args:
            region: number of their region.
            times: ``[time]``.
            cadence: seconds between frames; a sample must also be within half of it.
        """
        found = np.full(len(times), UNKNOWN, np.int64)
        if region in self.labels:
            moments, values = self.labels[region]
            right = np.searchsorted(moments, times).clip(0, len(moments) - 1)
            left = np.maximum(right - 1, 0)
            nearest = np.where(np.abs(times - moments[left]) <= np.abs(moments[right] - times), left, right)
            slack = np.timedelta64(round(min(NEAR, cadence / 2) * 1e9), "ns")
            close = np.abs(moments[nearest] - times) <= slack
            found[close] = values[nearest[close]]
        return found


def read_samples(path: str | Path, *, horizon: float = HORIZON, classes: Sequence[str] = CLASSES) -> Samples:
    """Return the samples of a table such as Francisco et al. (2024) publish.

    Columns: ``HARPNUM`` (or ``NOAA_AR``, ``region``) and ``T``; and either ``label`` (a class, its place from 0, or a
    flare such as M1.2) or any of ``nextC_t2f_h``, ``nextM_t2f_h``, ``nextX_t2f_h``, the hours to the next flare of that
    class (empty or NaN where none comes).

    Raises:
        DataError: the file is no such table, or gives one moment of a region two labels.
        ConfigError: the hours are of C, M and X, and ``classes`` are others.
    """
    table = read_table(path, _SAMPLES, required=("region", "time"))
    hours = [name for name in ("C", "M", "X") if name in table.columns]
    if "label" not in table.columns and not hours:
        raise DataError(
            f"{table.path} has no label: it needs the column label, or nextC_t2f_h, nextM_t2f_h, nextX_t2f_h"
        )
    if "label" not in table.columns and (alien := [name for name in classes[1:] if name not in hours]):
        raise ConfigError(
            f"{table.path} gives the hours to flares of class {', '.join(hours)}, from which {alien[0]} does not "
            "follow: choose --classes among them"
        )
    return Samples(_sample_labels(table, hours, horizon, classes), tuple(classes))


def _sample_labels(
    table: Table, hours: Sequence[str], horizon: float, classes: Sequence[str]
) -> dict[str, tuple[npt.NDArray[np.datetime64], npt.NDArray[np.int64]]]:
    found: dict[str, dict[np.datetime64, int]] = {}
    for record in table.records:
        region, time = region_number(record.text("region")), record.read("time", moment, EXPECTED)
        if "label" in table.columns:
            label = _stated(record, classes)
        else:
            near = [name for name in hours if name in record and 0 < record.number(name) <= horizon / 3600]
            label = max((classes.index(name) for name in near if name in classes), default=0)
        if found.setdefault(region, {}).setdefault(time, label) != label:
            raise DataError(f"{record.place} gives region {region} at {time} another label than a line before it")
    ordered = {region: sorted(labels.items()) for region, labels in found.items()}
    return {
        region: (np.array([t for t, _ in items]), np.array([k for _, k in items])) for region, items in ordered.items()
    }


def _stated(record: Record, classes: Sequence[str]) -> int:
    """Return the place of the class that a record's own label names."""
    text = record.text("label")
    if not text or text.lower() == "nan":
        return UNKNOWN
    lower = [name.lower() for name in classes]
    if text.lower() in lower:
        return lower.index(text.lower())
    if text.removesuffix(".0").isdecimal():
        place = int(text.removesuffix(".0"))
        if place < len(classes):
            return place
    else:
        flux = record.read("label", peak_flux, f"one of {', '.join(classes)}, or a place from 0 among them")
        return int(np.searchsorted(thresholds(classes), flux * (1 + 1e-9), side="right"))
    raise DataError(
        f"{record.place} has label {text!r}; write one of {', '.join(classes)}, or a place from 0 among them"
    )


def labels_from_samples(archive: Archive, samples: Samples) -> dict[str, npt.NDArray[np.int64]]:
    """Return the labels of all frames: those of the samples of their regions at their times, else `UNKNOWN`.

    Raises:
        DataError: no sample is of a frame of the archive.
    """
    labels = {
        name: samples.at(number, archive.times(name), cadence=archive.cadence)
        for name, number in region_numbers(archive).items()
    }
    check_some_known(labels, str(archive.path))
    return labels


def check_some_known(labels: Mapping[str, npt.NDArray[np.int64]], place: str) -> None:
    """Raise `DataError` if none of ``labels`` is known: the table is of other regions or times than ``place``."""
    if all((values == UNKNOWN).all() for values in labels.values()):
        raise DataError(
            f"no sample is of a frame in {place}: regions must have the same numbers, and times be within "
            f"{NEAR / 60:g} min"
        )


def region_numbers(archive: Archive) -> dict[str, str]:
    """Return for each sequence the number of its region: its attribute ``region``, else what its name says."""
    return {name: region_number(str(_attrs(archive, name).get("region", name))) for name in archive.sequences}


def _attrs(archive: Archive, name: str) -> dict[Any, Any]:
    return archive.sequence(name).attrs


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
