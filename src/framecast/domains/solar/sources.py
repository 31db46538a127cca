"""The servers, and the address of an image of a given time and wavelength."""

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import urlencode

import numpy as np

from framecast.core.errors import ConfigError
from framecast.domains.solar.options import Server


@dataclass(frozen=True, kw_only=True)
class ImageRequest:
    """One requested image, and the result, as in ``fetch.json``.

    Attributes:
        time: nominal time of the server, UTC, ISO 8601.
        wavelength: in ångström.
        path: its path below the folder.
        url: its address.
        bytes: size of the file; 0 if it is missing.
        sha256: checksum of the file.
        observed: DATE-OBS of its header.
        missing: why it is not there; empty if it is.
    """

    time: str
    wavelength: int
    path: str = ""
    url: str = ""
    bytes: int = 0
    sha256: str = ""
    observed: str = ""
    missing: str = ""


@dataclass(frozen=True, kw_only=True)
class ImageServer(ABC):
    """A server of images of SDO/AIA.

    Attributes:
        base_url: prefix of addresses; empty takes it from the environment (`variable`), else the observatory's own.
    """

    base_url: str = ""

    name: ClassVar[str]
    variable: ClassVar[str]
    """The environment variable that names another server."""
    default_url: ClassVar[str]
    step: ClassVar[int]
    """Seconds between two images of a wavelength."""
    wavelengths: ClassVar[tuple[int, ...]] = (94, 131, 171, 193, 211, 304, 335, 1600, 1700, 4500)
    tolerance: ClassVar[float] = 120.0
    """Seconds by which an image may have been taken earlier or later than its name says."""

    def __post_init__(self) -> None:
        url = self.base_url or os.environ.get(self.variable) or self.default_url
        if not url.startswith(("http://", "https://")):
            raise ConfigError(f"the server is {url!r}; give an address that begins with https:// or http://")
        object.__setattr__(self, "base_url", url.rstrip("/") + "/")

    def plan(self, times: Sequence[np.datetime64], wavelengths: Sequence[int]) -> list[ImageRequest]:
        """Return the images of ``times`` and ``wavelengths``, each once, in order of time.

        Raises:
            ConfigError: the server has no such wavelength, or one is named twice.
        """
        if not wavelengths or len(set(wavelengths)) != len(wavelengths):
            raise ConfigError(f"wavelengths are {list(wavelengths)}; name at least one, each once")
        if unknown := [w for w in wavelengths if w not in self.wavelengths]:
            raise ConfigError(
                f"{self.name} has no {unknown[0]} Å; it has {', '.join(map(str, self.wavelengths))}: "
                "choose among these with --wavelengths"
            )
        seconds = {int(time.astype("datetime64[s]").astype(np.int64) // self.step * self.step) for time in times}
        moments = [np.datetime64(second, "s") for second in sorted(seconds)]
        return [self.locate(time, wavelength) for time in moments for wavelength in sorted(wavelengths)]

    @abstractmethod
    def locate(self, time: np.datetime64, wavelength: int) -> ImageRequest:
        """Return the address of the image of ``time`` (one of the server's own) and ``wavelength``, and its path."""

    def describe(self) -> dict[str, str]:
        """Return which server it is, as JSON values."""
        return {"kind": self.name, "base_url": self.base_url}


def _path(time: np.datetime64, wavelength: int, ending: str, seconds: str = "") -> str:
    """Return ``YYYY/MM/DD/HHH00/AIAYYYYMMDD_HHMM_WWWW.fits``, JSOC's layout."""
    day, clock = str(time.astype("datetime64[m]")).split("T")
    hour, minute = clock.split(":")
    name = f"AIA{day.replace('-', '')}_{hour}{minute}{seconds}_{wavelength:04d}.{ending}"
    return f"{day.replace('-', '/')}/H{hour}00/{name}"


@dataclass(frozen=True, kw_only=True)
class SynopticSource(ImageServer):
    """JSOC's synoptic archive of SDO/AIA: level 1.5, 1024², 2.4″ pixels, every two minutes since 2010.

    Attributes:
        near_real_time: whether to use the branch of the last days, with preliminary calibration.
    """

    near_real_time: bool = False

    name = "jsoc"
    variable = "FRAMECAST_JSOC_URL"
    default_url = "https://jsoc1.stanford.edu/data/aia/synoptic/"
    step = 120

    def locate(self, time: np.datetime64, wavelength: int) -> ImageRequest:
        """Return the file in the archive's own layout; near-real-time names end in ``HHMM00``."""
        branch, seconds = ("nrt/", "00") if self.near_real_time else ("", "")
        path = _path(time, wavelength, "fits", seconds)
        return ImageRequest(time=str(time), wavelength=wavelength, url=f"{self.base_url}{branch}{path}", path=path)


@dataclass(frozen=True, kw_only=True)
class HelioviewerSource(ImageServer):
    """Helioviewer's JPEG 2000 images of SDO/AIA: 4096², 0.6″ pixels, 8 bits, the FITS header inside.

    The server returns the image nearest to the requested time, at any distance (getJP2Image of the API,
    version 2); one too far away counts as missing.
    """

    name = "helioviewer"
    variable = "FRAMECAST_HELIOVIEWER_URL"
    default_url = "https://api.helioviewer.org/v2/"
    step = 60

    def locate(self, time: np.datetime64, wavelength: int) -> ImageRequest:
        """Return the call of getJP2Image, and a path in JSOC's layout that ends in ``.jp2``."""
        number = 8 + self.wavelengths.index(wavelength)  # Helioviewer's sourceId of SDO/AIA
        query = urlencode({"date": f"{time.astype('datetime64[s]')}Z", "sourceId": number}, safe=":")
        url = f"{self.base_url}getJP2Image/?{query}"
        return ImageRequest(time=str(time), wavelength=wavelength, url=url, path=_path(time, wavelength, "jp2"))


def choose_source(server: Server, *, nrt: bool, base_url: str) -> ImageServer:
    """Return the server that the options name.

    Raises:
        ConfigError: the server has no near-real-time branch, or its address is invalid.
    """
    if server == "jsoc":
        return SynopticSource(base_url=base_url, near_real_time=nrt)
    if nrt:
        raise ConfigError("--nrt is for JSOC; Helioviewer has its latest images with the others")
    return HelioviewerSource(base_url=base_url)
