"""Figures as plain values: JSON knows no NaN, no arrays and no numpy."""

from typing import Any

import numpy as np

from framecast.verification.scores import Estimate


def number(value: Any) -> Any:
    """Return floats, or nested lists of them; ``None`` for what is not finite."""
    array = np.asarray(value, dtype=np.float64)
    if array.ndim:
        return [number(part) for part in array]
    return float(array) if np.isfinite(array) else None


def entry(estimate: Estimate) -> dict[str, Any]:
    """Return ``{"value": …, "90": [low, high], "95": [low, high]}``."""
    return {"value": number(estimate.value), **bounds(estimate)}


def bounds(estimate: Estimate) -> dict[str, Any]:
    """Return ``{"90": [low, high], "95": [low, high]}``."""
    return {str(level): [number(low), number(high)] for level, (low, high) in estimate.intervals.items()}


def percent(level: float) -> int:
    """Return 90 for 0.9."""
    return round(100 * level)


def plain(value: Any) -> Any:
    """Return an attribute of a file as JSON can hold it."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return value
