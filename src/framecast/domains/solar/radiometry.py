"""What is done to the pixels of an image before it is cut: hits, offset, exposure and ageing undone.

The order is that of the signal's way through the instrument, backward: hits fall on the detector, the electronics add
an offset (SOHO/EIT), the exposure gathers, and before all that the ageing optics let less light through. Each step
says what it did, so that an archive can tell its history.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from framecast.domains.solar.degradation import CorrectionTable
from framecast.domains.solar.despike import Despiking
from framecast.domains.solar.image import FrameHeader, SolarImage
from framecast.domains.solar.pedestal import pedestal


@dataclass(frozen=True, kw_only=True)
class Radiometry:
    """From the pixels of a file to DN/s.

    Attributes:
        despiking: how hits of particles are found and replaced; None leaves them.
        degradation: the table by which the ageing of the instrument is undone; None leaves it.
    """

    despiking: Despiking | None = None
    degradation: CorrectionTable | None = None

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
        """Return the share of light that the instrument still registered, by which the pixels are divided."""
        return 1.0 if self.degradation is None else self.degradation.factor(header.wavelength, header.time)

    def history(self, *, per_second: bool, instrument: str = "AIA") -> list[str]:
        """Return the steps in words, in order.

        Args:
            per_second: whether the files had their exposure divided out already.
            instrument: its name.
        """
        steps = [] if self.despiking is None else [self.despiking.describe()]
        if "EIT" in instrument and not per_second:
            steps.append("the pedestal subtracted: the median of each image's corners")
        steps.append("already in DN/s" if per_second else "divided by the exposure time (DN/s)")
        return steps if self.degradation is None else [*steps, self.degradation.describe()]

    def provenance(self) -> dict[str, Any]:
        """Return the settings of the steps as JSON values; a step left out is null."""
        return {
            "despiking": None if self.despiking is None else self.despiking.provenance(),
            "degradation": None if self.degradation is None else self.degradation.provenance(),
        }
