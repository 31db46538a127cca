"""Nested records as readable rows of names and values."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from framecast.core.fingerprint import sizes_below

Rows = list[tuple[str, str]]

_DIGEST = 64  # length of a SHA-256 in hexadecimal, of which a few digits suffice to distinguish two

_MOST = 12  # entries of a list that are shown


def nested(attrs: Mapping[str, Any], *, leave_out: tuple[str, ...] = (), prefix: str = "") -> Rows:
    """Return the attributes as rows: ``{"windows": {"train": 32}}`` is ``windows: train 32``."""
    rows: Rows = []
    for name, value in attrs.items():
        if name in leave_out or value in (None, {}, []):
            continue
        title = f"{prefix}{name}".replace("_", " ")
        if isinstance(value, Mapping) and any(isinstance(inner, Mapping) for inner in value.values()):
            rows += nested(value, prefix=f"{title} ")
        else:
            rows.append((title, phrase(value)))
    return rows


def phrase(value: Any) -> str:
    """Return a value in words: mappings as ``a 1, b 2``, lists with commas, checksums cut short."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {phrase(inner)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        shown = ", ".join(phrase(inner) for inner in value[:_MOST])
        return shown if len(value) <= _MOST else f"{shown} … ({len(value)} in all)"
    if isinstance(value, str) and len(value) == _DIGEST and set(value) <= set("0123456789abcdef"):
        return value[:12]
    if isinstance(value, float):
        return f"{value:.6g}"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return str(value)


def megabytes(path: Path) -> str:
    """Return the size of all files in the folder."""
    return f"{sum(size for _, size in sizes_below(path)) / 1e6:.1f} MB"
