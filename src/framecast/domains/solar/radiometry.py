"""Radiometric processing of an image before it is cut: removal of hits, offset, exposure and degradation.

The order is the reverse of the signal's path through the instrument: hits fall on the detector, the electronics add
an offset (SOHO/EIT) and end at their largest number (saturation), the exposure gathers, and before all that the ageing
optics let less light through.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from framecast.core.errors import DataError
from framecast.domains.solar.degradation import CorrectionTable
from framecast.domains.solar.despike import Despiking
from framecast.domains.solar.image import FrameHeader, SolarImage
from framecast.domains.solar.options import RadiometryOptions

_CORNER = 16
"""Ratio of the sides of the image and of a corner."""


@dataclass(frozen=True, kw_only=True)
class Radiometry:
    """From the pixels of a file to DN/s, or to the unit of an image that is not of counts.

    Attributes:
        despiking: how hits of particles are found and replaced; None keeps them.
        degradation: the table for the correction of degradation; None for no correction.
        saturation: DN of a file above which a pixel is saturated; None is the instrument's, 0 keeps such pixels.
        bleeding: arcsec around a saturated pixel into which its charge may have spilt.
    """

    despiking: Despiking | None = None
    degradation: CorrectionTable | None = None
    saturation: float | None = None
    bleeding: float = 1.8

    @classmethod
    def of(cls, options: RadiometryOptions) -> "Radiometry":
        """Return the processing selected by ``options``.

        Raises:
            DataError: the correction table cannot be read or fetched.
        """
        table = None if options.degradation is None else CorrectionTable.read(options.degradation)
        return cls(
            despiking=Despiking() if options.despike else None,
            degradation=table,
            saturation=options.saturation,
            bleeding=options.bleeding,
        )

    def as_in_training(self, images: Mapping[str, Any]) -> "Radiometry":
        """Return this with saturated pixels treated as in the archive that a model was trained on.

        ``images`` is the model's record of it. Archives without this record were made before saturated pixels were
        masked, and kept them.
        """
        trained = images.get("radiometry")
        kept = trained.get("saturation", 0.0) if isinstance(trained, Mapping) else 0.0
        return replace(self, saturation=kept)

    def rate(self, image: SolarImage) -> npt.NDArray[np.float32]:
        """Return the pixels of ``image`` in its `FrameHeader.final_unit`, ``[row, column]``, NaN where there is none.

        Saturated pixels have the value that they have in the file; see `saturated`.

        Raises:
            DataError: counts without an exposure time, a step for counts with an image in another unit, or a table
                without its channel and day.
        """
        header = image.header
        if not header.counts and (self.despiking is not None or self.degradation is not None):
            raise DataError(
                f"{header.path} is in {header.unit}: despiking and degradation correction need counts (DN): "
                "prepare it without --despike and --degradation"
            )
        if self.despiking is not None:
            image = replace(image, data=self.despiking(image.data))
        if offset := pedestal(image):
            image = replace(image, data=image.data - np.float32(offset))
        factor = self.factor(header)
        return image.rate if factor == 1 else image.rate / np.float32(factor)

    def saturated(self, image: SolarImage) -> npt.NDArray[np.bool_]:
        """Return which pixels ``[row, column]`` of ``image`` are saturated, without those that they bled into."""
        level = image.saturation if self.saturation is None else self.saturation or np.inf
        with np.errstate(invalid="ignore"):
            found: npt.NDArray[np.bool_] = image.data > level
        return found

    def spoilt(self, image: SolarImage) -> npt.NDArray[np.bool_]:
        """Return which pixels ``[row, column]`` are saturated, or near enough to one that its charge may have come."""
        saturated = self.saturated(image)
        margin = int(np.ceil(self.bleeding / image.header.pointing.scale))
        if not margin or not saturated.any():
            return saturated
        square = np.ones((2 * margin + 1, 2 * margin + 1), bool)
        return np.asarray(ndimage.binary_dilation(saturated, square), bool)

    def factor(self, header: FrameHeader) -> float:
        """Return the fraction of light that the instrument still registered, by which the pixels are divided."""
        return 1.0 if self.degradation is None else self.degradation.factor(header.wavelength, header.time)

    def history(self, headers: Iterable[FrameHeader]) -> list[str]:
        """Return the steps for images with these ``headers`` in words."""
        headers = list(headers)
        steps = [] if self.despiking is None else [self.despiking.describe()]
        if any(header.counts for header in headers):
            level = "above the instrument's level" if self.saturation is None else f"above {self.saturation:g} DN"
            masked = f"saturated pixels ({level}) masked, and {self.bleeding:g} arcsec around them"
            steps.append("saturated pixels kept" if self.saturation == 0 else masked)
        if any("EIT" in header.instrument and not header.per_second for header in headers):
            steps.append("the pedestal subtracted: the median of each image's corners")
        rates = [header.per_second for header in headers if header.counts]
        units = ", ".join(dict.fromkeys(header.final_unit for header in headers))
        if not all(rates):
            already = ", where the file had not done so" if any(rates) else ""
            steps.append(f"divided by the exposure time ({units}){already}")
        else:
            steps.append(f"already in {units}")
        return steps if self.degradation is None else [*steps, self.degradation.describe()]

    def provenance(self) -> dict[str, Any]:
        """Return the settings of the steps as JSON values; a step left out is null."""
        steps = {"despiking": self.despiking, "degradation": self.degradation}
        known = {name: None if step is None else step.provenance() for name, step in steps.items()}
        return known | {"saturation": self.saturation, "bleeding_arcsec": self.bleeding}


def pedestal(image: SolarImage) -> float:
    """Return the offset in the DN of ``image``: the median of its corners for EIT, 0 for all others.

    EIT's electronics add about 840 DN to each pixel, and its files keep them. Divided by the exposure they would look
    like a bright sky whose brightness changes with the shutter. The offset drifts over the years, so it is taken from
    each image: the corners are two radii from the Sun's centre, where it is dark at these wavelengths. Where they
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
