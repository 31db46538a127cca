"""The curves that compress intensities, in words; without PyTorch, so that a model is described quickly."""

from typing import Literal

Curve = Literal["linear", "sqrt", "log1p", "asinh"]

FLOORED = ("sqrt", "log1p")
"""Curves that set negative values to zero."""


def describe_stretch(curve: str, *, softening: float = 1.0, saturation: float | None = None, reason: str = "") -> str:
    """Return curve, softening, saturation (physical units) and the reason on one line, such as ``linear (signed)``."""
    bend = f", softening {softening:g}" if curve != "linear" and softening != 1.0 else ""
    top = f", clipped above {saturation:g}" if saturation is not None else ""
    reason = reason or ("values below zero are taken as 0" if curve in FLOORED else "")
    return f"{curve}{bend}{top}" + (f" ({reason})" if reason else "")
