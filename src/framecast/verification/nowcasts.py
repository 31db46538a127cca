"""Nowcasts as baselines: Lagrangian persistence, S-PROG and STEPS, through pysteps.

They are functions of the past alone, so that any forecast file with the target channels among its past channels can be
compared with them. pysteps (Pulkkinen et al. 2019, doi 10.5194/gmd-12-4185-2019) is an optional package; its version is
part of each description.

- ``lagrangian``: the last frame advected along the motion of the past. For any quantity.
- ``sprog``: the same, with small scales fading as they lose predictability (Seed 2003). Rain only.
- ``steps``: an ensemble of that kind, perturbed by noise with the structure of rain (Bowler et al. 2006). Rain only.
"""

import io
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from torch import Tensor

from framecast.core.errors import ConfigError, FramecastError
from framecast.verification.cases import Baseline, Cases, Drawn
from framecast.videos.units import same_unit

_KINDS = {
    "lagrangian": ("Lagrangian persistence", 2, "moves the last frame on along its motion"),
    "sprog": ("S-PROG", 3, "moves the last frame on and lets small scales fade"),
    "steps": ("STEPS", 3, "is an ensemble of moved and perturbed frames"),
}
"""Name of each nowcast -> label, number of past frames that it needs, and what it does."""

NOWCASTS = tuple(_KINDS)

DRY = 0.1
"""Threshold of rain in mm/h, as in the examples of pysteps."""

_DRY_DECIBEL = -15.0


@dataclass(frozen=True, kw_only=True)
class Nowcaster:
    """One nowcast of pysteps, for the frames of a forecast.

    Attributes:
        name: of `NOWCASTS`.
        leads: number of frames.
        cadence: seconds between them.
        unit: of the images.
        pixel_km: side of a pixel, where known; STEPS perturbs the motion only then.
        members: of STEPS.
    """

    name: str
    leads: int
    cadence: float
    unit: str
    pixel_km: float | None = None
    members: int = 20

    def __post_init__(self) -> None:
        _check_name(self.name)
        if self.name != "lagrangian" and not (self.unit == "dBZ" or self._rate):
            raise ConfigError(
                f"{self.name} is for rain in mm/h or dBZ, and these images are in {self.unit or 'no unit'}: leave "
                "it out, or use lagrangian"
            )

    @property
    def size(self) -> int:
        """Members of the forecast."""
        return self.members if self.name == "steps" else 1

    @property
    def _rate(self) -> bool:
        return same_unit(self.unit, "mm/h")

    def __call__(self, past: Tensor, seed: int) -> Tensor:
        """Return members ``[member, channel, time, height, width]`` for a past ``[channel, time, height, width]``.

        Pixels advected from outside the frame are unknown: they are dry for rain, and the last frame for other
        quantities.

        Raises:
            FramecastError: pysteps is not installed.
        """
        own = [self._channel(frames.numpy(), seed) for frames in past]
        return torch.from_numpy(np.stack(own, axis=1).astype(np.float32))

    def _channel(self, past: np.ndarray, seed: int) -> np.ndarray:
        motion, nowcasts = _pysteps()
        unknown, level = ~np.isfinite(past), self._level(past)
        if not (level > level.min()).any():  # dry everywhere: nothing to advect
            return np.broadcast_to(past[-1], (self.size, self.leads, *past.shape[1:]))
        with redirect_stdout(io.StringIO()):  # pysteps prints its settings for every forecast
            flow = motion.get_method("LK")(level)
            if self.name == "lagrangian":
                drawn = nowcasts.get_method("extrapolation")(past[-1], flow, self.leads)[None]
                empty = 0.0 if self._rate else past[-1]
            else:
                drawn, empty = self._cascade(nowcasts, level, flow, seed), 0.0
        drawn = np.where(np.isfinite(drawn), drawn, empty)
        return np.where(unknown[-1], np.nan, drawn)

    def _cascade(self, nowcasts: Any, level: np.ndarray, flow: np.ndarray, seed: int) -> np.ndarray:
        threshold = 10 * np.log10(DRY) if self._rate else 7.0
        small = min(level.shape[1:])
        options: dict[str, Any] = {"precip_thr": threshold, "n_cascade_levels": min(6, max(2, int(np.log2(small)) - 1))}
        if self.name == "sprog":
            drawn = nowcasts.get_method("sprog")(level[-3:], flow, self.leads, **options)[None]
        else:
            options |= {"n_ens_members": self.members, "seed": seed % 2**31, "timestep": self.cadence / 60}
            options |= {"kmperpixel": self.pixel_km or 1.0, "vel_pert_method": "bps" if self.pixel_km else None}
            drawn = nowcasts.get_method("steps")(level[-3:], flow, self.leads, **options)
        if not self._rate:
            return np.asarray(drawn)
        return np.where(drawn < threshold, 0.0, 10 ** (np.minimum(drawn, 40.0) / 10))

    def _level(self, past: np.ndarray) -> np.ndarray:
        """Return the field from which motion is estimated: decibels of rain, other quantities unchanged; no NaN."""
        if self._rate:
            return np.where(past >= DRY, 10 * np.log10(np.maximum(past, DRY)), _DRY_DECIBEL)
        low = float(np.nanmin(past)) if np.isfinite(past).any() else 0.0
        return np.where(np.isfinite(past), past, low)


def nowcast(name: str) -> Baseline:
    """Return the entry of the catalogue for one of `NOWCASTS`.

    Raises:
        ConfigError: it is not one of them.
    """
    _check_name(name)

    def prepare(cases: Cases) -> Drawn | None:
        stored = cases.stored(f"baseline_{name}")
        if stored is not None:
            return Drawn(stored[0], lambda index, past: stored[1](index), _describe(name))
        nowcaster = nowcaster_for(
            name,
            cases.past_times,
            cases.lead_times,
            sees_targets=cases.sees_targets,
            unit=cases.unit,
            positions=cases.sources[0].dataset.coords,
            members=cases.ensemble_size,
        )
        return Drawn(nowcaster.size, lambda index, past: nowcaster(past, cases.seed + index), _describe(name))

    return Baseline(name=name, label=_KINDS[name][0], prepare=prepare)


def nowcaster_for(
    name: str,
    past: Sequence[float],
    leads: Sequence[float],
    *,
    sees_targets: bool,
    unit: str,
    positions: Mapping[Any, Any],
    members: int,
) -> Nowcaster:
    """Return the nowcast ``name`` for frames at these times (seconds), on pixels at these ``positions``.

    Raises:
        ConfigError: it cannot be computed from them.
    """
    _check_name(name)
    if not sees_targets:
        raise ConfigError(f"{name} needs the future channels among the past channels: leave it out")
    if len(past) < (needed := _KINDS[name][1]):
        raise ConfigError(f"{name} needs {needed} past frames, and there are {len(past)}: leave it out")
    if not np.allclose(np.diff([*past, *leads]), leads[0]):
        raise ConfigError(f"{name} needs frames at equal intervals, and these are not: leave it out")
    side = pixel_km(positions)
    return Nowcaster(name=name, leads=len(leads), cadence=leads[0], unit=unit, pixel_km=side, members=members)


def pixel_km(positions: Mapping[Any, Any]) -> float | None:
    """Return the side of a pixel in kilometres from the coordinates of pixels; None if unknown."""
    columns = positions.get("x")
    scale = None if columns is None else {"m": 1e-3, "km": 1.0}.get(str(columns.attrs.get("units")))
    if columns is None or scale is None or columns.size < 2:
        return None
    return scale * float(np.abs(np.median(np.diff(columns.values))))


def _check_name(name: str) -> None:
    if name not in NOWCASTS:
        raise ConfigError(f"{name!r} is not a known baseline: choose from {', '.join(NOWCASTS)}")


def _describe(name: str) -> str:
    try:
        number = version("pysteps")
    except ModuleNotFoundError:
        number = "(version unknown)"
    label, _, what = _KINDS[name]
    return f"{label} {what} (pysteps {number})."


def _pysteps() -> tuple[Any, Any]:
    try:
        with redirect_stdout(io.StringIO()):
            from pysteps import motion, nowcasts
    except ImportError as error:
        raise FramecastError(
            f"nowcasts need pysteps ({error}): pip install 'framecast[radar]', or leave them out"
        ) from None
    return motion, nowcasts
