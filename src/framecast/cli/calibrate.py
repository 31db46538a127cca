"""``framecast calibrate``: give a model's intervals their nominal coverage."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from framecast.cli.console import note, say
from framecast.verification.options import Blocks

if TYPE_CHECKING:
    from framecast.verification.recalibration.calibration import Calibration


def calibrate(
    forecast: Annotated[
        Path, typer.Argument(metavar="FORECAST.zarr", help="A forecast of windows the model was not trained on.")
    ],
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="The run or model folder that made it.")],
    blocks: Annotated[
        Blocks, typer.Option(help="Unit treated as independent (exchangeable) when calibrating.")
    ] = "auto",
) -> None:
    """Recalibrate the intervals of a model on unseen windows.

    Intervals of derived quantities, such as the total, are compared with the observations in FORECAST. The result is
    kept in MODEL/calibration.json. Later forecasts by the model with the same settings store it, and `framecast
    evaluate` shows the coverage of their intervals with it and without. See docs/calibration.md.
    """
    note(f"calibrating the intervals of {model}")
    import framecast as fc
    from framecast.models.header import find_model

    _explain(fc.calibrate(forecast, model, blocks=blocks))
    say(str(find_model(model) / "calibration.json"))


def _explain(calibration: "Calibration") -> None:
    """Print how much the 50 and 90 % intervals of each quantity were widened, and which levels can be guaranteed."""
    import numpy as np

    from framecast.core.domain import find_domain
    from framecast.verification.quantities import quantities_of
    from framecast.verification.summary import quantity_info

    levels = next(iter(calibration.offsets.values()))
    possible = [level for level, offsets in levels.items() if np.isfinite(np.array(offsets, dtype=np.float64)).any()]
    note(
        f"{len(calibration.windows)} windows in {calibration.number_of_blocks} blocks ({calibration.blocks}): "
        f"levels up to {possible[-1] if possible else 0} % can be guaranteed"
    )
    entries = quantities_of(find_domain({}, unit=calibration.unit, channels=calibration.channels))
    infos = {entry.name: quantity_info(entry, calibration.unit) for entry in entries}
    for name, info in infos.items():
        if name not in calibration.scales:
            continue
        unit = "times its spread" if calibration.scales[name] == "spread" else info.unit
        parts = []
        for level in ("50", "90"):
            offsets = np.array(calibration.offsets[name][level], dtype=np.float64)
            if np.isfinite(offsets).any():
                parts.append(f"{level} %: {np.nanmean(offsets):+.2f}")
        note(f"  {info.label}: half-width change, {', '.join(parts) or 'nothing'} {unit}".rstrip())
