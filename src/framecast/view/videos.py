"""Videos for the panels of the browser: past and forecast, as 16-bit codes.

A code is a place on a straight line of values, or on a curve of asinh where values span decades, so that faint pixels
keep their digits; 65535 means that there is no value. The browser has a table of 65536 values, and makes one of as many
colours whenever colours or stretch are changed: drawing a frame is then one look-up for each pixel.
"""

import json
import re
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import matplotlib
import numpy as np
import torch
from matplotlib.colors import Colormap
from torch import Tensor

from framecast.core.errors import ConfigError
from framecast.reports.colours import SIGNED, Brightness
from framecast.verification.samples import Sample
from framecast.verification.scores import central_interval, ensemble_mean, ensemble_variance, exceedance

MISSING = 65535
_MOST = 65534
_HEADER = struct.Struct("<I")

MAPS = ("inferno", "viridis", "magma", "cividis", "turbo", "gray", "bone", "Blues", SIGNED, "RdBu_r")
"""Colour maps that may be chosen beside those of the domain."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A video of one channel.

    Attributes:
        values: ``[past and future time, y, x]``; NaN where there is none.
        light: the range of values in which it is shown at first.
        colours: name of the colour map likewise; empty for that of the channel.
        unit: of the values; None for that of the images.
    """

    values: np.ndarray
    light: Brightness
    colours: str = ""
    unit: str | None = None


def show(sample: Sample, channel: int, what: str, minus: str = "") -> Shown:
    """Return what is called ``what``: see `_FUTURES`; with ``minus``, the difference from ``truth`` or ``persistence``.

    Raises:
        ConfigError: nothing is called so.
    """
    if not 0 <= channel < len(sample.channels):
        raise ConfigError(f"channel {channel} was requested; there are {len(sample.channels)}, counted from 0")
    past = sample.past[channel]
    function, _, arguments = _find(what)
    future = function(sample, channel, *arguments)
    typical = sample.truth[channel] if any(sample.known) else sample.members[0, channel]
    image = Brightness.of(np.concatenate([past.numpy(), typical.numpy()]))
    zeros = torch.where(torch.isnan(past), torch.nan, 0.0)
    if what == "spread":
        return Shown(values=_joined(zeros, future), light=Brightness.of_spread(future.numpy(), image), colours="bone")
    if what.startswith("above-"):
        limit = float(what.removeprefix("above-"))
        before = torch.where(torch.isnan(past), torch.nan, (past >= limit).to(past.dtype))
        return Shown(values=_joined(before, future), light=Brightness(0.0, 1.0, None), colours="Blues", unit="")
    if not minus:
        return Shown(values=_joined(past, future), light=image)
    if minus not in ("truth", "persistence"):
        raise ConfigError(f"a difference from {minus!r} cannot be shown; choose truth or persistence")
    other = sample.truth[channel] if minus == "truth" else past[-1:].expand_as(future)
    change = _joined(zeros, future - other)
    known = np.abs(change[np.isfinite(change)])
    reach = float(np.percentile(known, 99.8)) if known.size else 0.0
    return Shown(values=change, light=Brightness(-(reach or 1.0), reach or 1.0, None), colours=SIGNED)


def _member(sample: Sample, channel: int, number: str) -> Tensor:
    if not 1 <= int(number) <= len(sample.members):
        raise ConfigError(f"member {number} was requested; there are members 1 to {len(sample.members)}")
    return sample.members[int(number) - 1, channel]


def _spread(sample: Sample, channel: int) -> Tensor:
    members = sample.members[:, channel]
    return torch.zeros_like(members[0]) if len(members) == 1 else ensemble_variance(members).sqrt()


def _quantile(sample: Sample, channel: int, text: str) -> Tensor:
    """Return the end of the central interval that leaves this fraction below."""
    fraction = float(text)
    if not 0 < fraction < 1:
        raise ConfigError(f"the quantile {text} was requested; it must lie between 0 and 1")
    low, high = central_interval(sample.members[:, channel], abs(1 - 2 * fraction))
    return low if fraction < 0.5 else high


_NUMBER = r"(-?\d{1,12}(?:\.\d{1,12})?(?:e[+-]?\d{1,2})?)"
_FUTURES: dict[str, tuple[Callable[..., Tensor], Callable[..., str]]] = {
    "truth": (lambda sample, channel: sample.truth[channel], lambda unit: "Observed"),
    r"member-(\d{1,5})": (_member, lambda unit, number: f"Member {number}"),
    "mean": (lambda sample, channel: ensemble_mean(sample.members[:, channel]), lambda unit: "Ensemble mean"),
    "spread": (_spread, lambda unit: "Ensemble spread"),
    f"quantile-{_NUMBER}": (_quantile, lambda unit, text: f"{100 * float(text):.3g} % quantile"),
    f"above-{_NUMBER}": (
        lambda sample, channel, text: exceedance(sample.members[:, channel], float(text))[0],
        lambda unit, text: f"P(≥ {float(text):.3g} {unit})".replace(" )", ")"),
    ),
    "persistence": (
        lambda sample, channel: sample.past[channel, -1:].expand_as(sample.truth[channel]),
        lambda unit: "Persistence",
    ),
}
"""What may be requested: the future of it, and its name."""


def _find(what: str) -> tuple[Callable[..., Tensor], Callable[..., str], tuple[str, ...]]:
    for pattern, (function, title) in _FUTURES.items():
        if found := re.fullmatch(pattern, what):
            return function, title, found.groups()
    raise ConfigError(f"{what!r} cannot be shown; choose truth, member-1, mean, spread, quantile-0.9 or above-5")


def title(what: str, minus: str, unit: str) -> str:
    """Return the name of a panel."""
    _, named, arguments = _find(what)
    return named(unit, *arguments) + (f" − {minus}" if minus else "")


def _joined(past: Tensor, future: Tensor) -> np.ndarray:
    return torch.cat([past, future.to(past.dtype)]).numpy()


def encode(shown: Shown) -> bytes:
    """Return the video as bytes: the length of a JSON header, the header, and codes ``[time, y, x]``, little-endian.

    A code c stands for ``low + step c`` on a line, for ``low + soft sinh(step c)`` where ``soft`` is not 0.
    """
    values = shown.values.astype(np.float64)
    known = np.isfinite(values)
    low, high = (float(values[known].min()), float(values[known].max())) if known.any() else (0.0, 1.0)
    soft = shown.light.softening or 0.0
    place = np.where(known, values, low) - low
    if soft:
        place = np.arcsinh(place / soft)
    reach = float(np.arcsinh((high - low) / soft)) if soft else high - low
    step = reach / _MOST or 1.0
    codes = np.where(known, np.rint(place / step), MISSING).astype("<u2")
    header = json.dumps(
        {
            "shape": list(values.shape),
            "low": low,
            "step": step,
            "soft": soft,
            "shown": {"low": shown.light.low, "high": shown.light.high, "soft": soft},
            "colours": shown.colours,
            "unit": shown.unit,
        }
    ).encode()
    header += b" " * (-(_HEADER.size + len(header)) % 8)
    return _HEADER.pack(len(header)) + header + codes.tobytes()


def decode(content: bytes) -> tuple[dict[str, object], np.ndarray]:
    """Return the header and the values of what `encode` made."""
    (length,) = _HEADER.unpack_from(content)
    header = json.loads(content[_HEADER.size : _HEADER.size + length])
    codes = np.frombuffer(content, "<u2", offset=_HEADER.size + length).reshape(header["shape"])
    place = codes * header["step"]
    values = header["low"] + (header["soft"] * np.sinh(place) if header["soft"] else place)
    return header, np.where(codes == MISSING, np.nan, values)


def colour_tables(own: Iterable[Colormap] = ()) -> dict[str, str]:
    """Return 256 colours of each map, those of a domain among them, as one hexadecimal text ``rrggbb…``."""
    maps = {name: matplotlib.colormaps[name] for name in MAPS} | {colours.name: colours for colours in own}
    return {
        name: (colours(np.linspace(0, 1, 256), bytes=True)[:, :3]).astype(np.uint8).tobytes().hex()
        for name, colours in maps.items()
    }
