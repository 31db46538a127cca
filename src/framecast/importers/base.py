"""What an importer is: it opens a source and says which videos are in it. `import_data` writes them as an archive.

An importer is a function ``(path, **options) -> Recording``. For files of another kind derive a class from `Recording`,
write such a function (the class itself will do), and pass it to `framecast.import_data`, or name it:
``framecast import --importer my_module:open``.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from framecast.importers.positions import Coordinates
from framecast.videos.calendar import Calendar


class Recording(ABC):
    """An opened source of videos, all of one size, with the same channels and unit.

    Attributes:
        channels: their names.
        unit: of the physical values; empty if the source does not tell.
        height: rows of a frame.
        width: columns of a frame.
        calendar: of the times.
        flipped: whether rows were turned to run upward.
        mirrored: whether columns were turned to run to the right.
    """

    channels: Sequence[str]
    unit: str
    height: int
    width: int
    calendar: Calendar = Calendar()
    flipped: bool = False
    mirrored: bool = False

    @property
    def sequence_name(self) -> str | None:
        """What a video without a name is called, before its number."""
        return "sequence" if self.sequences > 1 else None

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of how the source was read, one line each; asked for when all frames are read."""
        return ()

    @property
    def sequences(self) -> int:
        """How many videos it holds."""
        return 1

    @property
    def attrs(self) -> dict[str, Any]:
        """What the archive should remember of how its values were made, JSON values."""
        return {}

    def label(self, sequence: int) -> str | None:
        """Return the name of a video, if the source has one; a single video is called like the source."""
        return None

    def positions(self) -> Coordinates:
        """Return the coordinates ``y`` and ``x`` of the pixels, where the source has them."""
        return {}

    @abstractmethod
    def times(self, sequence: int) -> npt.NDArray[np.datetime64]:
        """Return the times of a video's frames in any order; NaT for one without."""

    @abstractmethod
    def frames(self, sequence: int, indices: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.float32]]:
        """Yield frames ``[channel, y, x]`` of a video, in the order of ``indices``: physical values, rows upward, NaN
        where unknown.
        """
