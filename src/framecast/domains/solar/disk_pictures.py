"""Full-disk pictures without a header, such as the JPEG of SDO/HMI: options replace the header.

The disk's centre and radius in pixels give the pointing, once the angular radius of the Sun is known, which follows
from the time; the time is in the name of the file. Solar north is assumed to be up, and the observer at the Earth
(SDO and the observatories on the ground see the Sun from there to within 0.01°). A byte b stands for
``(b − zero) · step`` of the unit; the first and the last byte may mean "this or more".
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from framecast.core.errors import DataError
from framecast.domains.solar.fits_header import earth_observer
from framecast.domains.solar.image import FrameHeader, Pointing, SolarImage
from framecast.domains.solar.options import Disk
from framecast.domains.solar.projection import ARCSEC
from framecast.importers.filenames import times_in_names
from framecast.importers.options import ImportOptions
from framecast.importers.pictures import open_picture

_NOTE = "a picture: pointing from --disk, north assumed to be up, the observer at the Earth"


def read_picture_header(path: Path, disk: Disk) -> FrameHeader:
    """Return the header of the picture from the name of ``path`` and ``disk``.

    Raises:
        DataError: it is not a grey picture, its name contains no time, or the disk is not in it.
    """
    time, shape = _time(path, disk), _pixels(path).shape
    observer = earth_observer(time)
    scale = float(np.tan(observer.limb / ARCSEC) * ARCSEC / disk.radius)
    if not (0 <= disk.column < shape[1] and 0 <= disk.row < shape[0]):
        raise DataError(
            f"{path} has {shape[0]}x{shape[1]} pixels, and --disk places the middle of the Sun in column "
            f"{disk.column:g} and row {disk.row:g}: give column, row and radius in pixels of these pictures"
        )
    return FrameHeader(
        path=path,
        time=time,
        wavelength=disk.wavelength,
        exposure=float("nan"),
        quality=0,
        unit=disk.unit,
        instrument="pictures",
        shape=shape,
        pointing=Pointing(
            pixel=(disk.column, shape[0] - 1 - disk.row), direction=(0.0, 0.0), matrix=((scale, 0.0), (0.0, scale))
        ),
        observer=observer,
        notes=(_NOTE,),
        disk=disk,
    )


def read_picture(header: FrameHeader) -> SolarImage:
    """Return the picture in its unit, row 0 southernmost; of signed values those beyond the disk are NaN.

    Raises:
        DataError: it can no longer be read, or has another size than its header.
    """
    disk, pixels = header.disk, _pixels(header.path)
    assert disk is not None
    if pixels.shape != header.shape:
        raise DataError(f"{header.path} has changed since its header was read: rerun the command")
    values = ((pixels.astype(np.float32) - np.float32(disk.zero)) * np.float32(disk.step))[::-1].copy()
    if disk.zero > 0:  # the black sky around a magnetogram is not a measured field
        row, column = np.ogrid[: values.shape[0], : values.shape[1]]
        middle = header.pointing.pixel
        values[np.hypot(column - middle[0], row - middle[1]) > disk.radius] = np.nan
    return SolarImage(header=header, data=values)


def _time(path: Path, disk: Disk) -> np.datetime64:
    times, how = times_in_names([path], disk.pattern)
    if not np.issubdtype(times.dtype, np.datetime64) or np.isnat(times[0]):
        raise DataError(
            f"{path} has no time in its name ({how}): give the pattern of the names with --time-pattern, such as "
            "HMI.m%Y.%m.%d_%H.%M.%S"
        )
    return times[0]


def _pixels(path: Path) -> npt.NDArray[np.generic]:
    try:
        picture = open_picture(path, ImportOptions())
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{path} cannot be read as a picture: {' '.join(str(error).split())}") from None
    if "grey" not in picture or picture["grey"].ndim != 2:
        raise DataError(f"{path} is not a single picture in shades of grey: with --disk all files must be")
    return picture["grey"].values
