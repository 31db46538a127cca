"""Position of a region in the sky and on the Sun at any time: as observed, and by rotation afterwards."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from framecast.core.errors import DataError
from framecast.domains.solar.image import FrameHeader
from framecast.domains.solar.projection import Observer, project, unproject
from framecast.domains.solar.tables import Observers
from framecast.domains.solar.tracks import along_surface, days_between, drift_rate

UNITS = {
    "hpc_x": ("arcsec", "helioprojective x of the middle"),
    "hpc_y": ("arcsec", "helioprojective y of the middle"),
    "mu": ("", "cosine of the heliocentric angle of the middle"),
    "carrington_longitude": ("degree", "Carrington longitude of the middle"),
    "latitude": ("degree", "heliographic latitude of the middle"),
    "observer_longitude": ("degree", "Carrington longitude of the observer"),
    "observer_latitude": ("degree", "heliographic latitude of the observer"),
    "observer_distance": ("m", "distance of the observer from the Sun"),
}
"""Positions of a region at a time: unit and long name."""

_NEEDED = ("hpc_x", "hpc_y", "observer_longitude", "observer_latitude", "observer_distance")


def positions(sequence: xr.Dataset, times: npt.NDArray[np.datetime64]) -> dict[str, npt.NDArray[np.float64]]:
    """Return the positions of a region of an archive at ``times``, ``[time]`` each; the names are those of `UNITS`.

    Between its frames they are interpolated on the surface; before and after them the region rotates with its latitude
    (`drift_rate`), and the observer moves as the Earth does. A field of view with a fixed pointing does not move.
    Nothing is returned for an archive without the position of the observer (made before framecast 0.2).
    """
    if not set(_NEEDED) <= set(sequence.coords):
        return {}
    own = sequence["time"].values.astype("datetime64[ns]")
    given = np.array([sequence[name].values for name in _NEEDED], np.float64)
    seen = Observer(longitude=given[2], latitude=given[3], distance=given[4])
    seen_from = Observers(own, seen).at(times)
    found = {f"observer_{name}": np.asarray(values) for name, values in vars(seen_from).items()}
    if "pointing_arcsec" in sequence.attrs:
        pointing = sequence.attrs["pointing_arcsec"]
        if not isinstance(pointing, Sequence | np.ndarray) or [isinstance(v, Real) for v in pointing] != [True, True]:
            raise DataError(f"pointing_arcsec is {pointing}; it must be two numbers: prepare the archive again")
        x, y = (np.full(len(times), value) for value in pointing)
        longitude, latitude = unproject(x, y, seen_from)
        *_, mu = project(longitude, latitude, seen_from)
        return found | {"hpc_x": x, "hpc_y": y, "mu": mu, "carrington_longitude": longitude, "latitude": latitude}
    longitude, latitude = unproject(given[0], given[1], seen)
    rate = float(drift_rate(float(latitude.mean()), rotation=sequence.attrs.get("rotation", "howard")))
    known, asked = (days_between(own[0], moments) for moments in (own, times))
    lon, lat = along_surface(asked, known, longitude, latitude, rate)
    x, y, mu = project(lon, lat, seen_from)
    return found | {"hpc_x": x, "hpc_y": y, "mu": mu, "carrington_longitude": lon % 360, "latitude": lat}


def check_positions(forecast: xr.Dataset, where: str) -> None:
    """Raise `DataError` if a ``forecast`` has no positions of its frames."""
    if "hpc_x" not in forecast.coords or "observer_longitude" not in forecast.coords:
        raise DataError(
            f"{where} has no positions of its frames (coordinates hpc_x and observer_longitude): prepare the "
            "images with this framecast and forecast again"
        )


def coordinates(sequence: xr.Dataset, times: npt.NDArray[np.datetime64]) -> dict[str, tuple[Any, dict[str, str]]]:
    """Return `positions` with their attributes, by name."""
    return {name: (values, described(name)) for name, values in positions(sequence, times).items()}


def described(name: str) -> dict[str, str]:
    """Return the attributes of a position, one of `UNITS`."""
    unit, long_name = UNITS[name]
    return {"long_name": long_name, **({"units": unit} if unit else {})}


def along_time(**positions: Any) -> dict[str, tuple[str, Any, dict[str, str]]]:
    """Return positions ``[time]``, of the names in `UNITS`, as coordinates of a Dataset."""
    return {name: ("time", values, described(name)) for name, values in positions.items()}


def observed_from(frames: Sequence[FrameHeader]) -> dict[str, tuple[str, Any, dict[str, str]]]:
    """Return positions of observers as coordinates of a Dataset."""
    places = Observer.of([frame.observer for frame in frames])
    return along_time(**{f"observer_{name}": values for name, values in vars(places).items()})
