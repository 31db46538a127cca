"""Tracked points on the Sun, and their positions in every image.

A track is a point of the surface. It has its nominal Carrington position when it passes the observer's central
meridian, and drifts from there with the differential rotation of its latitude. A grid of tracks is therefore regular
where it faces the observer, at every rotation: over years differential rotation would shear a fixed grid, and a track's
name and path would depend on the first day of the series.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import numpy.typing as npt

from framecast.core.errors import ConfigError
from framecast.domains.solar.image import FrameHeader
from framecast.domains.solar.offline import offline
from framecast.domains.solar.options import Rotation
from framecast.domains.solar.projection import Observer, project, unproject

Array = npt.NDArray[np.float64]

TURN = 13.2
"""Synodic rotation rate of the Sun in degrees per day."""

_BEYOND = np.timedelta64(1, "D")
"""Time for which a region is followed before its first and after its last known position."""

_SLOWEST = 10.0
"""Lowest synodic rotation rate below 80° latitude, in degrees per day."""

_SLANT = 25.0
"""Largest difference, in degrees, of a visible point's distances from the meridian and from the disk centre."""


def drift_rate(latitude: npt.ArrayLike, *, rotation: Rotation = "howard") -> Array:
    """Return the rotation rate at ``latitude`` (degrees) relative to the Carrington system, in degrees per day.

    The sidereal rate A + B sin²Θ + C sin⁴Θ of sunpy's ``differential_rotation`` minus the 14.1844°/day with which
    Carrington's coordinates turn by definition. The default coefficients are those of Howard, Harvey and Forgach
    (1990, Solar Physics 130, 295), measured on magnetic features.

    Raises:
        ConfigError: ``rotation`` is not one of the laws.
    """
    if rotation not in get_args(Rotation):
        raise ConfigError(f"rotation is {rotation!r}; it can be {', '.join(get_args(Rotation))}")
    import astropy.units as u
    from sunpy.sun.constants import sidereal_rotation_rate
    from sunpy.sun.models import differential_rotation

    degrees = np.asarray(latitude, np.float64) * u.deg
    rate = differential_rotation(1 * u.day, degrees, model=rotation, frame_time="sidereal").to_value(u.deg)
    return np.asarray(rate - sidereal_rotation_rate.to_value(u.deg / u.day), np.float64)


def days_between(start: np.datetime64, times: npt.NDArray[np.datetime64]) -> Array:
    """Return the days from ``start`` to each of ``times``."""
    return (times.astype("datetime64[ns]") - start.astype("datetime64[ns]")) / np.timedelta64(86_400 * 10**9, "ns")


@dataclass(frozen=True, kw_only=True)
class Fix:
    """Position of a region at a time (UTC): Carrington longitude and heliographic latitude in degrees."""

    time: np.datetime64
    longitude: float
    latitude: float


@dataclass(frozen=True, kw_only=True)
class Track:
    """A point of the Sun's surface, or a region that moves on it.

    Attributes:
        name: unique among the tracks of all times.
        longitude: Carrington longitude at the reference time, in degrees.
        latitude: heliographic latitude, in degrees.
        reference: time of that position, UTC.
        later: where it was afterwards, in order of time, for a region whose positions were measured again and again.
            What it moves beside the rotation of its latitude is interpolated linearly between them.
        region: its number or name in a catalogue; empty for a point of a grid.
        pointing: helioprojective x and y in arcsec of a fixed field of view.
    """

    name: str
    longitude: float
    latitude: float
    reference: np.datetime64
    later: tuple[Fix, ...] = ()
    region: str = ""
    pointing: tuple[float, float] | None = None

    @property
    def fixes(self) -> tuple[Fix, ...]:
        """All known positions, in order of time."""
        return (Fix(time=self.reference, longitude=self.longitude, latitude=self.latitude), *self.later)

    @property
    def mean_latitude(self) -> float:
        """Mean of the known latitudes, in degrees, whose rotation it follows; 0 for one that does not move."""
        if self.pointing is not None:
            return 0.0
        return float(np.mean([fix.latitude for fix in self.fixes]))

    def path(self, times: npt.NDArray[np.datetime64], rate: float) -> tuple[Array, Array]:
        """Return Carrington longitude and latitude in degrees at ``times``; for ``rate`` see `drift_rate`."""
        own = np.array([fix.time for fix in self.fixes])
        asked, known = (days_between(self.reference, moments) for moments in (times, own))
        longitudes, latitudes = np.array([(fix.longitude, fix.latitude) for fix in self.fixes]).T
        return along_surface(asked, known, longitudes, latitudes, rate)


def along_surface(days: Array, known: Array, longitude: Array, latitude: Array, rate: float) -> tuple[Array, Array]:
    """Return longitude and latitude (degrees) on ``days`` of what was at these places on the ``known`` days.

    It turns by ``rate`` (degrees per day, see `drift_rate`) and is linear in between in what it moves besides.
    """
    own = np.unwrap(longitude - rate * known, period=360)
    return np.interp(days, known, own) + rate * days, np.interp(days, known, latitude)


@dataclass(frozen=True, kw_only=True)
class Passage:
    """The part of a series during which a track can be seen.

    At each of ``indices``, positions in the series, it is at helioprojective ``x`` and ``y`` (arcsec) and Carrington
    ``longitude`` (degrees); ``mu`` is the cosine of its heliocentric angle.
    """

    track: Track
    indices: npt.NDArray[np.int64]
    x: Array
    y: Array
    mu: Array
    longitude: Array


def grid(frames: Sequence[FrameHeader], *, angle: float, spacing: float) -> list[Track]:
    """Return the tracks of a grid that may come within ``angle`` of the middle of the disk during ``frames``.

    Latitudes are multiples of ``spacing`` (degrees on the surface); along each, longitudes divide the circle into equal
    steps of about the same length. The name contains position and Carrington rotation: ``lon123.5_lat-15.0_cr2193``.

    Raises:
        ConfigError: angle or spacing are out of range.
    """
    if not 0 < angle < 80:
        raise ConfigError(f"angle is {angle:g}°; regions can be followed between 0 and 80° from the disk's middle")
    if not 0.5 <= spacing <= 90:
        raise ConfigError(f"spacing is {spacing:g}°; it must be from 0.5 to 90°")
    times = np.array([frame.time for frame in frames])
    reach = min(180.0, angle + _SLANT)
    days, turned = _carrington_clock(times.min(), times.max(), margin=int(reach / _SLOWEST) + 30)
    ahead = ahead_of_earth(frames, (days, turned))
    seen = np.interp(times[[0, -1]].astype("datetime64[ns]").astype(np.int64), days, turned) - ahead
    tracks = []
    rows = int((angle + 8) // spacing)
    for row in range(-rows, rows + 1):
        latitude = row * spacing
        if abs(latitude) >= 80:
            continue
        count = max(1, round(360 * np.cos(np.radians(latitude)) / spacing))
        step = 360 / count
        for k in range(int(np.ceil((seen[0] - reach) / step)), int((seen[1] + reach) // step) + 1):
            rotation, within = divmod(k, count)
            longitude = (360 - within * step) % 360
            reference = np.interp(k * step + ahead, turned, days)
            tracks.append(
                Track(
                    name=f"lon{longitude:05.1f}_lat{latitude:+05.1f}_cr{rotation}",
                    longitude=longitude,
                    latitude=latitude,
                    reference=np.datetime64(round(float(reference)), "ns").astype("datetime64[s]"),
                )
            )
    return tracks


def follow(
    tracks: Sequence[Track],
    frames: Sequence[FrameHeader],
    *,
    angle: float,
    longitude: float | None = None,
    latitude: float | None = None,
    rotation: Rotation = "howard",
) -> list[Passage]:
    """Return the passages of ``tracks`` while they are visible; tracks that never are have none.

    A track is seen while it is within the limits (in degrees: ``angle`` from the disk's middle, ``longitude`` from the
    observer's central meridian, ``latitude`` from the equator) and its position within the image. A point is followed
    over the disk once, a region with several known positions from a day before the first to a day after the last.

    Raises:
        ConfigError: a limit is not positive.
    """
    for name, limit in (("angle", angle), ("longitude", longitude), ("latitude", latitude)):
        if limit is not None and not 0 < limit <= 90:
            raise ConfigError(f"{name} is limited to {limit:g}°; a limit is more than 0 and up to 90°")
    times = np.array([frame.time for frame in frames])
    observers = Observer.of([frame.observer for frame in frames])
    partial = np.array([not _shows_disk(frame) for frame in frames])
    rates = drift_rate([track.mean_latitude for track in tracks], rotation=rotation)
    passages = []
    for track, rate in zip(tracks, rates, strict=True):
        if track.pointing is not None:
            passages.append(_stare(track, track.pointing, frames))
            continue
        first, last = np.searchsorted(times, _span(track, times, observers.longitude))
        if first == last:
            continue
        here = slice(first, last)
        lon, lat = track.path(times[here], float(rate))
        seen_from = Observer(**{name: values[here] for name, values in vars(observers).items()})
        x, y, mu = project(lon, lat, seen_from)
        visible = mu >= np.cos(np.radians(angle))
        if longitude is not None:
            visible &= np.abs(_wrapped(lon - seen_from.longitude)) <= longitude
        if latitude is not None:
            visible &= np.abs(lat) <= latitude
        for k in np.flatnonzero(visible & partial[here]):
            visible[k] = _contains(frames[first + k], x[k], y[k])
        if visible.any():
            indices = np.flatnonzero(visible)
            passages.append(
                Passage(
                    track=track,
                    indices=indices + first,
                    x=x[indices],
                    y=y[indices],
                    mu=mu[indices],
                    longitude=lon[indices] % 360,
                )
            )
    return passages


def _stare(track: Track, pointing: tuple[float, float], frames: Sequence[FrameHeader]) -> Passage:
    """Return the passage of a field of view that does not move: all frames that contain its middle."""
    x, y = pointing
    indices = np.array([k for k, frame in enumerate(frames) if _contains(frame, x, y)], np.int64)
    observers, still = Observer.of([frames[k].observer for k in indices]), np.ones(len(indices))
    # NaN above the limb, where the line of sight meets no surface.
    longitude, latitude = unproject(x, y, observers)
    *_, mu = project(longitude, latitude, observers)
    return Passage(track=track, indices=indices, x=x * still, y=y * still, mu=mu, longitude=longitude)


def _span(track: Track, times: npt.NDArray[np.datetime64], longitudes: Array) -> tuple[np.datetime64, np.datetime64]:
    """Return the period in which ``track`` may be visible, given the Carrington longitudes of the observers."""
    if track.later:
        return track.reference - _BEYOND, track.later[-1].time + _BEYOND
    near = int(np.searchsorted(times, track.reference).clip(0, len(times) - 1))
    below = longitudes[near] - TURN * days_between(times[near], np.array([track.reference]))[0]
    west = float(_wrapped(track.longitude - below))
    hour = np.timedelta64(1, "h")
    before, after = ((90 + turned) / _SLOWEST * 24 for turned in (west, -west))
    return track.reference - round(before) * hour, track.reference + round(after) * hour


def _wrapped(degrees: npt.ArrayLike) -> Array:
    """Return angles in [-180, 180)."""
    return np.asarray((np.asarray(degrees, np.float64) + 180) % 360 - 180)


def _carrington_clock(start: np.datetime64, end: np.datetime64, *, margin: int) -> tuple[Array, Array]:
    """Return instants (ns since 1970) and the degrees the Sun has turned below the Earth by then.

    360° for each Carrington rotation: the point of longitude λ is below the Earth when 360 n + (360 − λ) degrees have
    turned. Sampled at every midnight from ``margin`` days before ``start`` to as many after ``end``; in between the
    Earth's motion is linear to 0.001°.
    """
    from astropy.time import Time
    from sunpy.coordinates.sun import carrington_rotation_number

    first, last = start.astype("datetime64[D]") - margin, end.astype("datetime64[D]") + margin + 1
    midnights = np.arange(first, last + 1)
    with offline():
        turned = 360.0 * np.asarray(carrington_rotation_number(Time(midnights.astype(str))), np.float64)
    return midnights.astype("datetime64[ns]").astype(np.int64).astype(np.float64), turned


def ahead_of_earth(frames: Sequence[FrameHeader], clock: tuple[Array, Array] | None = None) -> float:
    """Return by how many degrees the observer is west of the Earth: 0 near it, whole degrees elsewhere."""
    times = np.array([frame.time for frame in frames]).astype("datetime64[ns]")
    days, turned = _carrington_clock(times.min(), times.max(), margin=1) if clock is None else clock
    earth = 360 - np.interp(times.astype(np.int64), days, turned)
    west = np.array([frame.observer.longitude for frame in frames]) - earth
    typical = float(np.degrees(np.angle(np.exp(1j * np.radians(west)).mean())))
    return 0.0 if abs(typical) < 5 else float(round(typical))


def _shows_disk(frame: FrameHeader) -> bool:
    """Return whether the image contains the whole disk."""
    around = np.radians(np.arange(0, 360, 15))
    return all(_contains(frame, frame.observer.limb * np.cos(a), frame.observer.limb * np.sin(a)) for a in around)


def _contains(frame: FrameHeader, x: float, y: float) -> bool:
    column, row = frame.pointing.pixels(x, y)
    return bool(-0.5 <= column < frame.shape[1] - 0.5 and -0.5 <= row < frame.shape[0] - 0.5)
