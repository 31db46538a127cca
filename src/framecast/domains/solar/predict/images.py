"""The images a prediction needs, from a folder or a server, gathered in one place."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from framecast.core.errors import DataError
from framecast.domains.solar.fetch import fetch
from framecast.domains.solar.observations import scan
from framecast.domains.solar.options import PredictOptions
from framecast.domains.solar.sources import Frame, Source, choose_source

Show = Callable[[str, int, int], None]

_NEIGHBOURS = (-1, 1, -2, 2)
"""Which of a server's images are tried where one is missing, counted from it."""


class Images:
    """Where images come from: a folder of files of any names, whose headers decide, or an observatory's server.

    Args:
        options: name the folder or the server.
    """

    def __init__(self, options: PredictOptions) -> None:
        self._place = options.source or choose_source(options.server, nrt=options.nrt, base_url=options.base_url)

    def describe(self) -> dict[str, Any]:
        """Return where they come from, as JSON values."""
        if isinstance(self._place, Path):
            return {"kind": "folder", "folder": self._place.absolute().name}
        return self._place.describe()

    def newest(self, wavelength: int, out: Path, *, show: Show) -> np.datetime64:
        """Return the time of the newest image of ``wavelength``; a server is asked for the last day, newest first.

        Raises:
            DataError: there is none.
        """
        place = self._place
        if isinstance(place, Path):
            observations = scan(place, progress=lambda done, total: show("headers", done, total))
            times = [frame.time for frame in observations.frames if frame.wavelength == wavelength]
            if not times:
                raise DataError(f"{place} holds no image of {wavelength} Å: name another folder with --source")
            return max(times)
        now = np.datetime64("now", "s")
        for minutes in (*range(0, 60, 6), *range(60, 24 * 60 + 1, 30)):
            time = now - np.timedelta64(minutes, "m")
            report = fetch([time], [wavelength], out, source=place)
            if not report.missing:
                return np.datetime64(report.frames[0].observed or report.frames[0].time, "ns")
        raise DataError(f"{place.base_url} has no image of {wavelength} Å of the last 24 hours: give --time")

    def gather(
        self, times: Sequence[np.datetime64], wavelengths: Sequence[int], out: Path, *, slack: float, show: Show
    ) -> list[Frame]:
        """Put the images of ``times`` and ``wavelengths`` into ``out``; return those that are unavailable.

        An image may be earlier or later by ``slack`` seconds; those of an earlier call may be in ``out``. ``show`` is
        called with what is being done, how much of it is done, and of how much.
        """
        place = self._place
        if isinstance(place, Path):
            return _link_nearest(place, times, wavelengths, out, slack, show)
        report = fetch(times, wavelengths, out, source=place, progress=lambda *done: show("fetching", *done))
        return [frame for frame in report.missing if not _has_neighbour(frame, out, place, slack)]


def _has_neighbour(item: Frame, out: Path, server: Source, slack: float) -> bool:
    """Fetch the server's image just before or after the absent one; return whether there is one."""
    for count in _NEIGHBOURS:
        seconds = count * server.step
        time = np.datetime64(item.time) + np.timedelta64(seconds, "s")
        if abs(seconds) <= slack and not fetch([time], [item.wavelength], out, source=server).missing:
            return True
    return False


def _link_nearest(
    source: Path, times: Sequence[np.datetime64], wavelengths: Sequence[int], out: Path, slack: float, show: Show
) -> list[Frame]:
    """Link the image nearest to each time into ``out``."""
    observations = scan(source, progress=lambda done, total: show("headers", done, total))
    out.mkdir(parents=True, exist_ok=True)
    absent = []
    for wavelength in wavelengths:
        for time in times:
            near = observations.nearest(wavelength, time)
            if near is None or abs(near.time - time) > np.timedelta64(round(slack * 1e3), "ms"):
                absent.append(Frame(time=str(time), wavelength=wavelength, missing=f"no such image in {source.name}"))
                continue
            stamp = str(near.time.astype("datetime64[s]")).replace("-", "").replace(":", "")
            link_image(near.path.resolve(), out / f"{stamp}_{wavelength:04d}{near.path.suffix}")
    return absent


def link_image(target: Path, link: Path) -> None:
    """Make ``link`` stand for the file ``target``, as a copy of it where no links can be made.

    Raises:
        DataError: there is no such file any more.
    """
    if not target.is_file():
        raise DataError(f"{target} is gone: it was there when the folder was read")
    link.unlink(missing_ok=True)
    try:
        link.symlink_to(target)
    except OSError:  # Windows lets few users make links, some file systems none
        shutil.copyfile(target, link)
