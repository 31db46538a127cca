"""The recalibration of a model, which gives its intervals of derived quantities their nominal coverage.

On held-out windows it is measured how far the truth lies outside the intervals of the ensemble, and every later
interval is widened (or narrowed) by as much: `framecast.verification.recalibration.conformal` describes the method and
its guarantee. The amounts are stored with the model as ``calibration.json``, together with the sampling settings, to
which they apply.

Quantities are widened in units of the ensemble's own spread, so that a bright region gets more than a faint one; times,
and forecasts of one member, by plain amounts.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from framecast._version import __version__
from framecast.core.errors import ConfigError, DataError
from framecast.core.files import write_atomically
from framecast.core.reading import read_json
from framecast.core.stored import DocumentFormat, typed
from framecast.verification.quantities import Quantity
from framecast.verification.recalibration.conformal import conformal_offset, conformity, widened
from framecast.verification.scores import LEVELS, central_interval, ensemble_variance

FILE = "calibration.json"
FORMAT = DocumentFormat("framecast-calibration", 2, "calibration", "calibrate again")

FORMER_NAMES = {"flux": "total", "mpf": "peak", "fluence": "integral", "t2pf": "time_of_peak"}
"""What version 1, and schema 2 of ``scores.json``, called the derived quantities."""

Scale = Literal["spread", "unit"]
Interval = tuple[Tensor, Tensor]

_DRAWING = ("weights_sha256", "members", "sampler", "grid", "steps", "guidance", "clip", "label")
"""Attributes of a forecast on which its intervals depend."""

_NAMED = ("scales", "offsets")


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Amounts by which the intervals of each quantity are widened.

    Attributes:
        model: its name.
        drawing: sampling settings: weights, members, sampler, grid, steps, guidance, clip, label.
        unit: of the images.
        channels: target channels.
        lead_times_h: hours.
        size: height and width of a frame.
        blocks: unit treated as exchangeable.
        number_of_blocks: how many of them there were.
        windows: the windows it was made from.
        scales: name of a quantity -> what an offset is multiplied by: the ensemble's spread, or 1 in the quantity's
            unit.
        offsets: name of a quantity -> level in percent -> offsets ``[channel]``, ``[channel][lead]`` for a quantity of
            each frame; ``None`` where there are too few blocks for that level.
        framecast_version: the package that made it.
        format: always ``framecast-calibration``.
        version: of this format.
    """

    model: str
    drawing: dict[str, Any]
    unit: str
    channels: tuple[str, ...]
    lead_times_h: tuple[float, ...]
    size: tuple[int, int]
    blocks: str
    number_of_blocks: int
    windows: tuple[str, ...]
    scales: dict[str, Scale]
    offsets: dict[str, dict[str, list[float | list[float | None] | None]]]
    framecast_version: str = __version__
    format: str = FORMAT.name
    version: int = FORMAT.version

    def __post_init__(self) -> None:
        levels = {str(round(100 * level)) for level in LEVELS}
        for quantity, offsets in self.offsets.items():
            if quantity not in self.scales or set(offsets) != levels:
                raise ConfigError(f"offsets.{quantity} must have a scale and the levels {', '.join(sorted(levels))}")
            for level, values in offsets.items():
                lengths = {len(value) for value in values if isinstance(value, list)}
                if len(values) != len(self.channels) or not lengths <= {len(self.lead_times_h)}:
                    raise ConfigError(
                        f"offsets.{quantity}.{level} must have a value for each of {len(self.channels)} channels (and "
                        f"{len(self.lead_times_h)} lead times)"
                    )

    def intervals(self, quantity: str, forecast: Tensor) -> dict[float, Interval]:
        """Return the calibrated central interval of each level; outer ones contain the inner ones.

        Args:
            quantity: its name, one of ``scales``.
            forecast: its value for each member, ``[member, ..., channel]``, with a last axis of time for a quantity
                of each frame.

        Returns:
            Level -> lower and upper ends ``[..., channel(, time)]``; NaN where the level cannot be guaranteed.
        """
        scale = _scale(self.scales[quantity], forecast)
        found: dict[float, Interval] = {}
        inner: Interval | None = None
        for level in LEVELS:
            offset = _tensor(self.offsets[quantity][str(round(100 * level))], forecast)
            low, high = widened(*central_interval(forecast, level), offset.expand(forecast.shape[1:]), scale)
            if inner is not None:
                low, high = torch.minimum(low, inner[0]), torch.maximum(high, inner[1])
            inner = low, high
            promised = torch.isfinite(low) & torch.isfinite(high)
            found[level] = torch.where(promised, low, torch.nan), torch.where(promised, high, torch.nan)
        return found

    def objection(self, forecast: xr.Dataset | xr.DataArray) -> str | None:
        """Return why it does not apply to a forecast, a file or an ensemble in memory; ``None`` if it does.

        It does if that is of the same model and drawn in the same way.
        """
        attrs = {**forecast.attrs, "members": int(forecast.sizes["member"])}
        leads = forecast["lead_time"].values / np.timedelta64(1, "h")
        for name in _DRAWING:
            made, asked = self.drawing.get(name), attrs.get(name)
            if made != asked and name == "weights_sha256":
                return "it was made for other weights"
            if made != asked:
                return f"it was made for forecasts with {name} = {made}, and these have {asked}"
        for what, made, asked in (
            ("channels", self.channels, tuple(str(name) for name in forecast["channel"].values)),
            ("lead times", tuple(round(h, 6) for h in self.lead_times_h), tuple(round(float(h), 6) for h in leads)),
            ("frame size", self.size, (int(forecast.sizes["y"]), int(forecast.sizes["x"]))),
            ("unit", self.unit, str(attrs.get("unit", ""))),
        ):
            if made != asked:
                return f"it was made for forecasts with {what} {made}, and these have {asked}"
        return None

    def to_plain(self) -> dict[str, Any]:
        """Return it as JSON values."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self), allow_nan=False))
        return plain


def fit_offsets(
    quantity: Quantity, forecast: Tensor, truth: Tensor, blocks: list[str]
) -> tuple[Scale, dict[str, list[Any]]]:
    """Return the scale and the offsets of one quantity, as in `Calibration`.

    Args:
        quantity: its entry.
        forecast: ``[member, sample, channel(, time)]``, of windows that the model was not trained on.
        truth: likewise without members; NaN where unknown.
        blocks: the block of each sample; samples of one block may be dependent.
    """
    names = sorted(set(blocks))
    block = torch.tensor([names.index(name) for name in blocks])
    kind: Scale = "spread" if quantity.relative and len(forecast) > 1 else "unit"
    scale = _scale(kind, forecast)
    offsets = {}
    for level in LEVELS:
        scores = conformity(*central_interval(forecast, level), truth, scale)
        offsets[str(round(100 * level))] = _plain(conformal_offset(scores, level, block))
    return kind, offsets


def drawing(attrs: dict[str, Any]) -> dict[str, Any]:
    """Return those attributes of a forecast on which its intervals depend."""
    return {name: attrs.get(name) for name in _DRAWING}


def from_plain(plain: Any, *, where: str) -> Calibration:
    """Return the calibration that `Calibration.to_plain` gave; ``where`` is its place, for errors.

    Raises:
        DataError: it is not a calibration, damaged, or of a newer version.
    """
    plain = FORMAT.check(plain, where)
    named = {
        key: {FORMER_NAMES.get(name, name): value for name, value in plain[key].items()}
        for key in _NAMED
        if isinstance(plain.get(key), dict)
    }
    return typed(Calibration, {**plain, **named, "version": FORMAT.version}, where=where, remedy=FORMAT.remedy)


def carried(dataset: xr.Dataset, *, where: str) -> tuple[Calibration | None, str | None]:
    """Return the calibration in a forecast file, and why it does not apply to the forecast in the file.

    Raises:
        DataError: it is damaged or of a newer version.
    """
    plain = dataset.attrs.get("calibration")
    if plain is None:
        return None, None
    calibration = from_plain(plain, where=f"the calibration in {where}")
    return calibration, calibration.objection(dataset)


def intervals(quantity: str, forecast: Tensor, calibration: Calibration | None = None) -> dict[float, Interval]:
    """Return the central interval of each level: calibrated if the ``calibration`` contains the quantity.

    ``forecast`` is the quantity of each member, ``[member, ...]``; see `Calibration.intervals`.
    """
    if calibration is not None and quantity in calibration.scales:
        return calibration.intervals(quantity, forecast)
    return {level: central_interval(forecast, level) for level in LEVELS}


def read_calibration(folder: str | Path) -> Calibration | None:
    """Return the calibration in a model folder, or ``None``.

    Raises:
        DataError: it is damaged or of a newer version.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        return None
    return from_plain(read_json(path), where=str(path))


def write_calibration(folder: str | Path, calibration: Calibration) -> Path:
    """Store ``calibration`` with the model in ``folder``, and return its path.

    Raises:
        DataError: the model there has other weights than the one that made the forecasts.
    """
    path = Path(folder) / FILE
    config = read_json(Path(folder) / "config.json")
    made, here = calibration.drawing["weights_sha256"], config["weights_sha256"]
    if made != here:
        raise DataError(
            f"the forecast was made by weights {str(made)[:12]}… and {folder} has {here[:12]}…: calibrate a model on "
            "its own forecasts"
        )
    write_atomically(path, json.dumps(calibration.to_plain(), indent=1) + "\n")
    return path


def _scale(kind: Scale, forecast: Tensor) -> Tensor:
    return ensemble_variance(forecast).sqrt() if kind == "spread" else torch.ones_like(forecast[0])


def _plain(offset: Tensor) -> list[Any]:
    return [_plain(part) if part.ndim else (float(part) if torch.isfinite(part) else None) for part in offset.double()]


def _tensor(offset: list[Any], like: Tensor) -> Tensor:
    def filled(value: Any) -> Any:
        return [filled(part) for part in value] if isinstance(value, list) else torch.inf if value is None else value

    return torch.tensor(filled(offset), dtype=like.dtype)
