"""Recalibrating a model's intervals on a forecast of windows that it was not trained on."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from framecast.core.errors import DataError
from framecast.verification.blocks import Blocks, choose_blocks
from framecast.verification.cases import Cases
from framecast.verification.quantities import measure, total
from framecast.verification.recalibration.calibration import Calibration, drawing, fit_offsets
from framecast.verification.sources import ForecastSource, videos


def calibrate(
    forecast: str | Path,
    *,
    blocks: Blocks = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> Calibration:
    """Return the recalibration of the model that made the forecast file.

    Args:
        forecast: of a side that the model was not trained on, normally ``validation``.
        blocks: unit treated as exchangeable, as in `evaluate`. With ``sample`` each window counts as a block of
            its own, which overestimates the coverage if windows overlap or share their weather.
        progress: called with the samples done and their number.

    Raises:
        FramecastError: there is no such folder.
        DataError: it is not a forecast, one of training windows, or changes meanwhile.
    """
    cases = Cases(forecast)
    source = cases.sources[0]
    if source.dataset.attrs.get("split") in ("train", "all"):
        raise DataError(
            f"{source.path} contains {source.dataset.attrs['split']} windows, which the model was trained on: "
            "forecast others to calibrate on, with --split validation"
        )
    weights = None if cases.weights is None else torch.from_numpy(cases.weights)
    members: dict[str, list[Tensor]] = {quantity.name: [] for quantity in cases.quantities}
    truths: dict[str, list[Tensor]] = {quantity.name: [] for quantity in cases.quantities}
    for k in range(len(cases)):
        case = cases[k]
        for quantity in cases.quantities:
            for kept, video in ((members, case.forecasts[source.name]), (truths, case.truth)):
                kept[quantity.name].append(measure(quantity, video, case.valid, cases.cadence, weights))
        if progress is not None:
            progress(k + 1, len(cases))
    cases.check_unchanged()
    chosen = choose_blocks(cases) if blocks == "auto" else blocks
    names = cases.named(chosen)
    fitted = {
        each.name: fit_offsets(each, torch.stack(members[each.name], 1), torch.stack(truths[each.name]), names)
        for each in cases.quantities
    }
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


def window_names(cases: Cases, source: ForecastSource) -> list[str]:
    """Return ``sequence@issue time=total`` of each sample, as the file ``source`` knows it.

    Two archives may use the same names and times for different data, as simulations do: the sum of the observations, to
    five digits, distinguishes them. It is computed from this file alone.
    """
    truths = source.dataset["truth"]
    numbers = cases.numbers(cases.sources.index(source))
    sums = [total(videos(source.read(truths.isel(sample=k)))).double().nansum().item() for k in numbers]
    both = zip(cases.sequences, map(cases.calendar.iso, cases.issue_times), sums, strict=True)
    return [f"{sequence}@{time}={value:.5g}" for sequence, time, value in both]
