"""What an importer is, in two kinds, and `framecast.import_data` takes both.

A function ``(path, **options)`` that returns an `xarray.Dataset` with CF attributes, opened lazily, is enough for
anything on a grid: which dimension is time, y, x or channel, units, packing, calendars and directions are determined
from the dataset as for NetCDF. All formats of `framecast.importers.formats` are of this kind.

A function that returns a `Recording` does everything itself. Pass it to `framecast.import_data`, or name it:
``framecast import --importer my_module:open``.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from framecast.importers.positions import Coordinates
from framecast.videos.calendar import Calendar


class Recording(ABC):
    """An opened source of videos, all of one size, with the same channels.

    Attributes:
        channels: their names.
        unit: of the physical values; empty if the source has none. See `framecast.videos.units.joined` for
            channels of different units.
        height: rows of a frame.
        width: columns of a frame.
        calendar: of the times.
        sequences: number of videos.
        sequence_name: prefix of the names of unnamed videos; by default ``sequence`` where there are several.
        understood: how the source was interpreted, on one line; empty if there was nothing to interpret.
        attrs: provenance of the values for the archive, JSON values.
    """

    channels: Sequence[str]
    unit: str
    height: int
    width: int
    calendar: Calendar = Calendar()
    sequences: int = 1
    sequence_name: str | None = None
    understood: str = ""
    attrs: Mapping[str, Any] = MappingProxyType({})

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks on how the source was read, one line each; complete when all frames are read."""
        return ()

    def label(self, sequence: int) -> str | None:
        """Return the name of a video, if the source has one; a single video is called like the source."""
        return None

    def positions(self, sequence: int) -> Coordinates:
        """Return the coordinates ``y`` and ``x`` of the pixels of a video, where the source has them."""
        return {}

    @abstractmethod
    def times(self, sequence: int) -> npt.NDArray[np.datetime64]:
        """Return the times of a video's frames in any order; NaT for one without."""

    @abstractmethod
    def frames(self, sequence: int, indices: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.float32]]:
        """Yield frames ``[channel, y, x]`` of a video, in the order of ``indices``: physical values, rows upward, NaN
        where unknown.
        """
