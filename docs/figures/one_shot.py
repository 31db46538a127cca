"""Draw members, mean and spread of several models beside what was observed, for one window of the real Sun.

    framecast solar prepare aia171-fulldisk-2017 sun.zarr --size 64 --wavelengths 171
    python docs/figures/one_shot.py sun.zarr docs/pictures/one-shot-strip.png diffusion=sun-171 \
        "one shot=sun-171-one-shot"

The window is that of docs/figures/forecast.py: of nine regions on a day that the models were not trained on, the one
for which the CRPS of the first model below persistence is the median.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from forecast import ISSUED, crps
from report import save

import framecast as fc
from framecast.data.windows import find_windows
from framecast.reports.colours import colour_map
from framecast.reports.film import strip
from framecast.reports.panels import Panels

SHOWN = 2
"""Members of each model."""


def main() -> None:
    """Choose the window, forecast it by each model, write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("models", nargs="+", metavar="NAME=MODEL")
    arguments = parser.parse_args()
    archive = fc.open_archive(arguments.archive)
    models = {name: fc.load(path) for name, path in (text.split("=", 1) for text in arguments.models)}
    first = next(iter(models.values()))
    frames = first.frames

    near = [w for w in find_windows(archive, frames) if abs(w.issue_time - ISSUED) < np.timedelta64(10, "m")]
    cases = []
    for window in near[:: len(near) // 8]:
        video = archive.read(window.sequence, indices=window.indices, channels=["171"])
        truth, last = video[:, frames.past :], video[:, frames.past - 1 : frames.past]
        error = crps(drawn(first, video), truth) / crps(np.broadcast_to(last, truth.shape)[None], truth)
        cases.append((error, window.sequence, video))
    _, region, video = sorted(cases, key=lambda case: case[0])[len(cases) // 2]
    print(region)
    shown = {name: panels(model, video, archive, region) for name, model in models.items()}
    light = next(iter(shown.values())).panels[-1].brightness  # one scale for the spread of all models
    rows = [next(iter(shown.values())).panels[0]]
    for name, own in shown.items():
        for panel in own.panels[1:]:
            scale = light if panel.name.endswith("spread") else panel.brightness
            rows.append(
                replace(panel, name=f"{name}: {panel.name.removeprefix('Ensemble ').lower()}", brightness=scale)
            )
    save(strip(replace(next(iter(shown.values())), panels=rows)), arguments.out)


def drawn(model: fc.Forecaster, video: np.ndarray) -> np.ndarray:
    """Return 20 members ``[member, channel, time, y, x]`` for the past of ``video``."""
    forecast = model.forecast(video[:, : model.frames.past], members=20, seed=0)
    return forecast.transpose("member", "channel", ...).values


def panels(model: fc.Forecaster, video: np.ndarray, archive: fc.Archive, title: str) -> Panels:
    """Return what was observed, the first members, the mean and the spread."""
    frames = model.frames
    return Panels.of_ensemble(
        past=video[0, : frames.past],
        members=drawn(model, video)[:, 0],
        truth=video[0, frames.past :],
        times=[(k - frames.past + 1) * frames.cadence for k in range(frames.past + frames.future)],
        colours=colour_map("171", archive.domain),
        unit=model.unit,
        title=title,
        shown=SHOWN,
    )


if __name__ == "__main__":
    main()
