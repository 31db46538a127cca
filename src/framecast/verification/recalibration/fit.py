"""Calibrating a model's intervals on a forecast of windows that it was not trained on."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from framecast.core.errors import DataError
from framecast.verification.blocks import Blocks, block_names, choose_blocks
from framecast.verification.cases import Cases
from framecast.verification.quantities import flux, quantities
from framecast.verification.recalibration.calibration import Calibration, drawing, fit_offsets
from framecast.verification.sources import Source


def calibrate(
    forecast: str | Path, *, blocks: Blocks = "auto", progress: Callable[[int, int], None] | None = None
) -> Calibration:
    """Return the calibration of the model that made the forecast file.

    Args:
        forecast: of a side that the model was not trained on, ``validation`` by rights.
        blocks: what is taken to be exchangeable, as in `evaluate`. With ``sample`` each window counts as a block of
            its own, which promises more than can be known where windows overlap or share their weather.
        progress: called with the samples done and their number.

    Raises:
        FramecastError: there is no such folder.
        DataError: it is no forecast, or one of training windows.
    """
    cases = Cases(forecast)
    source = cases.sources[0]
    if source.dataset.attrs.get("split") in ("train", "all"):
        raise DataError(
            f"{source.path} holds {source.dataset.attrs['split']} windows, which the model has learnt: forecast others "
            "to calibrate on, with --split validation"
        )
    shape = (len(cases), len(cases.channels), len(cases.lead_times))
    truth = torch.full(shape, torch.nan, dtype=torch.float64)
    members = torch.full((source.members, *shape), torch.nan, dtype=torch.float64)
    for k in range(len(cases)):
        case = cases[k]
        truth[k] = flux(torch.where(case.valid, case.truth, torch.nan))
        members[:, k] = flux(case.forecasts[source.name], case.valid)
        if progress is not None:
            progress(k + 1, len(cases))
    chosen = choose_blocks(cases) if blocks == "auto" else blocks
    names = block_names(cases, chosen)
    targets = {"flux": truth, **quantities(truth, cases.cadence)}
    derived = {"flux": members, **quantities(members, cases.cadence)}
    fitted = {name: fit_offsets(name, derived[name], targets[name], names) for name in derived}
    return Calibration(
        model=source.name,
        drawing=drawing({**source.dataset.attrs, "members": source.members}),
        unit=cases.unit,
        channels=tuple(cases.channels),
        lead_times_h=tuple(seconds / 3600 for seconds in cases.lead_times),
        size=cases.size,
        blocks=chosen,
        number_of_blocks=len(set(names)),
        windows=tuple(window_names(cases, source)),
        scales={name: scale for name, (scale, _) in fitted.items()},
        offsets={name: offsets for name, (_, offsets) in fitted.items()},
    )


def window_names(cases: Cases, source: Source) -> list[str]:
    """Return ``sequence@issue time=flux`` of each sample.

    Two archives may know different things by one name at one time, as any two of the synthetic corona do: the flux of
    what came, summed to five digits, tells them apart. It is that of the file alone, whatever others lack.

    Args:
        cases: the samples.
        source: one of their files.
    """
    times = np.datetime_as_string(cases.issue_times, unit="s")
    sums = [flux(cases.truth_of(source, k)).double().nansum().item() for k in range(len(cases))]
    return [
        f"{sequence}@{time}={total:.5g}" for sequence, time, total in zip(cases.sequences, times, sums, strict=True)
    ]
