"""The images a prediction needs, from a folder or a server, gathered in one place."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from framecast.core.errors import DataError
from framecast.domains.solar.fetch import fetch
from framecast.domains.solar.observations import scan
from framecast.domains.solar.options import Disk, PredictOptions
from framecast.domains.solar.sources import ImageRequest, ImageServer, choose_source

Show = Callable[[str, int, int], None]

_NEIGHBOURS = (-1, 1, -2, 2)
"""Offsets of a server's images that are tried instead of a missing one."""


class Images:
    """Where images come from: a folder of files with headers, or an observatory's server.

    Args:
        options: name the folder or the server.
        disk: how files that are pictures without a header show the Sun.
    """

    def __init__(self, options: PredictOptions, disk: Disk | None = None) -> None:
        self._disk = disk
        self._place = options.source or choose_source(options.server, nrt=options.nrt, base_url=options.base_url)

    def describe(self) -> dict[str, Any]:
        """Return their source, as JSON values."""
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
            observations = scan(place, disk=self._disk, progress=lambda done, total: show("headers", done, total))
            times = [frame.time for frame in observations.frames if frame.wavelength == wavelength]
            if not times:
                raise DataError(f"{place} contains no image of {wavelength} Å: name another folder with --source")
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
    ) -> list[ImageRequest]:
        """Put the images of ``times`` and ``wavelengths`` into ``out``; return those that are unavailable.

        An image may be earlier or later by ``slack`` seconds; those of an earlier call may be in ``out``. ``show`` is
        called with the stage, its progress and its total.
        """
        place = self._place
        if isinstance(place, Path):
            return _link_nearest(place, self._disk, times, wavelengths, out, slack, show)
        report = fetch(times, wavelengths, out, source=place, progress=lambda *done: show("fetching", *done))
        return [frame for frame in report.missing if not _has_neighbour(frame, out, place, slack)]


def _has_neighbour(item: ImageRequest, out: Path, server: ImageServer, slack: float) -> bool:
    """Fetch the server's image just before or after the absent one; return whether there is one."""
    for count in _NEIGHBOURS:
        seconds = count * server.step
        time = np.datetime64(item.time) + np.timedelta64(seconds, "s")
        if abs(seconds) <= slack and not fetch([time], [item.wavelength], out, source=server).missing:
            return True
    return False


def _link_nearest(
    source: Path,
    disk: Disk | None,
    times: Sequence[np.datetime64],
    wavelengths: Sequence[int],
    out: Path,
    slack: float,
    show: Show,
) -> list[ImageRequest]:
    """Link the image nearest to each time into ``out``; pictures under their own names, which contain their times."""
    observations = scan(source, disk=disk, progress=lambda done, total: show("headers", done, total))
    out.mkdir(parents=True, exist_ok=True)
    absent = []
    for wavelength in wavelengths:
        for time in times:
            near = observations.nearest(wavelength, time)
            if near is None or abs(near.time - time) > np.timedelta64(round(slack * 1e3), "ms"):
                absent.append(
                    ImageRequest(time=str(time), wavelength=wavelength, missing=f"no such image in {source.name}")
                )
                continue
            stamp = str(near.time.astype("datetime64[s]")).replace("-", "").replace(":", "")
            name = near.path.name if disk is not None else f"{stamp}_{wavelength:04d}{near.path.suffix}"
            link_image(near.path.resolve(), out / name)
    return absent


def link_image(target: Path, link: Path) -> None:
    """Make ``link`` a link to the file ``target``, or a copy if links are not possible.

    Raises:
        DataError: the file no longer exists.
    """
    if not target.is_file():
        raise DataError(f"{target} has disappeared since the folder was read")
    link.unlink(missing_ok=True)
    try:
        link.symlink_to(target)
    except OSError:  # links need permission on Windows, and some file systems have none
        shutil.copyfile(target, link)
