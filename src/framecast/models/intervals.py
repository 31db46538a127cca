"""Intervals of the derived quantities of an ensemble, calibrated or as they are, and `framecast.calibrate`."""

from pathlib import Path

import numpy as np
import torch
import xarray as xr

from framecast.core.domain import find_domain
from framecast.core.errors import ConfigError
from framecast.core.files import held
from framecast.core.progress import Progress, track
from framecast.models.header import find_model
from framecast.models.released import released_models
from framecast.verification.options import Blocks
from framecast.verification.quantities import (
    AREA_MEANS,
    QUANTITIES,
    Quantity,
    integrals,
    measure,
    quantities_of,
    spacing,
)
from framecast.verification.recalibration import fit
from framecast.verification.recalibration.calibration import Calibration, write_calibration
from framecast.verification.recalibration.calibration import intervals as intervals_of
from framecast.verification.scores import LEVELS
from framecast.videos.directions import area_weights

_VIDEO = ("channel", "lead_time", "y", "x")


def intervals(ensemble: xr.DataArray, calibration: Calibration | None) -> xr.Dataset:
    """Return central intervals of every derived quantity, see `framecast.models.forecaster.Forecaster.intervals`.

    The ensemble is ``(member, lead_time, channel, y, x)``, with any dimensions besides.

    Raises:
        ConfigError: the calibration does not hold for this ensemble.
    """
    if calibration is not None and (
        reason := calibration.objection(ensemble.assign_attrs({"label": "none", **ensemble.attrs}))
    ):
        raise ConfigError(
            f"the model's calibration does not hold for this ensemble: {reason}; draw it like the forecast used "
            "for calibration, or pass calibrated=False"
        )
    others = [str(dim) for dim in ensemble.dims if dim not in ("member", *_VIDEO)]
    members = torch.from_numpy(ensemble.transpose("member", *others, *_VIDEO).values)
    valid = (~torch.isnan(members)).sum(0) >= min(2, len(members))
    lead = ensemble["lead_time"].values / np.timedelta64(1, "s")
    # A block of a rollout begins where the one before it ended, not at the issue time.
    begun = max(0.0, lead[0] - np.diff(lead).max()) if len(lead) > 1 else 0.0
    cadence = spacing((lead - begun).tolist())
    unit = str(ensemble.attrs.get("unit", ""))
    found = {}
    areas = area_weights(ensemble.coords, (members.shape[-2], members.shape[-1]))
    weights = None if areas is None else torch.from_numpy(areas)
    for quantity in _known(ensemble, unit, calibration):
        ends = intervals_of(quantity.name, measure(quantity, members, valid, cadence, weights), calibration)
        dims = ("level", "bound", *others, "channel", *(["lead_time"] if quantity.by_lead else []))
        both = torch.stack([torch.stack(ends[level]) for level in LEVELS])
        about = {"units": quantity.unit.format(unit=unit), "long_name": quantity.label}
        found[quantity.name] = (dims, both.numpy(), about)
    kept = {name: ensemble.coords[name] for name in ("channel", "lead_time", *others) if name in ensemble.coords}
    coords = {"level": list(LEVELS), "bound": ["lower", "upper"], **kept}
    return xr.Dataset(found, coords=coords, attrs={"calibrated": int(calibration is not None)})


def _known(ensemble: xr.DataArray, unit: str, calibration: Calibration | None) -> tuple[Quantity, ...]:
    """Return the quantities of the ensemble's kind of data; those that a calibration holds for."""
    domain = find_domain({}, unit=unit, channels=[str(name) for name in ensemble["channel"].values])
    own = quantities_of(domain, ensemble.coords)
    if calibration is None:
        return own
    known = {entry.name: entry for entry in (*integrals((*AREA_MEANS, *QUANTITIES), ensemble.coords), *own)}
    return tuple(entry for name, entry in known.items() if name in calibration.scales)


def calibrate(
    forecast: str | Path, model: str | Path, *, blocks: Blocks = "auto", progress: Progress = True
) -> Calibration:
    """Calibrate a model on a forecast that it made, store the calibration with the model, and return it.

    Later forecasts by the model, drawn in the same way, contain it; `Forecaster.intervals` uses it.

    Args:
        forecast: a forecast of windows that the model was not trained on.
        model: the run or model folder that made it.
        blocks: unit treated as exchangeable with future data, see `docs/calibration.md`.
        progress: whether to show the samples read, or a function that is called with their number and the total.

    Raises:
        ConfigError: the model comes with framecast and is read-only.
        DataError: the forecast contains training windows, or was made with other weights.
        FramecastError: another process is calibrating the model, or adding a reference to it.
    """
    folder = find_model(model)
    if folder.resolve() in {released.resolve() for released in released_models().values()}:
        raise ConfigError(f"{model} comes with framecast and is not modified: copy {folder} and calibrate the copy")
    with held(folder, doing=f"writing into {folder}"):
        with track("samples", progress=progress) as task:
            calibration = fit.calibrate(forecast, blocks=blocks, progress=task.reach)
        write_calibration(folder, calibration)
    return calibration
