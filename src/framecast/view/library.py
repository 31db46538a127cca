"""The forecast files that are shown, their windows, read one at a time and cached, and the scores of these."""

import json
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import chain, count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from framecast.core.errors import FramecastError
from framecast.core.machine import cores
from framecast.core.text import visible
from framecast.data.archive.format import POSITIONS
from framecast.data.forecasts import open_forecast
from framecast.data.netcdf import is_netcdf
from framecast.reports.colours import colour_map
from framecast.verification.quantities import quantities_of
from framecast.verification.samples import Sample
from framecast.verification.sources import ForecastSource
from framecast.view.answers import window_scores

_CACHE_BYTES = 2**30
_LONGEST = 300
_UNIX = np.datetime64("1970-01-01", "ns")


class UnknownError(FramecastError):
    """The requested item does not exist."""


class ForecastFile:
    """One opened forecast file.

    Attributes:
        key: its name in addresses.
        data: the file, lazy; its coordinates are in memory.
        stored: the forecast file that is read: ``path`` itself, or what was made of it.
        name: of the forecast, its model.
        windows: how many there are.
        colours: colour map of each channel.
        version: a text that changes when the file is rewritten.
        listed: whether it appears in the list of files.
    """

    def __init__(self, key: str, path: Path, stored: Path, listed: bool) -> None:
        self.key, self.path, self.stored, self.listed = key, path, stored, listed
        data = open_forecast(stored)
        self.data = data.assign_coords({name: data[name].load() for name in data.coords})
        self.name = visible(data.attrs.get("model") or path.stem, most=_LONGEST)
        self._source = ForecastSource(self.name, path, self.data)
        self.windows, self.channels = int(data.sizes["sample"]), self._source.channels
        self.colours = [colour_map(name, self._source.domain) for name in self.channels]
        self._written = _written(stored)
        self.version = f"{self._written[0]:x}"
        self.ranking: Ranking | None = None

    def stop(self) -> None:
        """End the computation of its ranking."""
        if self.ranking is not None:
            self.ranking.stopped.set()

    @property
    def changed(self) -> bool:
        """Whether another file has taken its place since it was opened."""
        return _written(self.stored) != self._written

    @cached_property
    def description(self) -> dict[str, Any]:
        """Its metadata for the browser, as JSON values; all texts are those of the file."""
        data, source = self.data, self._source
        calibration, objection = source.recalibration
        return {
            "key": self.key,
            "name": self.name,
            "file": visible(self.path.name, most=_LONGEST),
            "windows": self.windows,
            "members": int(data.sizes["member"]),
            "height": source.size[0],
            "width": source.size[1],
            "channels": [
                {"name": visible(name, most=_LONGEST), "unit": visible(own, most=60), "colours": colours.name}
                for name, own, colours in zip(self.channels, source.units, self.colours, strict=True)
            ],
            "past": source.past_times,
            "leads": source.lead_times,
            "calibrated": calibration is not None and objection is None,
            "objection": visible(objection) if objection else None,
            "quantities": [
                {"name": q.name, "label": q.label, "unit": q.unit, "by_lead": q.by_lead}
                for q in quantities_of(source.domain)
            ],
            "attributes": {
                visible(k, most=80): visible(v if isinstance(v, str) else json.dumps(v, default=str))
                for k, v in data.attrs.items()
                if k != "calibration"
            },
        }

    @cached_property
    def table(self) -> dict[str, Any]:
        """The windows as columns: names of sequences, and for each window which it is of and when it was issued."""
        clock, calendar = self._source.clock, self._source.calendar
        names, numbers = np.unique([str(name) for name in self.data["sequence"].values], return_inverse=True)
        dated = calendar.name != "none"
        found: dict[str, Any] = {
            "sequences": [visible(name, most=_LONGEST) for name in names.tolist()],
            "sequence": numbers.tolist(),
            "issue": [calendar.text(time) for time in clock],
            "seconds": ((clock - _UNIX) / np.timedelta64(1, "s")).tolist(),
            "suffix": " UTC" if calendar.ordinary else "",
            "dated": dated,
        }
        if "label" in self.data.coords:
            found["label"] = [visible(label, most=80) for label in self.data["label"].values]
        return found

    def positions(self) -> dict[str, Any]:
        """Return where pixels are: for each coordinate its name, unit and values, ``[y]``, ``[x]`` or ``[y][x]``."""
        found = {}
        for name in POSITIONS[:-1]:
            if name in self.data.coords:
                variable = self.data[name]
                about = variable.attrs
                found[name] = {
                    "name": visible(about.get("long_name") or about.get("standard_name") or name, most=60),
                    "unit": visible(about.get("units", ""), most=40),
                    "axes": [str(dim) for dim in variable.dims],
                    "values": np.nan_to_num(variable.values.astype(np.float64)).tolist(),
                }
        return found


def _written(path: Path) -> tuple[int, int]:
    try:
        about = (path / "zarr.json").stat()
    except OSError:
        return 0, 0
    return about.st_mtime_ns, about.st_ino


class Library:
    """The files that were named at the start, and those that were kept since. Nothing else is ever read."""

    def __init__(self, paths: Sequence[Path] = ()) -> None:
        self._files: dict[str, ForecastFile] = {}
        self._samples: OrderedDict[tuple[str, int], Sample] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._reading: dict[tuple[str, int], threading.Lock] = {}
        self._room = threading.BoundedSemaphore(max(2, cores()))
        self._folder = TemporaryDirectory(prefix="framecast-view-")
        self.scratch = Path(self._folder.name)  # is removed in the end
        for path in paths:
            self.add(path)

    def close(self) -> None:
        """Remove what was written beside the files."""
        for file in self.all:
            file.stop()
        self._folder.cleanup()

    @property
    def all(self) -> list[ForecastFile]:
        """The files in their order, those being drawn too."""
        return list(self._files.values())

    @property
    def files(self) -> list[ForecastFile]:
        """The listed files, in their order."""
        return [file for file in self.all if file.listed]

    def add(self, path: Path, *, key: str | None = None, listed: bool = True) -> ForecastFile:
        """Open one more file; NetCDF and other ensembles are brought into a forecast file of the scratch folder.

        Raises:
            FramecastError: it is not a forecast, or it is here already; one of the same ``key`` is replaced.
        """
        if any(file.path.resolve() == path.resolve() and file.key != key for file in self.all):
            raise FramecastError(f"{path} is given twice: name each forecast once")
        key = key or self._key(path)
        before, stored = self._files.get(key), path
        if is_netcdf(path) and path.is_file():
            from framecast.verification.ensembles import as_forecast

            stored = self.scratch / f"{key}.zarr"
            as_forecast(path, None, stored)
        self._files[key] = file = ForecastFile(key, path, stored, listed)
        if before is not None:
            before.stop()
        return file

    def file(self, key: str) -> ForecastFile:
        """Return the file of this key, opened anew where it was written anew.

        Raises:
            UnknownError: there is none.
        """
        file = self._files.get(key)
        if file is None:
            raise UnknownError("there is no such forecast: go back to the list of windows")
        if file.changed:
            return self.add(file.path, key=key, listed=file.listed)
        return file

    def ranking(self, key: str) -> "Ranking":
        """Return the ranking of a file, started on the first request."""
        file = self.file(key)
        with self._lock:
            file.ranking = file.ranking or Ranking(self, file)
            return file.ranking

    def sample(self, key: str, number: int) -> Sample:
        """Return one window; the latest ones stay in memory, up to a gigabyte.

        Raises:
            UnknownError: there is none.
            DataError: the file is damaged.
        """
        file = self.file(key)
        name = (f"{key} {file.version}", number)
        if not 0 <= number < file.windows:
            raise UnknownError(f"{file.path.name} has the windows 0 to {file.windows - 1}, and {number} was requested")
        with self._lock:
            mine = self._reading.setdefault(name, threading.Lock())
        try:
            with mine:
                found = self._cached(name)
                return self._keep(name, self.read(file, number)) if found is None else found
        finally:
            with self._lock:
                self._reading.pop(name, None)

    def read(self, file: ForecastFile, number: int) -> Sample:
        """Return one window without keeping it."""
        with self._room:
            return Sample.of(file.data, number, where=file.path)

    def _cached(self, name: tuple[str, int]) -> Sample | None:
        with self._lock:
            if name in self._samples:
                self._samples.move_to_end(name)
            return self._samples.get(name)

    def _keep(self, name: tuple[str, int], sample: Sample) -> Sample:
        with self._lock:
            self._samples[name] = sample
            self._bytes += _size(sample)
            while self._bytes > _CACHE_BYTES and len(self._samples) > 1:
                self._bytes -= _size(self._samples.popitem(last=False)[1])
        return sample

    def _key(self, path: Path) -> str:
        plain = re.sub(r"[^A-Za-z0-9_-]+", "-", path.name.removesuffix(".zarr")).strip("-")[:60] or "forecast"
        return next(key for key in chain([plain], (f"{plain}-{k}" for k in count(2))) if key not in self._files)


@contextmanager
def opened(paths: Sequence[Path]) -> Iterator[Library]:
    """Yield the library of these files."""
    library = Library()
    try:
        for path in paths:
            library.add(path)
        yield library
    finally:
        library.close()


def _size(sample: Sample) -> int:
    return sum(video.nbytes for video in (sample.members, sample.truth, sample.past))


COLUMNS = ("skill", "crps", "mae", "rmse", "spread", "event")
_PAUSE = 0.002


class Ranking:
    """The scores of the windows of one file, as far as they are known."""

    def __init__(self, library: Library, file: ForecastFile) -> None:
        self._library, self.file = library, file
        empty: list[Any] = [None] * file.windows
        self._found = [{name: list(empty) for name in COLUMNS} for _ in file.channels]
        self._done = 0
        self._fault = ""
        self.stopped = threading.Event()
        self._thread = threading.Thread(target=self._compute, name=f"scores of {file.key}", daemon=True)
        self._thread.start()

    def table(self, channel: int) -> dict[str, Any]:
        """Return the columns, ``None`` where a window is not done or has no such score."""
        own = self._found[channel] if 0 <= channel < len(self._found) else {}
        return {"done": self._done, "total": self.file.windows, "fault": self._fault, "columns": own}

    def _compute(self) -> None:
        for number in range(self.file.windows):
            if self.stopped.is_set():
                return
            try:
                found = window_scores(self._library.read(self.file, number))["total"]
            except FramecastError as error:  # one damaged window must not stop the others
                self._fault = str(error)
            else:
                for channel, columns in enumerate(self._found):
                    for name in COLUMNS:
                        columns[name][number] = found[name][channel]
            self._done = number + 1
            time.sleep(_PAUSE)  # requests come first
