"""A synthetic Sun in real FITS headers: a disk with bright spots that sunpy's own coordinates carry around."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

pytest.importorskip("sunpy", reason="the Sun needs pip install 'framecast[solar]'")

import astropy.units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning
from sunpy.coordinates import HeliographicCarrington, HeliographicStonyhurst, Helioprojective
from sunpy.sun.models import differential_rotation

from framecast.data.archive.reader import Archive, ArchiveWriter
from framecast.domains.solar.offline import offline

START = np.datetime64("2017-08-08T00:00:00", "ns")
RADIUS = 695_700 * u.km


@dataclass(frozen=True)
class Spot:
    """A bright point: where it is at `START`, in degrees of Carrington longitude and latitude."""

    longitude: float
    latitude: float


def observer_at(time: np.datetime64) -> HeliographicStonyhurst:
    """An observer near the Earth, moving as it does in August."""
    days = (time - START) / np.timedelta64(1, "D")
    return HeliographicStonyhurst(
        0 * u.deg, (6.26 + 0.05 * days) * u.deg, (151.67e6 - 2e4 * days) * u.km, obstime=str(time)
    )


def sunpy_position(spot: Spot, time: np.datetime64, *, drift: bool = True) -> tuple[float, float]:
    """Helioprojective x and y in arcsec, by sunpy."""
    with offline():
        days = float((time - START) / np.timedelta64(1, "D"))
        turn = 0.0
        if drift:
            own = differential_rotation(1 * u.day, spot.latitude * u.deg).to_value(u.deg)
            turn = (own - 14.1844) * days
        observer = observer_at(time)
        point = SkyCoord(
            (spot.longitude + turn) * u.deg,
            spot.latitude * u.deg,
            RADIUS,
            frame=HeliographicCarrington(obstime=str(time), observer=observer),
        ).transform_to(Helioprojective(obstime=str(time), observer=observer))
        return point.Tx.to_value(u.arcsec), point.Ty.to_value(u.arcsec)


def sunpy_longitude(time: np.datetime64) -> float:
    """Carrington longitude of the observer, by sunpy."""
    with offline():
        observer = SkyCoord(observer_at(time))
        return observer.transform_to(HeliographicCarrington(obstime=str(time), observer="self")).lon.to_value(u.deg)


def cards_of(
    time: np.datetime64,
    *,
    size: int = 256,
    scale: float = 9.6,
    centre: tuple[float, float] | None = None,
    roll: float = 0.0,
    wavelength: int = 171,
) -> fits.Header:
    """A header as JSOC's synoptic images have it."""
    observer = observer_at(time)
    centre = centre or ((size + 1) / 2 + 0.44, (size + 1) / 2 - 0.3)
    header = fits.Header()
    header["TELESCOP"], header["INSTRUME"] = "SDO/AIA", "AIA_3"
    header["WAVELNTH"], header["WAVEUNIT"] = wavelength, "angstrom"
    header["DATE-OBS"] = str(time.astype("datetime64[ms]"))
    header["EXPTIME"], header["QUALITY"] = 2.0, 1 << 30
    header["CTYPE1"], header["CTYPE2"] = "HPLN-TAN", "HPLT-TAN"
    header["CUNIT1"], header["CUNIT2"] = "arcsec", "arcsec"
    header["CRVAL1"], header["CRVAL2"] = 0.0, 0.0
    header["CDELT1"], header["CDELT2"] = scale, scale
    header["CRPIX1"], header["CRPIX2"] = centre
    header["CROTA2"] = roll
    header["DSUN_OBS"] = observer.radius.to_value(u.m)
    header["HGLN_OBS"], header["HGLT_OBS"] = 0.0, observer.lat.to_value(u.deg)
    header["CRLN_OBS"], header["CRLT_OBS"] = sunpy_longitude(time), observer.lat.to_value(u.deg)
    header["BUNIT"] = "DN"
    return header


def draw(header: fits.Header, spots: list[Spot], time: np.datetime64) -> np.ndarray:
    """A disk of 100 DN with a spot of 1000 DN and 20 arcsec (one standard deviation) at each place."""
    rows, columns = np.mgrid[: header["NAXIS2"], : header["NAXIS1"]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)
        wcs = WCS(header)
    x, y = (np.asarray(a) * 3600 for a in wcs.wcs_pix2world(columns, rows, 0))
    x = (x + 648_000) % 1_296_000 - 648_000
    image = np.where(np.hypot(x, y) < 947, 100.0, 5.0)
    for spot in spots:
        sx, sy = sunpy_position(spot, time)
        image += 1000 * np.exp(-((x - sx) ** 2 + (y - sy) ** 2) / (2 * 20.0**2))
    return image.astype(np.float32)


@pytest.fixture(scope="session")
def spots() -> list[Spot]:
    middle = sunpy_longitude(START)
    return [Spot(middle - 25, 10.0), Spot(middle - 5, -32.0), Spot(middle + 12, 31.0)]


@pytest.fixture(scope="session")
def write_sun(spots: list[Spot]) -> Callable[..., list[Path]]:
    """A function that writes a series of synthetic full-disk images, and returns the paths."""

    def write(
        folder: Path,
        *,
        hours: list[float],
        wavelength: int = 171,
        delay: float = 0.0,
        factor: float = 1.0,
        extension: bool = True,
        **layout: object,
    ) -> list[Path]:
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for hour in hours:
            time = START + np.timedelta64(round((hour * 3600 + delay) * 1000), "ms")
            header = cards_of(time, wavelength=wavelength, **layout)
            header["NAXIS"], header["NAXIS1"], header["NAXIS2"] = 2, layout.get("size", 256), layout.get("size", 256)
            data = draw(header, spots, time) * np.float32(factor)
            path = folder / f"{wavelength}_{hour:06.2f}.fits"
            if extension:
                image = fits.CompImageHDU(np.round(data).astype(np.int16), header, compression_type="RICE_1")
                fits.HDUList([fits.PrimaryHDU(), image]).writeto(path)
            else:
                fits.PrimaryHDU(data, header).writeto(path)
            paths.append(path)
        return paths

    return write


def edit(path: Path, **cards: object) -> None:
    """Set cards of the image in ``path``; None removes one. Two underscores stand for a hyphen."""
    with fits.open(path, mode="update") as hdus:
        header = hdus[-1].header
        for name, value in cards.items():
            name = name.replace("__", "-")
            if value is None:
                del header[name]
            else:
                header[name] = value


@pytest.fixture(scope="session")
def edit_cards() -> Callable[..., None]:
    return edit


@pytest.fixture(scope="session")
def sunpy_place() -> Callable[..., tuple[float, float]]:
    return sunpy_position


@pytest.fixture(scope="session")
def start() -> np.datetime64:
    return START


@pytest.fixture
def hourly_regions(tmp_path: Path) -> Archive:
    """Two regions of 24 hourly frames; one is known by its name, the other by an attribute."""
    path = tmp_path / "regions.zarr"
    times = np.datetime64("2017-09-06T00:00", "ns") + np.arange(24) * np.timedelta64(1, "h") - np.timedelta64(9, "s")
    frames = np.ones((24, 1, 4, 4), np.float32)
    with ArchiveWriter(path, channels=["94"], unit="DN/s", cadence=3600, height=4, width=4) as writer:
        for name, attrs in (("AR12673", {}), ("second", {"region": "12674"})):
            data = {"intensity": (("time", "channel", "y", "x"), frames)}
            writer.add(name, xr.Dataset(data, coords={"time": times}, attrs=attrs))
    return Archive.open(path)
