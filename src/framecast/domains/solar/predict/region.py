"""One region, where a person points to, followed through solar rotation and cut from the images at hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from framecast.core.errors import ConfigError, DataError
from framecast.domains.solar.image import FrameHeader
from framecast.domains.solar.observations import Observations
from framecast.domains.solar.options import PrepareOptions
from framecast.domains.solar.prepare import prepare
from framecast.domains.solar.projection import unproject
from framecast.domains.solar.radiometry import Radiometry
from framecast.domains.solar.tracks import Track
from framecast.videos.frames import FrameSpec

_FURTHEST = 85.0
"""Degrees from the middle of the disk up to which the region is followed; the model's own limits are checked later."""


def issue_frame(observations: Observations, frames: FrameSpec, time: np.datetime64) -> FrameHeader:
    """Return the image of the first past channel nearest to ``time``: where the region is pointed to in.

    Raises:
        DataError: there is none within a tenth of the cadence.
    """
    wavelength = int(frames.past_channels[0])
    near = observations.nearest(wavelength, time)
    if near is None or abs(near.time - time) > slack(frames):
        raise DataError(f"there is no image of {wavelength} Å at {minute(time)}, in which the region could be found")
    return near


def point(header: FrameHeader, center: tuple[float, float]) -> Track:
    """Return the point of the surface that ``header``'s image shows at ``center`` (helioprojective x and y, arcsec).

    Raises:
        ConfigError: it shows the sky there.
    """
    x, y = center
    longitude, latitude = (float(angle) for angle in unproject(x, y, header.observer))
    if np.isnan(longitude):
        raise ConfigError(
            f"the centre ({x:g}″, {y:g}″) is beyond the limb, which is {header.observer.limb:.0f}″ from the middle of "
            "the disk: give helioprojective x (to the west) and y (to the north) of a point on the disk"
        )
    day = str(header.time.astype("datetime64[m]")).replace("-", "").replace(":", "")
    return Track(name=f"{day}_x{x:+.0f}_y{y:+.0f}", longitude=longitude, latitude=latitude, reference=header.time)


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
    """Return how far a frame may be from its exact time: a tenth of the cadence, as in training."""
    return np.timedelta64(round(100 * frames.cadence), "ms")


def minute(time: np.datetime64) -> str:
    """Return ``time`` for a person."""
    return str(time.astype("datetime64[m]")).replace("T", " ")
