"""Uneven or even frame times: the real Sun at 171 Å, half a day in, and two days out by rollout.

    python benchmarks/uneven.py sun.zarr out

The archive is that of `examples/sun-171.yaml`, hourly; 64² will do. Two one-shot models differ in their frames alone
and compute as many frames in training: 12 h in steps of 2 h in and out, and -12, -8, -4, -2, -1, 0 h in with 1, 2, 4,
8, 10, 11, 12 h out (after Morel and Ramunno 2025, arXiv 2511.19390), which is the past of the next half day. Both
forecast the same pasts, of which the next two days are known, and are continued from their own frames.

Printed by lead time: fair CRPS, and the mean and the standard deviation over the pixels of a member in parts of the
truth's, which shows how far a rollout drifts. Windows overlap and are of one week: no interval is made.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import framecast as fc
from framecast.data.windows import find_windows
from framecast.verification.scores.ensemble import crps

HOURS, MEMBERS = 48, 10
FRAMES = {
    "even": {"past": 6, "future": 6, "cadence": "2h"},
    "uneven": {
        "past": ["-12h", "-8h", "-4h", "-2h", "-1h", "0h"],
        "future": [f"{h}h" for h in (1, 2, 4, 8, 10, 11, 12)],
    },
}
SPLIT = {
    "kind": "time",
    "train_end": "2017-08-10T12:00",
    "validation_start": "2017-08-10T12:00",
    "validation_end": "2017-08-11T18:00",
    "test_start": "2017-08-11T18:00",
}


def recipe(name: str, steps: int) -> dict:
    """Return what differs from the recipe `tiny`."""
    return {
        "name": name,
        "data": {**FRAMES[name], "curve": "sqrt", "split": SPLIT},
        "diffusion": None,
        "one_shot": {"members": 2, "loss": {"pooled": 0.03, "spectral": 0.2, "modulus": 0.05, "differences": 0.1}},
        "network": {"width": 24},
        "sampling": {"precision": "float32"},
        "training": {
            "steps": steps,
            "batch": 4,
            "learning_rate": 2e-3,
            "warmup": 50,
            "decay": "cosine",
            "ema": 0.99,
            "flips": ["x", "y"],
            "validate_every": steps,
            "checkpoint_every": 100,
        },
    }


def truths(archive: fc.Archive, frames: fc.FrameSpec, count: int) -> list[np.ndarray]:
    """Return hourly frames ``[time, y, x]`` from -12 to 48 h of evenly spaced windows of the test side."""
    hourly = replace(frames, past=13, future=HOURS, cadence=3600.0, lags=(), leads=())
    found = [
        window
        for window in find_windows(archive, hourly)
        if archive.times(window.sequence)[window.indices[0]] >= np.datetime64(SPLIT["test_start"])
    ]
    print(f"{len(found)} windows of two days, of which {min(count, len(found))} are judged\n")
    chosen = [found[(2 * k + 1) * len(found) // (2 * count)] for k in range(count)]
    return [archive.read(window.sequence, window.indices)[0] for window in chosen]


def judge(model: fc.Forecaster, videos: list[np.ndarray]) -> dict[int, np.ndarray]:
    """Return fair CRPS, ratio of means and ratio of standard deviations by lead time in hours."""
    lags = [round(time / 3600) for time in model.frames.past_times]
    found: dict[int, list[tuple[float, ...]]] = {}
    for k, video in enumerate(videos):
        past = video[None, [12 + lag for lag in lags]]
        ensemble = model.forecast(past, members=MEMBERS, seed=k, horizon=f"{HOURS}h").values[:, :, 0]
        leads = [round(time / 3600) for time in model.frames.extended(HOURS * 3600.0).lead_times]
        for position, lead in enumerate(leads):
            truth, members = video[12 + lead], ensemble[:, position]
            members = np.where(np.isfinite(truth), members, np.nan)
            score = crps(torch.from_numpy(members), torch.from_numpy(truth), fair=True).nanmean().item()
            deviation = np.nanstd(members, (1, 2)).mean() / np.nanstd(truth)
            found.setdefault(lead, []).append((score, np.nanmean(members) / np.nanmean(truth), deviation))
    return {lead: np.mean(values, 0) for lead, values in sorted(found.items())}


def main() -> None:
    """Train, forecast, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=800, help="of the model of even steps")
    parser.add_argument("--windows", type=int, default=40)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = {}
    for name in FRAMES:
        run = arguments.out / name
        steps = arguments.steps if name == "even" else round(arguments.steps * 12 / 13)
        fc.train(fc.load_recipe("tiny", recipe(name, steps)), arguments.archive, out=run)
        model = fc.load(run)
        if not found:
            videos = truths(fc.open_archive(arguments.archive), model.frames, arguments.windows)
        found[name] = judge(model, videos)
    found["persistence"] = {
        lead: np.mean([np.nanmean(np.abs(video[12 + lead] - video[12])) for video in videos])[None]
        for lead in range(1, HOURS + 1)
    }
    print("| lead time | persistence | even | uneven | mean, even | uneven | deviation, even | uneven |")
    print("|---" * 8 + "|")
    for lead in sorted(found["even"].keys() | found["uneven"].keys()):
        pair = [found[name].get(lead) for name in ("even", "uneven")]
        cells = [["–" if each is None else f"{each[k]:.2f}" for each in pair] for k in range(3)]
        print(
            f"| {lead} h | {found['persistence'][lead][0]:.2f} | "
            + " | ".join(cell for row in cells for cell in row)
            + " |"
        )


if __name__ == "__main__":
    main()
