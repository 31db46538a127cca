"""Numbers as text: few digits, a true minus sign, a dash for missing values; lead times in suitable units."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from framecast.verification.scores import Estimate
from framecast.videos.units import shown

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_THIN = "\u202f"


def short(value: float | Estimate) -> str:
    """Return three digits, and a power of ten where there would be more than six before the point; a dash for NaN."""
    value = float(value)
    if not np.isfinite(value):
        return "–"
    if abs(value) >= 1e6 or 0 < abs(value) < 1e-3:
        mantissa, power = f"{value:.2e}".split("e")
        return f"{mantissa} × {ten_to(int(power))}".replace("-", "−")
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", _THIN).replace("-", "−")
    return (f"{value:.3g}" if abs(value) < 100 else f"{value:.1f}").replace("-", "−")


def ten_to(power: int) -> str:
    """Return a power of ten: ``10⁶``."""
    return f"10{str(power).translate(_SUPERSCRIPT)}"


def percent(value: float | Estimate, *, signed: bool = False) -> str:
    """Return a fraction in percent, with one digit after the point; a dash for NaN."""
    value = float(value)
    if not np.isfinite(value):
        return "–"
    return (f"{100 * value:+.1f}" if signed else f"{100 * value:.1f}").replace("-", "−") + f"{_THIN}%"


def span(bounds: Iterable[float], *, as_percent: bool = False) -> str:
    """Return both ends of an interval, or nothing where there is none."""
    low, high = (float(end) for end in bounds)
    if not np.isfinite([low, high]).all():
        return ""
    if as_percent:
        return f"{100 * low:.1f} … {100 * high:.1f}".replace("-", "−")
    return f"{short(low)} … {short(high)}"


def with_unit(text: str, unit: str) -> str:
    """Return ``text (unit)``, or the text alone where there is no unit."""
    return f"{text} ({unit})" if shown(unit) else text


def inline(label: str) -> str:
    """Return a label as written within a sentence: ``peak total``, but ``CRPS``."""
    return label if label[1:2].isupper() else label[:1].lower() + label[1:]


def listed(names: Sequence[str]) -> str:
    """Return a list of names as text: a, b and c."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def counted(number: int, noun: str) -> str:
    """Return a number and its noun, in the plural where there is not exactly one."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@dataclass(frozen=True)
class Clock:
    """The unit in which a set of lead times is given.

    Attributes:
        unit: ``s``, ``min``, ``h`` or ``d``.
        seconds: length of the unit.
    """

    unit: str
    seconds: float

    @classmethod
    def of(cls, longest: float) -> "Clock":
        """Return the clock for lead times of up to ``longest`` seconds."""
        if longest < 300:
            return cls("s", 1.0)
        if longest < 2 * 3600:
            return cls("min", 60.0)
        if longest <= 7 * 86400:
            return cls("h", 3600.0)
        return cls("d", 86400.0)

    @property
    def name(self) -> str:
        """The unit in full."""
        return {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}[self.unit]

    def number(self, seconds: float) -> float:
        """Return ``seconds`` in this unit."""
        return seconds / self.seconds

    def text(self, seconds: float, *, sign: bool = False) -> str:
        """Return ``seconds`` in words, with a sign before it if wanted: ``6 h``, ``+6 h``, ``−30 min``."""
        value = f"{self.number(seconds):+.3g}" if sign else f"{self.number(seconds):.3g}"
        return f"{value} {self.unit}".replace("-", "−")
