"""Lists of flares, one line for each, as GOES and HEK tables are, and the labels that follow from them.

A flare belongs to the region whose number it bears. One that bears none, or the number of no region of the archive (a
grid has none, HARP counts otherwise than NOAA), belongs to every region in whose field of view it is when it starts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xarray as xr

from framecast.core.errors import DataError
from framecast.data.archive.format import UNKNOWN
from framecast.data.archive.reader import Archive
from framecast.data.tables import Record, read_table
from framecast.domains.solar.field_of_view import shows
from framecast.domains.solar.flares import CLASSES, HORIZON, Flare, largest_within, peak_flux, region_number
from framecast.domains.solar.location import PLACE_COLUMNS, read_place, seen_from_earth
from framecast.domains.solar.times import EXPECTED, moment

_COLUMNS: dict[str, tuple[str, ...]] = {
    "start": ("start", "start_time", "event_starttime", "begin", "tstart"),
    "peak": ("peak", "peak_time", "event_peaktime", "max", "tpeak"),
    "class": ("class", "goes_class", "fl_goescls", "magnitude"),
    "region": ("region", "noaa", "noaa_ar", "ar_noaanum", "harpnum", "ar"),
    **PLACE_COLUMNS,
}


def read_flares(path: str | Path) -> list[Flare]:
    """Return the flares of an event list, in order of their starts.

    Columns: ``start``, ``class`` and ``region`` (which may be empty where it is not known); a ``peak`` must not come
    before the start; where it was, as ``x`` and ``y``, ``stonyhurst_longitude`` and ``latitude``, or ``location``
    (`framecast.domains.solar.location`). The usual names of GOES and HEK tables are known.

    Raises:
        DataError: the file is no such list; the message names line and column.
    """
    table = read_table(path, _COLUMNS, required=("start", "class", "region"))
    return sorted((_event(record) for record in table.records), key=lambda flare: flare.start)


def _event(record: Record) -> Flare:
    start = record.read("start", moment, EXPECTED)
    if "peak" in record and record.read("peak", moment, EXPECTED) < start:
        raise DataError(f"{record.place} has its peak before its start: correct one of them")
    flux = record.read("class", peak_flux, "a class such as C4.2 or M1")
    return Flare(start, flux, region_number(record.text("region")), read_place(record))


@dataclass(frozen=True)
class FlareAssignment:
    """Which flares belong to which sequence of an archive.

    Attributes:
        own: name of each sequence -> its flares.
        unassigned: how many flares belong to none because they say no place, and the number of no region.
    """

    own: dict[str, list[Flare]]
    unassigned: int


def assign_flares(archive: Archive, flares: Sequence[Flare]) -> FlareAssignment:
    """Give each sequence the flares of its number, and those seen in it that are of no region's number.

    Raises:
        DataError: no flare is of a region of the archive, and none says where it was, or no sequence where it looks.
    """
    sequences = {name: archive.sequence(name) for name in archive.sequences}
    numbers = {name: _number(name, sequence) for name, sequence in sequences.items()}
    known = set(numbers.values())
    named = [flare for flare in flares if flare.region in known]
    placed = [flare for flare in flares if flare.region not in known and flare.place is not None]
    if not named and not (placed and any("hpc_x" in sequence.coords for sequence in sequences.values())):
        raise DataError(
            f"no event is of a region in {archive.path}: its sequences are {_few(sorted(known))}, and the events are "
            f"of {_few(sorted({flare.region or 'no region' for flare in flares}))}; regions must have the same numbers "
            "(prepare with --regions), or the list must say where each event was (columns hpc_x and hpc_y, or location)"
        )
    times = np.array([flare.start for flare in placed], "datetime64[ns]")
    points = seen_from_earth([flare.place for flare in placed if flare.place is not None], times)
    own = {
        name: [flare for flare in named if flare.region == number]
        + [flare for flare, shown in zip(placed, shows(sequences[name], times, points), strict=True) if shown]
        for name, number in numbers.items()
    }
    return FlareAssignment(own, unassigned=len(flares) - len(named) - len(placed))


def labels_from_flares(
    archive: Archive,
    own: Mapping[str, Sequence[Flare]],
    *,
    horizon: float = HORIZON,
    classes: Sequence[str] = CLASSES,
    covered: tuple[np.datetime64 | None, np.datetime64 | None] = (None, None),
) -> dict[str, npt.NDArray[np.int64]]:
    """Return the labels of all frames, from the flares of each sequence, of which none is missing.

    A region without a flare is quiet.

    Args:
        archive: whose frames are labelled.
        own: name of each sequence -> its flares, as `assign_flares` gives them.
        horizon: seconds.
        classes: their names.
        covered: first and last moment of which all flares are known; a frame whose horizon is not within is
            `UNKNOWN`. None is no limit.
    """
    first, last = covered
    span = np.timedelta64(round(horizon * 1e9), "ns")
    labels = {}
    for name in archive.sequences:
        times = archive.times(name)
        found = largest_within(times, own[name], horizon=horizon, classes=classes)
        outside = np.zeros(len(times), bool)
        outside |= False if first is None else times < first
        outside |= False if last is None else times + span > last
        labels[name] = np.where(outside, UNKNOWN, found)
    return labels


def region_numbers(archive: Archive) -> dict[str, str]:
    """Return for each sequence the number of its region: its attribute ``region``, else what its name says."""
    return {name: _number(name, archive.sequence(name)) for name in archive.sequences}


def _number(name: str, sequence: xr.Dataset) -> str:
    return region_number(str(sequence.attrs.get("region", name)))


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
