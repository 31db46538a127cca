"""Rain of several weather services in one archive: what examples/radar-rain.yaml trains on, and is judged by.

    framecast import radar-rain rain.zarr --importer radar_rain:open_events --independent
    framecast train radar-rain.yaml --data rain.zarr --out runs/radar-rain

in the folder of this file.

``radar-rain`` is a folder with one folder per service and event, as the services name their files: ``fmi/20160928``,
``mch/20150515``, ``knmi``. Each event becomes one sequence of rain in mm/h, every 5 minutes, at 2 km: reflectivity by
Z = 200 R^1.6, totals of 5 minutes by their interval, below 0.1 mm/h exactly 0. The composites differ in size; a frame
here has 384×352 pixels, to which smaller ones are filled with unknown pixels and larger ones are cut, into a northern
and a southern part where they are much higher.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from framecast.importers.base import Recording
from framecast.importers.formats import open_source
from framecast.importers.options import ImportOptions

EVENTS = ("fmi/20160928", "mch/20150515", "mch/20160711", "mch/20170131", "knmi")
HEIGHT, WIDTH = 384, 352
OPTIONS = ImportOptions(unit=("mm/h",), coarsen=2, dry_below=0.1, cadence="5min")


@dataclass(frozen=True)
class Part:
    """A part of the frames of an event: the row and column at which it begins, negative where it is filled."""

    name: str
    event: Recording
    top: int
    left: int


class Events(Recording):
    """Events as sequences of one size."""

    channels = ("rain_rate",)
    unit = "mm/h"
    height, width = HEIGHT, WIDTH

    def __init__(self, parts: list[Part]) -> None:
        self._parts = parts

    @property
    def sequences(self) -> int:
        """How many parts there are."""
        return len(self._parts)

    @property
    def sequence_name(self) -> str:
        """What numbers them."""
        return "event"

    def label(self, sequence: int) -> str:
        """Return the name of a part, such as ``mch-20150515``."""
        return self._parts[sequence].name

    def times(self, sequence: int) -> npt.NDArray[np.datetime64]:
        """Return the times of its frames."""
        return self._parts[sequence].event.times(0)

    def frames(self, sequence: int, indices: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.float32]]:
        """Yield its frames ``[channel, y, x]``."""
        part = self._parts[sequence]
        for frame in part.event.frames(0, indices):
            filled = np.full((1, HEIGHT, WIDTH), np.nan, np.float32)
            source = frame[:, max(0, part.top) :, max(0, part.left) :][:, :HEIGHT, :WIDTH]
            below, before = max(0, -part.top), max(0, -part.left)
            source = source[:, : HEIGHT - below, : WIDTH - before]
            filled[:, below : below + source.shape[1], before : before + source.shape[2]] = source
            yield filled


def open_events(path: str | Path) -> Events:
    """Open the folder of events; those that are not there are left out."""
    parts = []
    for name in EVENTS:
        if not (Path(path) / name).is_dir():
            continue
        event, _ = open_source([Path(path) / name], OPTIONS)
        left = (event.width - WIDTH) // 2
        rest = event.height - HEIGHT
        tops = {"-south": 0, "-north": rest} if rest > HEIGHT // 4 else {"": rest // 2}
        parts += [Part(name.replace("/", "-") + side, event, top, left) for side, top in tops.items()]
    return Events(parts)
