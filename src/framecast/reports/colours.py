"""From physical values to colours and pictures.

Colour maps are those of the data's domain if it defines them, perceptually uniform ones otherwise: inferno for what has
one sign, purple over white to orange for signed quantities; both are suitable for every kind of colour vision. One
range of brightness serves all pictures of a case, so that they can be compared. In a picture row 0 is lowest.
"""

from dataclasses import dataclass
from functools import cache

import matplotlib
import numpy as np
from matplotlib.colors import Colormap
from PIL import Image, ImageFont

from framecast.core.domain import Domain
from framecast.videos.units import convertible

SIGNED = "PuOr_r"
"""Name of the colour map for quantities that may be above or below zero."""


_LEAST = 0.1  # smallest ratio of the extreme values of the two signs for a field to count as signed


def colour_map(channel: str, domain: Domain) -> Colormap:
    """Return the colours for ``channel`` of data of ``domain``; see `SIGNED` for those of values of both signs."""
    return domain.colours(channel) or matplotlib.colormaps["inferno"]


def is_signed(values: np.ndarray, unit: str) -> bool:
    """Whether ``values`` have both signs and a physical zero, as velocities have; °C and dBZ do not."""
    known = values[np.isfinite(values)]
    low, high = (float(value) for value in np.percentile(known, [0.2, 99.8])) if known.size else (0.0, 0.0)
    both = low < 0 < high and min(-low, high) > _LEAST * max(-low, high)
    return both and not unit.lower().startswith("db") and not convertible(unit, "K")  # last: it loads pint


@dataclass(frozen=True)
class Brightness:
    """From physical values to 0 … 1: linear, or asinh for values over several decades.

    Attributes:
        low: shown as 0.
        high: shown as 1.
        softening: value at which asinh changes from linear to logarithmic; ``None`` for a linear scale.
        signed: whether the scale is symmetric about 0; ``low`` is then minus ``high``.
    """

    low: float
    high: float
    softening: float | None
    signed: bool = False

    @classmethod
    def of(cls, observed: np.ndarray, *, signed: bool = False) -> "Brightness":
        """Return a range that shows ``observed`` well: its 0.5 and 99.8 percentiles; around 0 if it is ``signed``."""
        known = observed[np.isfinite(observed)]
        if not known.size:
            return cls(0.0, 1.0, None)
        if signed:
            typical, most = np.percentile(np.abs(known), [75, 99.8]).tolist()
            most = most or 1.0
            return cls(-most, most, max(typical, 0.05 * most) if typical < 0.25 * most else None, signed=True)
        low, middle, bright, high = np.percentile(known, [0.5, 50, 75, 99.8]).tolist()
        if not high > low:
            high = max(low + 1.0, float(known.max()))
        skewed = high - middle > 3 * (middle - low)
        return cls(low, high, max(2 * (bright - low), 0.01 * (high - low)) if skewed else None)

    @classmethod
    def of_spread(cls, spread: np.ndarray, like: "Brightness") -> "Brightness":
        """Return a range from 0 for ``spread``, on the same kind of scale as ``like``."""
        known = spread[np.isfinite(spread)]
        high = max(float(np.percentile(known, 99.8)), 1e-30) if known.size else 1.0
        whole = like.high if like.signed else like.high - like.low
        return cls(0.0, high, None if like.softening is None else like.softening * high / whole)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return ``values`` on the scale of 0 … 1."""
        start, scale = self._line
        x = (values - start) / scale
        if self.softening is not None:
            x = np.arcsinh(x * scale / self.softening) / np.arcsinh(scale / self.softening)
        return np.clip((x + 1) / 2 if self.signed else x, 0, 1)

    @property
    def _line(self) -> tuple[float, float]:
        return (0.0, self.high) if self.signed else (self.low, self.high - self.low)

    def value(self, shade: float) -> float:
        """Return the physical value of a position from 0 to 1 on the scale; the inverse of the call."""
        (start, scale), x = self._line, 2 * shade - 1 if self.signed else shade
        if self.softening is None:
            return start + x * scale
        return start + self.softening * float(np.sinh(x * np.arcsinh(scale / self.softening)))

    def describe(self, unit: str) -> str:
        """Return the range in words."""
        curve = "asinh scale" if self.softening is not None else "linear scale"
        return f"{self.low:.3g} to {self.high:.3g} {unit}, {curve}".replace(" ,", ",")


MASKED = (38, 41, 48)

_LARGEST = 384


def tile(values: np.ndarray, masked: np.ndarray, colours: Colormap, size: tuple[int, int]) -> Image.Image:
    """Return values of 0 … 1 ``[y, x]`` as a picture of ``size`` (width, height) pixels, smoothly enlarged."""
    grey = Image.fromarray(np.where(masked, 0.0, values)[::-1].astype(np.float32)).resize(
        size, Image.Resampling.BICUBIC
    )
    picture = (colours(np.clip(np.asarray(grey), 0, 1))[..., :3] * 255).round().astype(np.uint8)
    if masked.any():
        hidden = Image.fromarray(np.ascontiguousarray(masked[::-1])).resize(size, Image.Resampling.NEAREST)
        picture[np.asarray(hidden)] = MASKED
    return Image.fromarray(picture)


def tile_size(shape: tuple[int, int], wanted: int, *, enlarge_only: bool = False) -> tuple[int, int]:
    """Return width and height of a tile for frames of ``shape`` (height, width) whose longer side is ``wanted`` pixels.

    With ``enlarge_only`` larger frames keep their size, up to 384 pixels.
    """
    height, width = shape
    longer = min(max(wanted, height, width), max(wanted, _LARGEST)) if enlarge_only else wanted
    scale = longer / max(height, width)
    return max(1, round(width * scale)), max(1, round(height * scale))


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Return the sans-serif font that comes with matplotlib."""
    from matplotlib import font_manager

    return ImageFont.truetype(font_manager.findfont("DejaVu Sans"), size)
