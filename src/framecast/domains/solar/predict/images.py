"""The images a prediction needs, from a folder or a server, gathered in one place."""

import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from framecast.core.errors import DataError
from framecast.domains.solar.fetch import Source, Transfer, fetch
from framecast.domains.solar.observations import scan

Progress = Callable[[str, int, int], None]

_NEIGHBOURS = (-1, 1, -2, 2)
"""Which of a server's images are tried where one is missing, counted from it."""


@dataclass(frozen=True)
class MissingImage:
    """An image that is not to be had, and why."""

    time: np.datetime64
    wavelength: int
    reason: str


class Images(ABC):
    """Where images come from."""

    @abstractmethod
    def gather(
        self, times: Sequence[np.datetime64], wavelengths: Sequence[int], folder: Path, *, slack: float, show: Progress
    ) -> list[MissingImage]:
        """Put the images of ``times`` and ``wavelengths`` into ``folder``; return those that are not to be had.

        Args:
            times: UTC.
            wavelengths: in ångström.
            folder: is made if it is not there; images of an earlier call may be in it.
            slack: seconds by which an image may be earlier or later.
            show: called with what is being done, how much of it is done, and of how much.
        """

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Return where they come from, as JSON values."""


@dataclass(frozen=True)
class LocalImages(Images):
    """A folder of files of any names; their headers decide. What is used is linked, not copied.

    Attributes:
        source: the folder.
    """

    source: Path

    def gather(
        self, times: Sequence[np.datetime64], wavelengths: Sequence[int], folder: Path, *, slack: float, show: Progress
    ) -> list[MissingImage]:
        """See `Images.gather`; the image nearest to each time is taken."""
        observations = scan(self.source, progress=lambda done, total: show("headers", done, total))
        folder.mkdir(parents=True, exist_ok=True)
        absent = []
        for wavelength in wavelengths:
            frames = [frame for frame in observations.frames if frame.wavelength == wavelength]
            for time in times:
                near = min(frames, key=lambda frame: abs(frame.time - time), default=None)
                if near is None or abs(near.time - time) > np.timedelta64(round(slack * 1e3), "ms"):
                    absent.append(MissingImage(time, wavelength, f"no such image in {self.source.name}"))
                    continue
                stamp = str(near.time.astype("datetime64[s]")).replace("-", "").replace(":", "")
                link_image(near.path.resolve(), folder / f"{stamp}_{wavelength:04d}{near.path.suffix}")
        return absent

    def describe(self) -> dict[str, Any]:
        """Return the folder."""
        return {"kind": "folder", "folder": self.source.absolute().name}


@dataclass(frozen=True)
class ServerImages(Images):
    """An observatory's server.

    Attributes:
        source: which one.
        transfer: how politely and how patiently.
    """

    source: Source
    transfer: Transfer = field(default_factory=Transfer)

    def gather(
        self, times: Sequence[np.datetime64], wavelengths: Sequence[int], folder: Path, *, slack: float, show: Progress
    ) -> list[MissingImage]:
        """See `Images.gather`; what is there already is not fetched. Where an image is missing a neighbour will do."""
        report = fetch(
            times,
            wavelengths,
            folder,
            source=self.source,
            transfer=self.transfer,
            progress=lambda done, total: show("fetching", done, total),
        )
        absent = [MissingImage(np.datetime64(f.time), f.wavelength, f.missing) for f in report.missing]
        return [item for item in absent if not self._has_neighbour(item, folder, slack)]

    def _has_neighbour(self, item: MissingImage, folder: Path, slack: float) -> bool:
        """Fetch the server's image just before or after the absent one; return whether there is one."""
        for images in _NEIGHBOURS:
            seconds = images * self.source.step
            time = item.time + np.timedelta64(seconds, "s")
            if (
                abs(seconds) <= slack
                and not fetch([time], [item.wavelength], folder, source=self.source, transfer=self.transfer).missing
            ):
                return True
        return False

    def describe(self) -> dict[str, Any]:
        """Return the server."""
        return self.source.describe()


def link_image(target: Path, link: Path) -> None:
    """Make ``link`` stand for the file ``target``, as a copy of it where no links can be made.

    Raises:
        DataError: there is no such file any more.
    """
    if not target.is_file():
        raise DataError(f"{target} is gone: it was there when the folder was read")
    if link.is_symlink() or link.exists():
        link.unlink()
    try:
        link.symlink_to(target)
    except OSError:  # Windows lets few users make links, some file systems none
        shutil.copyfile(target, link)
