"""One moment of a series to the frames of all regions seen then: every file is read once."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from framecast.core.errors import ConfigError, DataError
from framecast.domains.solar.cut import cut
from framecast.domains.solar.observations import Rejected, Slot
from framecast.domains.solar.radiometry import Radiometry
from framecast.domains.solar.reader import read_image

OffLimb = Literal["mask", "keep"]


@dataclass(frozen=True, kw_only=True)
class View:
    """How every region is seen.

    Attributes:
        height: rows.
        width: columns.
        pixel: side of a pixel in arcsec. The default, 4.8 arcsec, is two pixels of AIA's synoptic images and the
            resolution at which Francisco et al. (2024, arXiv 2410.20843) train: 64 pixels span 307 arcsec, an active
            region and its surroundings, and 128 pixels the paper's 614 arcsec. Up to 45° from the middle of the disk
            a square of 64 pixels lies on the disk entirely.
        off_limb: ``mask`` the pixels beyond the limb, or ``keep`` the corona seen there.
    """

    height: int = 64
    width: int = 64
    pixel: float = 4.8
    off_limb: OffLimb = "mask"

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ConfigError(f"size is {self.height}x{self.width}; it must be at least one row and one column")
        if not 0.1 <= self.pixel <= 120:
            raise ConfigError(f"pixels of {self.pixel:g} arcsec; they must measure from 0.1 to 120 arcsec")
        if self.off_limb not in ("mask", "keep"):
            raise ConfigError(f"off_limb is {self.off_limb!r}; it can be mask or keep")


@dataclass(frozen=True)
class Job:
    """One moment to cut: the positions (arcsec) of all regions seen then, how to calibrate it and how to see them."""

    slot: Slot
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    view: View
    radiometry: Radiometry


@dataclass(frozen=True)
class Extract:
    """What came of a `Job`: ``[region, channel, row, column]`` in DN/s, missing pixels per file, and failures."""

    intensity: npt.NDArray[np.float32]
    missing: tuple[int, ...]
    failed: tuple[Rejected, ...]


def extract(job: Job) -> Extract:
    """Read the files of one moment, once each, and cut all regions seen in them."""
    regions, view = len(job.x), job.view
    intensity = np.full((regions, len(job.slot.frames), view.height, view.width), np.nan, np.float32)
    missing, failed = [], []
    for channel, frame in enumerate(job.slot.frames):
        if frame is None:
            continue
        try:
            image = read_image(frame.path)
        except DataError as error:
            failed.append(Rejected(frame.path, str(error)))
            continue
        missing.append(int(np.isnan(image.data).sum()))
        intensity[:, channel] = cut(
            job.radiometry.rate(image),
            frame.pointing,
            job.x,
            job.y,
            pixel=view.pixel,
            height=view.height,
            width=view.width,
            limb=frame.observer.limb if view.off_limb == "mask" else None,
        )
    return Extract(intensity, tuple(missing), tuple(failed))
