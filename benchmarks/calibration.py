"""Does conformal calibration correct the intervals of a forecast? Half of the blocks calibrates, half is scored.

    python benchmarks/calibration.py sun-forecast.zarr

The halves are drawn at random 40 times; printed are means over the draws, and how much the coverage varies.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from framecast.verification.blocks import choose_blocks
from framecast.verification.cases import Cases
from framecast.verification.quantities import QUANTITIES, measure
from framecast.verification.recalibration.calibration import Calibration, fit_offsets
from framecast.verification.scores import central_interval, covered

LEVELS = (0.5, 0.8, 0.9)


def main() -> None:
    """Print one row for each quantity and level."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("forecast", type=Path)
    parser.add_argument("--draws", type=int, default=40)
    arguments = parser.parse_args()

    cases = Cases(arguments.forecast)
    name = cases.models[0]
    entries = {quantity.name: quantity for quantity in QUANTITIES}
    found_of: dict[str, list[torch.Tensor]] = {quantity: [] for quantity in entries}
    for case in map(cases.__getitem__, range(len(cases))):
        videos = torch.cat([case.truth[None], case.forecasts[name]])
        for quantity, entry in entries.items():
            found_of[quantity].append(measure(entry, videos, case.valid, cases.cadence))
    # truth and members, sample, channel and for some time
    values = {quantity: torch.stack(measured, dim=1) for quantity, measured in found_of.items()}
    kind = choose_blocks(cases)
    blocks = np.array(cases.named(kind))
    kinds, random = np.unique(blocks), np.random.default_rng(0)
    found: dict[tuple[str, float], list[tuple[float, ...]]] = {}
    for _ in range(arguments.draws):
        half = random.permutation(kinds)[: len(kinds) // 2]
        seen, new = (torch.from_numpy(np.flatnonzero(np.isin(blocks, half) == side)) for side in (True, False))
        fitted = {
            quantity: fit_offsets(entries[quantity], value[1:, seen], value[0, seen], list(blocks[seen]))
            for quantity, value in values.items()
        }
        calibration = Calibration(
            model=name,
            drawing={},
            unit=cases.unit,
            channels=tuple(cases.channels),
            lead_times_h=(),
            size=cases.size,
            blocks=kind,
            number_of_blocks=len(half),
            windows=(),
            scales={quantity: scale for quantity, (scale, _) in fitted.items()},
            offsets={quantity: offsets for quantity, (_, offsets) in fitted.items()},
        )
        for quantity, value in values.items():
            truth, forecast = value[0, new], value[1:, new]
            for level, (low, high) in calibration.intervals(quantity, forecast).items():
                if level in LEVELS:
                    own = central_interval(forecast, level)
                    found.setdefault((quantity, level), []).append(
                        (
                            float(covered(forecast, truth, level).nanmean()),
                            float(((low <= truth) & (truth <= high)).double().mean()),
                            float(((own[1] - own[0]) / 2 / truth.abs()).nanmean()),
                            float(((high - low) / 2 / truth.abs()).nanmean()),
                        )
                    )
    print(f"{len(cases)} windows in {len(kinds)} blocks ({kind}), {len(kinds) // 2} of them to calibrate on")
    print("| quantity | level | holds | calibrated (sd) | half-width | calibrated |\n|" + "---|" * 6)
    for (quantity, level), rows in found.items():
        raw, better, half, wider = np.mean(rows, axis=0)
        varies = np.std([row[1] for row in rows])
        print(
            f"| {quantity} | {100 * level:.0f} % | {100 * raw:.0f} % | {100 * better:.0f} % ({100 * varies:.0f}) | "
            f"{100 * half:.1f} % | {100 * wider:.1f} % |"
        )


if __name__ == "__main__":
    main()
