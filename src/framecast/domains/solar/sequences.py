"""What an archive of regions says beside its pixels: where each region was, and how everything was made."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from framecast._version import __version__
from framecast.core.domain import ATTRIBUTE
from framecast.data.archive.writer import ArchiveWriter
from framecast.domains.solar import NAME
from framecast.domains.solar.cut import offsets
from framecast.domains.solar.extract import View
from framecast.domains.solar.observations import Series
from framecast.domains.solar.quality import NO_IMAGE
from framecast.domains.solar.radiometry import Radiometry
from framecast.domains.solar.rotation import Rotation
from framecast.domains.solar.tracks import Passage


def announce(writer: ArchiveWriter, passage: Passage, series: Series, view: View, radiometry: Radiometry) -> None:
    """Create the sequence of a region, with all that is known of it before its pixels are."""
    slots = [series.slots[index] for index in passage.indices]
    frames = [slot.frames for slot in slots]
    not_a_time = np.datetime64("NaT", "ns")
    time_channel = ("time", "channel")
    writer.create(
        passage.track.name,
        np.array([slot.time for slot in slots]),
        coords={
            "y": ("y", offsets(view.height, view.pixel), {"units": "arcsec", "long_name": "north of the middle"}),
            "x": ("x", offsets(view.width, view.pixel), {"units": "arcsec", "long_name": "west of the middle"}),
            "hpc_x": ("time", passage.x, {"units": "arcsec", "long_name": "helioprojective x of the middle"}),
            "hpc_y": ("time", passage.y, {"units": "arcsec", "long_name": "helioprojective y of the middle"}),
            "mu": ("time", passage.mu, {"long_name": "cosine of the heliocentric angle of the middle"}),
            "carrington_longitude": (
                "time",
                passage.longitude,
                {"units": "degree", "long_name": "Carrington longitude of the middle"},
            ),
        },
        variables={
            "observed": (
                time_channel,
                np.array([[not_a_time if f is None else f.time for f in row] for row in frames]),
                {"long_name": "start of the exposure, UTC"},
            ),
            "exposure": (
                time_channel,
                np.array([[np.nan if f is None else f.exposure for f in row] for row in frames]),
                {"units": "s", "long_name": "exposure time that was divided out"},
            ),
            "degradation": (
                time_channel,
                np.array([[np.nan if f is None else radiometry.factor(f) for f in row] for row in frames]),
                {"long_name": "share of the light still registered that was divided out; 1 where none was"},
            ),
            "quality_word": (
                time_channel,
                np.array([[1 << NO_IMAGE if f is None else f.quality for f in row] for row in frames], np.int64),
                {"long_name": "QUALITY of the file, bit 31 where there is none"},
            ),
            "source": (
                time_channel,
                np.array([["" if f is None else f.path.name for f in row] for row in frames], object),
                {"long_name": "name of the file"},
            ),
        },
        attrs={
            "carrington_longitude": passage.track.longitude,
            "latitude": passage.track.latitude,
            "reference_time": str(passage.track.reference),
        }
        | ({"region": passage.track.region} if passage.track.region else {}),
    )


def provenance(
    source: str | Path,
    series: Series,
    view: View,
    radiometry: Radiometry,
    *,
    angle: float,
    longitude: float | None,
    latitude: float | None,
    places: str | float,
    rotation: Rotation,
    accepted: Sequence[int],
    excluded: int,
) -> dict[str, Any]:
    """Return what a reader of the archive needs to know of its making.

    Args:
        source: folder of the files.
        series: what was used of them.
        view: how the regions are seen.
        radiometry: what was done to the pixels.
        angle: limits of the positions on the disk, in degrees.
        longitude: see ``angle``.
        latitude: see ``angle``.
        places: name of the table of regions, or spacing of the grid in degrees.
        rotation: the law they follow.
        accepted: bits of the quality word that do not matter.
        excluded: images left out because a list said so.
    """
    import sunpy

    present = [frame for slot in series.slots for frame in slot.frames if frame is not None]
    return {
        ATTRIBUTE: NAME,
        "title": "Regions tracked through solar rotation",
        "source": Path(source).absolute().name,
        "instrument": ", ".join(sorted({frame.instrument for frame in present})),
        "history": [
            "FITS read by their headers; blank pixels masked",
            *radiometry.history(per_second=present[0].per_second, instrument=present[0].instrument),
            "cut with one cubic interpolation, averaged over each pixel, solar north up",
            "pixels beyond the limb masked" if view.off_limb == "mask" else "pixels beyond the limb kept",
        ],
        "radiometry": radiometry.provenance(),
        "rotation": f"{rotation} (sunpy {sunpy.__version__}, sidereal)",
        "pixel_arcsec": view.pixel,
        "off_limb": view.off_limb,
        "field_of_view_arcsec": [view.height * view.pixel, view.width * view.pixel],
        "largest_heliocentric_angle_degree": angle,
        "largest_longitude_degree": longitude,
        "largest_latitude_degree": latitude,
        "regions": places if isinstance(places, str) else f"grid of {places:g} degrees",
        "excluded_images": excluded,
        "accepted_quality_bits": sorted(accepted),
        "tolerance_seconds": series.tolerance,
        "independent_sequences": False,
        "created_by": f"framecast {__version__}",
    }
