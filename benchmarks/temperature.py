"""Temperature from a reanalysis: what climatology and persistence are worth where days are alike.

    framecast import era5_t2m_uk_2019-03_hourly.nc era5.zarr --multiple 8
    python benchmarks/temperature.py era5.zarr out

The first two thirds of the time are for training, then a gap of two days, the rest is judged every six hours, one day
ahead. Two forecasts without a network stand beside persistence, dressed persistence and climatology (by hour of day):

- anomaly persistence: the mean daily cycle of the training days plus how far the last frame was from it;
- dressed anomaly persistence: the same plus its errors on training windows, an ensemble.
"""

import argparse
from pathlib import Path

import numpy as np

from framecast.data.archive.reader import Archive
from framecast.data.climatology import Climatology
from framecast.data.forecasts import SampleInfo, write_forecast
from framecast.data.windows import Window, find_windows
from framecast.verification.evaluation import evaluate
from framecast.videos.frames import FrameSpec

PAST, FUTURE, EVERY = 6, 24, 6
GAP = np.timedelta64(2, "D")


def main() -> None:
    """Forecast, evaluate, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("out", type=Path, help="folder for the forecast files")
    parser.add_argument("--members", type=int, default=20)
    arguments = parser.parse_args()

    archive = Archive.open(arguments.archive)
    (sequence,), channel = archive.sequences, archive.channels[0]
    frames = FrameSpec(
        past_channels=(channel,),
        future_channels=(channel,),
        past=PAST,
        future=FUTURE,
        cadence=3600.0,
        height=archive.height,
        width=archive.width,
    )
    field = archive.read(sequence, channels=[channel])[0]
    times = archive.times(sequence)
    hour = ((times - times[0]) / np.timedelta64(1, "h")).astype(int) % 24
    end = times[0] + (times[-1] - times[0]) * 2 / 3
    windows = find_windows(archive, frames)
    train = [w for w in windows if times[w.indices[-1]] <= end]
    test = [w for w in windows if times[w.indices[0]] >= end + GAP][::EVERY]
    cycle = np.stack([field[(hour == h) & (times <= end)].mean(0) for h in range(24)])

    def future(window: Window) -> np.ndarray:
        return field[list(window.indices[PAST:])]

    def anomaly_persistence(window: Window) -> np.ndarray:
        last = window.indices[PAST - 1]
        return cycle[hour[list(window.indices[PAST:])]] + field[last] - cycle[hour[last]]

    spread = train[:: max(1, len(train) // 200)]
    errors = np.stack([future(w) - anomaly_persistence(w) for w in spread])
    changes = np.stack([future(w) - field[w.indices[PAST - 1]] for w in spread])[:, None]
    usual = Climatology(np.stack([future(w) for w in spread])[:, None], np.array([w.issue_time for w in spread]))
    paths = []
    for name, members in (("anomaly persistence", 1), ("dressed anomaly persistence", arguments.members)):
        path = arguments.out / f"{name.replace(' ', '-')}.zarr"
        paths.append(path)
        with write_forecast(
            path,
            frames=frames,
            samples=[SampleInfo(sequence=w.sequence, issue_time=w.issue_time) for w in test],
            members=members,
            unit=archive.unit,
            attrs={"model": name, "archive": archive.path.name, "split": "test", "cadence": 3600.0},
            dressing=changes,
            climatology=usual,
            overwrite=True,
        ) as writer:
            for k, window in enumerate(test):
                forecast = anomaly_persistence(window)[None]
                if members > 1:
                    drawn = np.random.default_rng(k).choice(len(errors), members, replace=False)
                    forecast = forecast + errors[drawn]
                past = field[list(window.indices[:PAST])]
                writer.write(k, past=past[None], truth=future(window)[None], forecast=forecast[:, None])
    scores = evaluate(paths, climatology="hour", blocks="day").scores
    print("| forecast | CRPS K | 95 % | RMSE of the mean K | spread / error | CRPS at 1, 6, 12, 24 h |\n|" + "---|" * 6)
    for entry in scores.forecasts.values():
        low, high = entry["crps"].total.bounds()
        leads = ", ".join(f"{entry['crps'].by_lead.value[k - 1]:.2f}" for k in (1, 6, 12, 24))
        spread_skill = "–" if entry.point else f"{entry['spread_skill'].value:.2f}"
        words = f"{entry['crps'].value:.2f} | {low:.2f} … {high:.2f} | {entry['rmse'].value:.2f} | {spread_skill}"
        print(f"| {entry.label} | {words} | {leads} |")
    for pair in scores.differences:
        crps = pair.scores["crps"]
        low, high = crps.total.bounds()
        print(f"{pair.first} - {pair.second}: CRPS {float(crps.total):+.3f} ({low:.3f}, {high:.3f}) {crps.verdict}")
    print(len(test), "windows", scores.bootstrap)


if __name__ == "__main__":
    main()
