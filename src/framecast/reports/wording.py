"""Figures in words: as many digits as one reads, a true minus sign, a dash where there is no value."""

from collections.abc import Sequence

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_THIN = "\u202f"


def short(value: float | None) -> str:
    """Return three digits, and a power of ten where there would be more than six before the point."""
    if value is None:
        return "–"
    if abs(value) >= 1e6 or 0 < abs(value) < 1e-3:
        mantissa, power = f"{value:.2e}".split("e")
        return f"{mantissa} × 10{str(int(power)).translate(_SUPERSCRIPT)}".replace("-", "−")
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", _THIN).replace("-", "−")
    return (f"{value:.3g}" if abs(value) < 100 else f"{value:.1f}").replace("-", "−")


def percent(value: float | None, *, signed: bool = False) -> str:
    """Return a share in percent, with one digit after the point."""
    if value is None:
        return "–"
    return (f"{100 * value:+.1f}" if signed else f"{100 * value:.1f}").replace("-", "−") + f"{_THIN}%"


def span(bounds: Sequence[float | None], *, as_percent: bool = False) -> str:
    """Return both ends of an interval, or nothing where there is none."""
    low, high = bounds
    if low is None or high is None:
        return ""
    if as_percent:
        return f"{100 * low:.1f} … {100 * high:.1f}".replace("-", "−")
    return f"{short(low)} … {short(high)}"


def listed(names: Sequence[str]) -> str:
    """Return names as one says them: a, b and c."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def counted(number: int, noun: str) -> str:
    """Return a number and its noun, in the plural where there is not exactly one."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
