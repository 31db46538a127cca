"""Where a region is in the sky and on the Sun at any time: as observed while it was, by rotation afterwards."""

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from framecast.domains.solar.projection import Observer, project, unproject
from framecast.domains.solar.tables import Observers
from framecast.domains.solar.tracks import days_between, drift_rate

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
"""What `positions` returns: unit and long name."""

_NEEDED = ("hpc_x", "hpc_y", "observer_longitude", "observer_latitude", "observer_distance")


def positions(sequence: xr.Dataset, times: npt.NDArray[np.datetime64]) -> dict[str, npt.NDArray[np.float64]]:
    """Return the positions of a region of an archive at ``times``, ``[time]`` each; the names are those of `UNITS`.

    Between its frames they are interpolated on the surface; before and after them the region rotates with its latitude
    (`drift_rate`), and the observer moves as the Earth does. A field of view with a fixed pointing stays. Nothing is
    returned for an archive that does not say where its images were taken from (made before framecast 0.2).
    """
    if not set(_NEEDED) <= set(sequence.coords):
        return {}
    own = sequence["time"].values.astype("datetime64[ns]")
    given = np.array([sequence[name].values for name in _NEEDED], np.float64)
    observers = Observers(own, [Observer(longitude=a, latitude=b, distance=c) for a, b, c in given[2:].T])
    places = [observers.at(time) for time in times]
    found = {
        "observer_longitude": np.array([place.longitude for place in places]),
        "observer_latitude": np.array([place.latitude for place in places]),
        "observer_distance": np.array([place.distance for place in places]),
    }
    if "pointing_arcsec" in sequence.attrs:
        x, y = (np.full(len(times), value) for value in sequence.attrs["pointing_arcsec"])
        longitude, latitude = np.array([unproject(x[0], y[0], place) for place in places]).T
        *_, mu = _project(longitude, latitude, found)
        return found | {"hpc_x": x, "hpc_y": y, "mu": mu, "carrington_longitude": longitude, "latitude": latitude}
    seen = [Observer(longitude=a, latitude=b, distance=c) for a, b, c in given[2:].T]
    surface = np.array([unproject(x, y, place) for x, y, place in zip(*given[:2], seen, strict=True)])
    latitude, days = surface[:, 1], days_between(own[0], own)
    asked = days_between(own[0], times.astype("datetime64[ns]"))
    law = sequence.attrs.get("rotation", "howard")
    rate = float(drift_rate(float(latitude.mean()), rotation=law))
    steady = np.unwrap(surface[:, 0] - rate * days, period=360)
    lon, lat = np.interp(asked, days, steady) + rate * asked, np.interp(asked, days, latitude)
    x, y, mu = _project(lon, lat, found)
    return found | {"hpc_x": x, "hpc_y": y, "mu": mu, "carrington_longitude": lon % 360, "latitude": lat}


def _project(longitude: Any, latitude: Any, observer: dict[str, npt.NDArray[np.float64]]) -> tuple[Any, Any, Any]:
    return project(
        longitude,
        latitude,
        observer_longitude=observer["observer_longitude"],
        observer_latitude=observer["observer_latitude"],
        distance=observer["observer_distance"],
    )


def coordinates(sequence: xr.Dataset, times: npt.NDArray[np.datetime64]) -> dict[str, tuple[Any, dict[str, str]]]:
    """Return `positions` with their attributes, by name."""
    found = positions(sequence, times)
    return {
        name: (values, {"long_name": UNITS[name][1], **({"units": UNITS[name][0]} if UNITS[name][0] else {})})
        for name, values in found.items()
    }
