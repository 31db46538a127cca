"""From physical values to shades: one range for all pictures of a case, so that they can be compared."""

from dataclasses import dataclass

import numpy as np


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
            typical, most = (float(value) for value in np.percentile(np.abs(known), [75, 99.8]))
            most = most or 1.0
            return cls(-most, most, max(typical, 0.05 * most) if typical < 0.25 * most else None, signed=True)
        low, middle, bright, high = (float(value) for value in np.percentile(known, [0.5, 50, 75, 99.8]))
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
        if self.signed:
            bend = self.softening
            x = values / self.high if bend is None else np.arcsinh(values / bend) / np.arcsinh(self.high / bend)
            return np.clip((x + 1) / 2, 0, 1)
        x = (values - self.low) / (self.high - self.low)
        if self.softening is not None:
            bend = self.softening / (self.high - self.low)
            x = np.arcsinh(x / bend) / np.arcsinh(1 / bend)
        return np.clip(x, 0, 1)

    def value(self, shade: float) -> float:
        """Return the physical value of a position from 0 to 1 on the scale; the inverse of the call."""
        scale, start, x = (self.high, 0.0, 2 * shade - 1) if self.signed else (self.high - self.low, self.low, shade)
        if self.softening is None:
            return start + x * scale
        return start + self.softening * float(np.sinh(x * np.arcsinh(scale / self.softening)))

    def describe(self, unit: str) -> str:
        """Return the range in words."""
        curve = "asinh scale" if self.softening is not None else "linear scale"
        return f"{self.low:.3g} to {self.high:.3g} {unit}, {curve}".replace(" ,", ",")
