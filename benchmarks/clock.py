"""What a network gains from being told the hour: ERA5 temperature, 24 h ahead in steps of 3 h.

    framecast import era5_t2m_uk_2019-03_hourly.nc era5.zarr --multiple 8
    python benchmarks/clock.py era5.zarr out

Two one-shot models that differ in ``data.forcings`` alone are trained for as many steps on the days before 21 March and
judged on those from 23 March. Beside them: the training frames of the same hour of the day (climatology), and the mean
daily cycle of the training days plus the anomaly of the last frame, a single member.
"""

import argparse
import platform
from pathlib import Path

import numpy as np
import torch

import framecast as fc
from framecast.data.forecasts import open_forecast
from framecast.verification.scores.ensemble import crps

TRAIN_END, TEST_START = "2019-03-21", "2019-03-23"


def recipe(forcings: list[str], steps: int) -> dict:
    """Return what differs from the recipe `tiny`."""
    return {
        "data": {
            "past": 4,
            "future": 8,
            "cadence": "3h",
            "forcings": forcings,
            "split": {
                "kind": "time",
                "train_end": TRAIN_END,
                "validation_start": TRAIN_END,
                "validation_end": TEST_START,
                "test_start": TEST_START,
            },
        },
        "diffusion": None,
        "one_shot": {"members": 2},
        "network": {"width": 24},
        "sampling": {"precision": "float32"},
        "training": {
            "steps": steps,
            "batch": 8,
            "learning_rate": 2e-3,
            "warmup": 30,
            "decay": "cosine",
            "ema": 0.98,
            "validate_every": steps,
        },
    }


def simple(archive: fc.Archive, file) -> dict[str, np.ndarray]:  # type: ignore[no-untyped-def]
    """Return members ``[sample, member, lead, y, x]`` of the forecasts that need no network."""
    video = archive.sequence(archive.sequences[0])["intensity"].isel(channel=0).load()
    values, times = video.values, video["time"].values
    hour, train = video["time"].dt.hour.values, times < np.datetime64(TRAIN_END)
    cycle = np.stack([values[train & (hour == h)].mean(0) for h in range(24)])
    random, found = np.random.default_rng(0), {"climatology, same hour": [], "anomaly persistence": []}
    for issued in file["issue_time"].values:
        k = int(np.searchsorted(times, issued))
        ahead = [(hour[k] + 3 * (j + 1)) % 24 for j in range(8)]
        drawn = [values[random.choice(np.flatnonzero(train & (hour == h)), 20, replace=False)] for h in ahead]
        found["climatology, same hour"].append(np.stack(drawn, axis=1))
        found["anomaly persistence"].append((cycle[ahead] + values[k] - cycle[hour[k]])[None])
    return {name: np.stack(each) for name, each in found.items()}


def main() -> None:
    """Train, forecast, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=300)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    archive = fc.open_archive(arguments.archive)
    members: dict[str, np.ndarray] = {}
    for name, forcings in (("network", []), ("network, told the hour", ["hour"])):
        run = arguments.out / f"run-{len(forcings)}"
        fc.train(fc.load_recipe("tiny", recipe(forcings, arguments.steps)), archive, out=run, progress=False)
        path = arguments.out / f"forecast-{len(forcings)}.zarr"
        fc.forecast(run, archive, path, split="test", limit=32, members=20, overwrite=True, progress=False)
        file = open_forecast(path)
        members[name] = file["forecast"].isel(channel=0).values
    truth = torch.from_numpy(file["truth"].isel(channel=0).values)
    print(f"processor: {platform.processor() or platform.machine()}; {len(truth)} windows, {arguments.steps} steps\n")
    print("| CRPS, K | " + " | ".join(f"{3 * (k + 1)} h" for k in range(8)) + " | all |\n" + "|---" * 10 + "|")
    for name, each in (simple(archive, file) | members).items():
        score = crps(torch.from_numpy(each).movedim(1, 0), truth, fair=each.shape[1] > 1).mean(dim=(0, 2, 3))
        print(f"| {name} | " + " | ".join(f"{value:.3f}" for value in score.tolist()) + f" | {score.mean():.3f} |")


if __name__ == "__main__":
    main()
