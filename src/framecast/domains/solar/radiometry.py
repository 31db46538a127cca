"""What is done to the pixels of an image before it is cut: hits, offset, exposure and ageing undone.

The order is that of the signal's way through the instrument, backward: hits fall on the detector, the electronics add
an offset (SOHO/EIT), the exposure gathers, and before all that the ageing optics let less light through.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from framecast.domains.solar.degradation import CorrectionTable
from framecast.domains.solar.despike import Despiking
from framecast.domains.solar.image import FrameHeader, SolarImage
from framecast.domains.solar.options import RadiometryOptions

_CORNER = 16
"""A corner is so many times smaller than the image."""


@dataclass(frozen=True, kw_only=True)
class Radiometry:
    """From the pixels of a file to DN/s.

    Attributes:
        despiking: how hits of particles are found and replaced; None leaves them.
        degradation: the table by which the ageing of the instrument is undone; None leaves it.
    """

    despiking: Despiking | None = None
    degradation: CorrectionTable | None = None

    @classmethod
    def of(cls, options: RadiometryOptions) -> "Radiometry":
        """Return what ``options`` ask for.

        Raises:
            DataError: the correction table cannot be read or fetched.
        """
        table = None if options.degradation is None else CorrectionTable.read(options.degradation)
        return cls(despiking=Despiking() if options.despike else None, degradation=table)

    def rate(self, image: SolarImage) -> npt.NDArray[np.float32]:
        """Return the pixels of ``image`` in DN/s, ``[row, column]``, NaN where there is none.

        Raises:
            DataError: the file gives no exposure time, or the table nothing for its channel and day.
        """
        if self.despiking is not None:
            image = SolarImage(header=image.header, data=self.despiking(image.data))
        if offset := pedestal(image):
            image = SolarImage(header=image.header, data=image.data - np.float32(offset))
        factor = self.factor(image.header)
        return image.rate if factor == 1 else image.rate / np.float32(factor)

    def factor(self, header: FrameHeader) -> float:
        """Return the fraction of light that the instrument still registered, by which the pixels are divided."""
        return 1.0 if self.degradation is None else self.degradation.factor(header.wavelength, header.time)

    def history(self, *, per_second: bool, instrument: str = "AIA") -> list[str]:
        """Return the steps in words; ``per_second`` if the files had their exposure divided out already."""
        steps = [] if self.despiking is None else [self.despiking.describe()]
        if "EIT" in instrument and not per_second:
            steps.append("the pedestal subtracted: the median of each image's corners")
        steps.append("already in DN/s" if per_second else "divided by the exposure time (DN/s)")
        return steps if self.degradation is None else [*steps, self.degradation.describe()]

    def provenance(self) -> dict[str, Any]:
        """Return the settings of the steps as JSON values; a step left out is null."""
        steps = {"despiking": self.despiking, "degradation": self.degradation}
        return {name: None if step is None else step.provenance() for name, step in steps.items()}


def pedestal(image: SolarImage) -> float:
    """Return the offset in the DN of ``image``: the median of its corners for EIT, 0 for all others.

    EIT's electronics add about 840 DN to each pixel, and its files keep them. Divided by the exposure they would look
    like a bright sky whose brightness changes with the shutter. The offset drifts over the years, so it is taken from
    each image: the corners look two radii past the Sun's middle, where nothing shines at these wavelengths. Where they
    are not dark sky (a part of the disk only), it is 0.
    """
    header = image.header
    if "EIT" not in header.instrument or header.per_second:
        return 0.0
    rows, columns = image.data.shape
    high, wide = max(1, rows // _CORNER), max(1, columns // _CORNER)
    half = 0.5 * np.hypot(rows - 2 * high, columns - 2 * wide) * header.pointing.scale
    if half < 1.5 * header.observer.limb:
        return 0.0
    corners = [image.data[r, c] for r in (np.s_[:high], np.s_[-high:]) for c in (np.s_[:wide], np.s_[-wide:])]
    return float(np.nanmedian(np.concatenate([corner.ravel() for corner in corners])))
