"""The offset under every pixel of SOHO/EIT.

EIT's electronics add about 840 DN to each pixel, and its files keep them. Divided by the exposure they would look like
a bright sky whose brightness changes with the shutter. The offset drifts over the years, so it is taken from each
image: the corners look two radii past the Sun's middle, where nothing shines at these wavelengths.
"""

import numpy as np

from framecast.domains.solar.image import SolarImage

_CORNER = 16
"""A corner is so many times smaller than the image."""


def pedestal(image: SolarImage) -> float:
    """Return the offset in the DN of ``image``: the median of its corners for EIT, 0 for all others.

    It is 0 as well where the corners are not dark sky (a part of the disk only).
    """
    if "EIT" not in image.header.instrument or image.header.per_second:
        return 0.0
    rows, columns = image.data.shape
    high, wide = max(1, rows // _CORNER), max(1, columns // _CORNER)
    header = image.header
    corners = [image.data[r, c] for r in (np.s_[:high], np.s_[-high:]) for c in (np.s_[:wide], np.s_[-wide:])]
    half = 0.5 * np.hypot(rows - 2 * high, columns - 2 * wide) * header.pointing.scale
    if half < 1.5 * header.observer.limb:
        return 0.0
    return float(np.nanmedian(np.concatenate([corner.ravel() for corner in corners])))
