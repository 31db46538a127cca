"""Flares: their classes, lists such as GOES and HEK tables, and labels from them.

A flare belongs to the region with its number. One without a number, or without a region of its number in the archive (a
grid has none, HARP numbers differ from NOAA's), belongs to every region in whose field of view it is when it starts.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xarray as xr

from framecast.core.errors import ConfigError, DataError
from framecast.data.archive.format import UNKNOWN
from framecast.data.archive.reader import Archive
from framecast.data.tables import Record, read_table
from framecast.domains.solar.options import CLASSES, HORIZON
from framecast.domains.solar.places import Place
from framecast.domains.solar.tables import PLACE_COLUMNS, read_place, region_number, seen_from_earth
from framecast.domains.solar.times import EXPECTED, moment
from framecast.videos.frames import span

Times = npt.NDArray[np.datetime64]

_COLUMNS: dict[str, tuple[str, ...]] = {
    "start": ("start", "start_time", "event_starttime", "begin", "tstart"),
    "peak": ("peak", "peak_time", "event_peaktime", "max", "tpeak"),
    "class": ("class", "goes_class", "fl_goescls", "magnitude"),
    "region": ("region", "noaa", "noaa_ar", "ar_noaanum", "harpnum", "ar"),
    **PLACE_COLUMNS,
}
_SCALE = {"A": 1e-8, "B": 1e-7, "C": 1e-6, "M": 1e-5, "X": 1e-4}
_CLASS = re.compile(r"([ABCMX])\s*(\d*\.?\d*)", re.IGNORECASE)
_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class Flare:
    """An event of a list.

    Attributes:
        start: when it begins, UTC.
        flux: the peak flux in W/m² between 1 and 8 Å, given by its class (M1.5 is 1.5e-5).
        region: number of the active region, empty where the list gives none.
        place: its position on the Sun, if in the list.
    """

    start: np.datetime64
    flux: float
    region: str
    place: Place | None = None


def peak_flux(text: str) -> float:
    """Return the peak flux in W/m² that the class ``text`` (``M``, ``C4.2``, ``X10``) stands for.

    Raises:
        ValueError: it is not a class.
    """
    found = _CLASS.fullmatch(text.strip())
    if found is None:
        raise ValueError(text)
    return _SCALE[found[1].upper()] * float(found[2] or 1)


def thresholds(classes: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return the fluxes in W/m² from which each of ``classes`` but the first counts.

    Raises:
        ConfigError: they are not flare classes, or not in increasing order.
    """
    try:
        fluxes = np.array([peak_flux(name) for name in classes[1:]])
    except ValueError as error:
        raise ConfigError(
            f"{error.args[0]!r} is not a flare class; write classes such as quiet,C,M,X or quiet,M5"
        ) from None
    if not len(fluxes) or (np.diff(fluxes) <= 0).any():
        raise ConfigError(
            f"classes are {', '.join(classes)}; write the name for no flare first, then the classes in increasing order"
        )
    return fluxes


def class_of(flux: float, classes: Sequence[str]) -> int:
    """Return the index in ``classes`` of a flare of this peak flux in W/m²."""
    return int(np.searchsorted(thresholds(classes), flux * (1 + 1e-9), side="right"))


def largest_within(
    times: Times, flares: Sequence[Flare], *, horizon: float, classes: Sequence[str] = CLASSES
) -> npt.NDArray[np.int64]:
    """Return for each of ``times`` the class of the largest flare that starts less than ``horizon`` s after it."""
    thresholds(classes)  # also where there is no flare
    ahead = span(horizon)
    labels = np.zeros(len(times), np.int64)
    for flare in flares:
        near = (times < flare.start) & (flare.start < times + ahead)
        labels[near] = np.maximum(labels[near], class_of(flare.flux, classes))
    return labels


def read_flares(path: str | Path) -> list[Flare]:
    """Return the flares of an event list, in order of their starts.

    Columns: ``start``, ``class`` and ``region`` (which may be empty where it is not known); a ``peak`` must not come
    before the start; its position, as ``x`` and ``y``, ``stonyhurst_longitude`` and ``latitude``, or ``location``
    (`framecast.domains.solar.tables`). The usual names of GOES and HEK tables are known.

    Raises:
        DataError: the file is not such a list; the message names line and column.
    """
    table = read_table(path, _COLUMNS, required=("start", "class", "region"))
    return sorted((_event(record) for record in table.records), key=lambda flare: flare.start)


def _event(record: Record) -> Flare:
    start = record.read("start", moment, EXPECTED)
    if "peak" in record and record.read("peak", moment, EXPECTED) < start:
        raise DataError(f"{record.place} has its peak before its start: correct one of them")
    flux = record.read("class", peak_flux, "a class such as C4.2 or M1")
    return Flare(start, flux, region_number(record.text("region")), read_place(record))


def region_numbers(archive: Archive) -> dict[str, str]:
    """Return for each sequence the number of its region: its attribute ``region``, else that in its name."""
    return {name: region_number(str(archive.sequence(name).attrs.get("region", name))) for name in archive.sequences}


def assign_flares(archive: Archive, flares: Sequence[Flare]) -> tuple[dict[str, list[Flare]], int]:
    """Return the flares of each sequence: those with its number, and those without a region in its field of view.

    Second, how many flares belong to none, having neither a position nor the number of a region.

    Raises:
        DataError: no flare belongs to a region of the archive, and the flares or the sequences have no positions.
    """
    sequences, numbers = {name: archive.sequence(name) for name in archive.sequences}, region_numbers(archive)
    known = set(numbers.values())
    named = [flare for flare in flares if flare.region in known]
    placed = [flare for flare in flares if flare.region not in known and flare.place is not None]
    if not named and not (placed and any("hpc_x" in sequence.coords for sequence in sequences.values())):
        raise DataError(
            f"no event belongs to a region in {archive.path}: its sequences are {_few(sorted(known))}, and the "
            f"events belong to {_few(sorted({flare.region or 'no region' for flare in flares}))}; regions must "
            "have the same numbers (prepare with --regions), or the list must give the position of each event "
            "(columns hpc_x and hpc_y, or location)"
        )
    times = np.array([flare.start for flare in placed], "datetime64[ns]")
    points = seen_from_earth([flare.place for flare in placed if flare.place is not None], times)
    own = {
        name: [flare for flare in named if flare.region == number]
        + [flare for flare, shown in zip(placed, _shows(sequences[name], times, points), strict=True) if shown]
        for name, number in numbers.items()
    }
    return own, len(flares) - len(named) - len(placed)


def labels_from_flares(
    archive: Archive,
    own: Mapping[str, Sequence[Flare]],
    *,
    horizon: float = HORIZON,
    classes: Sequence[str] = CLASSES,
    covered: tuple[np.datetime64 | None, np.datetime64 | None] = (None, None),
) -> dict[str, npt.NDArray[np.int64]]:
    """Return the labels of all frames, from the flares of each sequence (see `assign_flares`).

    A region without a flare is quiet. Between the moments ``covered`` (None: no limit) all flares are known; a frame
    whose horizon of so many seconds is not within is `UNKNOWN`.
    """
    first, last = covered
    ahead = span(horizon)
    labels = {}
    for name in archive.sequences:
        times = archive.times(name)
        labels[name] = largest_within(times, own[name], horizon=horizon, classes=classes)
        if first is not None:
            labels[name][times < first] = UNKNOWN
        if last is not None:
            labels[name][times + ahead > last] = UNKNOWN
    return labels


def _shows(sequence: xr.Dataset, times: Times, points: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Return for each point (arcsec, NaN is nowhere) whether it is within the sequence's frame at its time.

    The frame moves evenly between two images, and for a day before the first and after the last as it did last. A
    sequence without positions on the Sun contains no points.
    """
    if not {"hpc_x", "hpc_y", "x", "y"} <= set(sequence.coords):
        return np.zeros(len(times), bool)
    own = sequence["time"].values.astype("datetime64[ns]")
    within = (own[0] - _DAY <= times) & (times <= own[-1] + _DAY)
    for axis, name in enumerate(("x", "y")):
        side = sequence[name].values
        half = (side[-1] - side[0]) * len(side) / max(1, len(side) - 1) / 2
        middle = _moved(own, sequence[f"hpc_{name}"].values, times)
        within &= np.abs(points[:, axis] - middle) <= abs(half)
    return within


def _moved(times: Times, values: npt.NDArray[np.float64], wanted: Times) -> npt.NDArray[np.float64]:
    """Return ``values`` at the ``wanted`` times, linear between ``times`` and going on beyond them."""
    known, asked = ((moments - times[0]) / np.timedelta64(1, "s") for moments in (times, wanted))
    found = np.interp(asked, known, values)
    if len(known) > 1:
        first, last = np.diff(values)[[0, -1]] / np.diff(known)[[0, -1]]
        found += np.minimum(asked - known[0], 0) * first + np.maximum(asked - known[-1], 0) * last
    return found


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
