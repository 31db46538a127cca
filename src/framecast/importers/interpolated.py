"""Frames at even times from frames at uneven ones, by linear interpolation between neighbours."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from framecast.importers.base import Recording
from framecast.importers.positions import Coordinates

_WIDEST = 2.0
"""Largest distance of two frames, in cadences, between which frames are interpolated; beyond it is a gap."""


class Interpolated(Recording):
    """A recording with a frame at each whole multiple of the cadence that lies between two frames of another.

    A frame that exists at such a time is used unchanged. A pixel unknown in one of the two neighbours is unknown. No
    frame is made before the first frame, after the last, or in a gap of more than two cadences.

    Args:
        data: the frames at their own times.
        cadence: seconds.
    """

    def __init__(self, data: Recording, cadence: float) -> None:
        self._data = data
        self._step = round(cadence * 1e9)
        self.channels, self.unit, self.calendar = data.channels, data.unit, data.calendar
        self.height, self.width, self.sequences = data.height, data.width, data.sequences
        self.sequence_name, self.understood = data.sequence_name, data.understood
        self.attrs = {**data.attrs, "times": "interpolated linearly between frames"}

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes of the source, and a note on the interpolation."""
        seconds = self._step / 1e9
        return (*self._data.notes, f"frames were interpolated linearly to whole multiples of {seconds:g} s")

    def label(self, sequence: int) -> str | None:
        """Return the name of a video."""
        return self._data.label(sequence)

    def positions(self, sequence: int) -> Coordinates:
        """Return the coordinates of the pixels of a video."""
        return self._data.positions(sequence)

    def times(self, sequence: int) -> npt.NDArray[np.datetime64]:
        """Return the even times that can be made."""
        return self._plan(sequence)[0]

    def frames(self, sequence: int, indices: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.float32]]:
        """Yield the frames at even times; at most two of the source are in memory."""
        _, before, after, share = self._plan(sequence)
        held: dict[int, npt.NDArray[np.float32]] = {}
        for index in indices.tolist():
            wanted = list(dict.fromkeys((int(before[index]), int(after[index]))))
            missing = np.array([k for k in wanted if k not in held], np.int64)
            read = dict(zip(missing.tolist(), self._data.frames(sequence, missing), strict=True))
            held = {k: read[k] if k in read else held[k] for k in wanted}
            first, last = held[wanted[0]], held[wanted[-1]]
            part = np.float32(share[index])
            yield first if len(wanted) == 1 else first + part * (last - first)

    def _plan(
        self, sequence: int
    ) -> tuple[npt.NDArray[np.datetime64], npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Return the even times, the frames before and after each, and the part of the way between them."""
        given = self._data.times(sequence).astype("datetime64[ns]")
        dated = np.flatnonzero(~np.isnat(given))
        clock, first = np.unique(given[dated].astype(np.int64), return_index=True)
        source = dated[first]
        if not len(clock):
            none = np.zeros(0, np.int64)
            return none.astype("datetime64[ns]"), none, none, none.astype(np.float64)
        even = np.arange(-(-clock[0] // self._step), clock[-1] // self._step + 1) * self._step
        after = np.searchsorted(clock, even)
        exact = clock[after] == even
        before = np.where(exact, after, after - 1)
        apart = clock[after] - clock[before]
        share = np.divide(even - clock[before], apart, out=np.zeros(len(even)), where=apart > 0)
        kept = apart <= _WIDEST * self._step
        return even[kept].astype("datetime64[ns]"), source[before[kept]], source[after[kept]], share[kept]
