"""Whether a file is the image that was asked for."""

from pathlib import Path

import numpy as np

from framecast.core.errors import DataError
from framecast.domains.solar.fetch.sources import Wanted
from framecast.domains.solar.reader import read_image


class OtherImageError(DataError):
    """An image, whole, and another one than was asked for; asking again brings the same."""

    final = True


def check(path: Path, wanted: Wanted, *, tolerance: float) -> str:
    """Return DATE-OBS of the image in the file ``path``, after it was opened and its pixels were decoded.

    Args:
        path: the file.
        wanted: what it should be.
        tolerance: seconds that may lie between its time and that asked for.

    Raises:
        OtherImageError: its wavelength or time is another.
        DataError: it is no image, or not whole.
    """
    try:
        header = read_image(path).header
    except DataError as error:
        raise DataError(str(error).replace(f"{path} ", "what came ", 1)) from None
    if header.wavelength != wanted.wavelength:
        raise OtherImageError(f"its header says {header.wavelength} Å")
    away = abs((header.time - wanted.time) / np.timedelta64(1, "s"))
    if away > tolerance:
        raise OtherImageError(f"its header says {str(header.time)[:19]}, {away:.0f} s from the time asked for")
    return str(header.time.astype("datetime64[ms]"))
