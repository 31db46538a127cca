"""One region, selected by the user, followed through solar rotation and cut from the images."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from framecast.core.errors import ConfigError, DataError
from framecast.core.progress import Task
from framecast.data.archive.reader import Archive
from framecast.data.windows import check_fit
from framecast.domains.solar.image import FrameHeader
from framecast.domains.solar.observations import Observations
from framecast.domains.solar.options import PredictOptions, PrepareOptions
from framecast.domains.solar.places import place_name
from framecast.domains.solar.prepare import prepare
from framecast.domains.solar.projection import project, unproject
from framecast.domains.solar.quality import explain
from framecast.domains.solar.radiometry import Radiometry
from framecast.domains.solar.tables import (
    Observers,
    fixed,
    locate,
    read_regions,
    region_number,
    sequence_name,
)
from framecast.domains.solar.times import minute
from framecast.domains.solar.tracks import Track, ahead_of_earth, drift_rate
from framecast.models.archive_forecast import forecast_windows, plan_forecast
from framecast.models.forecaster import Forecaster
from framecast.models.members import Draw
from framecast.models.selection import Selection
from framecast.videos.frames import FrameSpec, moments

_FURTHEST = 85.0
"""Degrees from the disk centre up to which the region is followed; the model's own limits are checked later."""


def issue_frame(observations: Observations, frames: FrameSpec, time: np.datetime64) -> FrameHeader:
    """Return the image of the first past channel nearest to ``time``, in which the region is selected.

    Raises:
        DataError: there is none within a tenth of the cadence.
    """
    wavelength = int(frames.past_channels[0])
    near = observations.nearest(wavelength, time)
    if near is None or abs(near.time - time) > slack(frames):
        raise DataError(f"there is no image of {wavelength} Å at {minute(time)}, which is needed to locate the region")
    return near


def find_region(header: FrameHeader, options: PredictOptions) -> Track:
    """Return the region selected by ``options`` in ``header``'s image.

    Raises:
        ConfigError: it is beyond the limb or behind it, and the pointing is not fixed.
        DataError: the table has no such region.
    """
    time, observer = header.time, header.observer
    if options.center is None:
        track = _of_table(header, options)
        rate = float(drift_rate(track.mean_latitude))
        (longitude,), (latitude,) = track.path(np.array([time]), rate)
        named = track.name
    else:
        fix = locate(options.center, time, Observers.of([header]))
        longitude, latitude = fix.longitude, fix.latitude
        named = sequence_name(options.region) if options.region else ""
        track = Track(name=named, longitude=longitude, latitude=latitude, reference=time)
    x, y, mu = (float(value) for value in project(longitude, latitude, observer))
    if np.isnan(mu):
        x, y = options.center  # type: ignore[misc]  # arcsec: nothing else is beyond the limb
    elif mu <= 0:
        raise ConfigError(
            f"the region is behind the limb at {minute(time)} (µ {mu:.2f}): choose another --time, or a point on the "
            "disk"
        )
    if options.offset is not None:
        x, y = x + options.offset[0], y + options.offset[1]
        longitude, latitude = (float(angle) for angle in unproject(x, y, observer))
    day = str(time.astype("datetime64[m]")).replace("-", "").replace(":", "")
    number = region_number(options.region or track.region)
    name = named or f"{day}_x{x:+.0f}_y{y:+.0f}"
    if options.pointing == "fixed":
        return replace(fixed(name, (x, y), time), region=number)
    if np.isnan(longitude):
        raise ConfigError(
            f"the centre ({x:g}″, {y:g}″) is beyond the limb, which is {observer.limb:.0f}″ from the middle of the "
            "disk: give a point on the disk, or --pointing fixed for a target above the limb"
        )
    if options.offset is None and options.center is None:
        return replace(track, region=number)
    return Track(name=name, longitude=longitude % 360, latitude=latitude, reference=time, region=number)


def region_label(track: Track) -> str:
    """Return the number or name of a region: AR13848, HARP377; empty for a position."""
    return track.name if track.region else ""


def seen_at(track: Track, header: FrameHeader) -> tuple[float, float]:
    """Return the position of ``track`` in ``header``'s image, x and y in arcsec."""
    if track.pointing is not None:
        return track.pointing
    longitude, latitude = track.path(np.array([header.time]), float(drift_rate(track.mean_latitude)))
    x, y, _ = (float(value[0]) for value in project(longitude, latitude, header.observer))
    return x, y


def describe_place(x: float, y: float, header: FrameHeader) -> str:
    """Return a position in ``header``'s image (arcsec) as text, with that on the surface where it is on the disk."""
    observer, where = header.observer, f"x {x:+.1f}″, y {y:+.1f}″"
    longitude, latitude = (float(angle) for angle in unproject(x, y, observer))
    if np.isnan(longitude):
        return f"{where}, above the limb"
    west = (longitude - observer.longitude + ahead_of_earth([header]) + 180) % 360 - 180  # as the Earth sees it
    *_, mu = project(longitude, latitude, observer)
    return (
        f"{place_name(west, latitude)}, {where}; Stonyhurst longitude {west:+.1f}°, "
        f"Carrington longitude {longitude:.1f}°, latitude {latitude:+.1f}°, µ {mu:.3f}"
    )


def _of_table(header: FrameHeader, options: PredictOptions) -> Track:
    assert options.regions is not None
    wanted = region_number(options.region)
    tracks = read_regions(options.regions, [header])
    found = [track for track in tracks if track.region == wanted or track.name == options.region]
    if not found:
        some = ", ".join(track.name for track in tracks[:5])
        raise DataError(f"{options.regions} has no region {options.region}; it contains {some}: name one of them")
    return found[0]


def cut_region(
    images: Path,
    out: Path,
    observations: Observations,
    track: Track,
    frames: FrameSpec,
    settings: PrepareOptions,
    radiometry: Radiometry,
) -> None:
    """Write the archive ``out`` of one sequence, the region of ``track`` in every one of ``images``."""
    present = observations.wavelengths
    wanted = [int(channel) for channel in dict.fromkeys((*frames.past_channels, *frames.future_channels))]
    moments = present[observations.frames[0].wavelength]
    options = replace(
        settings,
        size=(frames.height, frames.width),
        wavelengths=tuple(channel for channel in wanted if channel in present),
        tolerance=min(120.0, 0.1 * frames.cadence),
        cadence=frames.cadence if moments < 2 else None,
        angle=_FURTHEST,
        minimum_frames=1,
        workers=1,
    )
    prepare(images, out, **vars(options), radiometry=radiometry, tracks=[track], overwrite=True)


def slack(frames: FrameSpec) -> np.timedelta64:
    """Return the tolerance of the time of a frame: a tenth of the cadence, as in training."""
    return np.timedelta64(round(100 * frames.cadence), "ms")


def forecast_region(
    forecaster: Forecaster,
    archive: Archive,
    out: Path,
    *,
    issue: np.datetime64,
    draw: Draw,
    command: str = "",
    task: Task | None = None,
) -> None:
    """Forecast the only sequence of ``archive`` from the frame at ``issue`` on into ``out``, replacing it.

    ``task`` reaches 1 when all members are finished.

    Raises:
        DataError: a past frame is missing, doubtful, or lies too far beyond the limb.
    """
    (name,) = archive.sequences
    frames, max_masked = forecaster.frames, forecaster.config.max_masked
    times, quality = archive.times(name), archive.quality(name)
    past_times = moments(issue, frames.past_times)
    rows = [_nearest(times, time, frames) for time in past_times]
    check_fit(archive, frames, past_only=True)
    for time, row in zip(past_times, rows, strict=True):
        if row is None:
            raise DataError(f"the frame of {minute(time)} is missing: nothing can be forecast without it")
        if quality[row]:
            meaning = "; ".join(explain(int(quality[row]))) if quality[row] > 0 else "its file is damaged"
            raise DataError(
                f"the frame of {minute(time)} is doubtful ({meaning}): choose another --time, or accept the bit with "
                "--accept-quality"
            )
    past = archive.read(name, [row for row in rows if row is not None], frames.past_channels)
    masked = np.isnan(past).mean(axis=(2, 3)).max()
    if masked > max_masked:
        raise DataError(
            f"{masked:.0%} of a past frame lies beyond the limb, and the model allows up to {max_masked:.0%}: "
            "choose a --center closer to the disk centre"
        )
    plan = plan_forecast(forecaster, archive, Selection(time=str(issue)[:19]))
    for _ in forecast_windows(forecaster, plan, out, draw, command=command, overwrite=True, task=task):
        pass


def _nearest(times: np.ndarray, wanted: np.datetime64, frames: FrameSpec) -> int | None:
    """Return the position of the frame nearest to ``wanted``, or nothing if none is near enough."""
    row = int(np.abs(times - wanted).argmin())
    return row if abs(times[row] - wanted) <= slack(frames) else None
