"""How accurate the advection of rain is: the optical flow of models and the Lucas-Kanade motion of pysteps.

    framecast import radar-rain rain.zarr --importer radar_rain:open_events --independent   (in the folder examples)
    python benchmarks/motion.py rain.zarr

Every motion moves the last frame by the same scheme; scored is the mean absolute error at pixels that are known and
reached by all of them, over evenly spaced frames of each sequence. Seconds are medians, in turns, on one thread.
"""

import argparse
import io
import platform
import statistics
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import cv2
import numpy as np
import torch

import framecast as fc
from framecast.videos.motion import OpticalFlow, advect

LEADS = (2, 6, 12)
"""Frames of 5 minutes."""


def lucas_kanade(past: torch.Tensor) -> torch.Tensor:
    """Return the motion that pysteps finds."""
    with redirect_stdout(io.StringIO()):
        from pysteps import motion

        rain = np.nan_to_num(past.numpy())
        decibel = np.where(rain < 0.1, -15.0, 10 * np.log10(np.maximum(rain, 0.1)))
        return torch.from_numpy(motion.get_method("LK")(decibel)).float()


MOTIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "none": lambda past: torch.zeros(2, *past.shape[1:]),
    "pysteps Lucas-Kanade": lucas_kanade,
    "optical flow": OpticalFlow().estimate,
}


def main() -> None:
    """Print a table for each sequence."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--frames", type=int, default=4, help="issue times of each sequence")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    archive = fc.open_archive(arguments.archive)
    print(f"processor: {platform.processor() or platform.machine()}\n")
    print(
        "| sequence | motion | " + " | ".join(f"{5 * k} min, mm/h" for k in LEADS) + " | seconds |\n" + "|---" * 6 + "|"
    )
    for name in archive.sequences:
        video = torch.from_numpy(archive.read(name)[0])
        issued = np.linspace(3, len(video) - LEADS[-1] - 1, arguments.frames).astype(int)
        errors: dict[str, list[list[float]]] = {motion: [] for motion in MOTIONS}
        seconds: dict[str, list[float]] = {motion: [] for motion in MOTIONS}
        for k in issued.tolist():
            moved = {}
            for motion, estimate in MOTIONS.items():
                started = time.perf_counter()
                flow = estimate(video[k - 2 : k + 1])
                seconds[motion].append(time.perf_counter() - started)
                moved[motion] = advect(video[k], flow, LEADS[-1])
            truth = video[k + 1 : k + 1 + LEADS[-1]]
            known = torch.stack([truth, *moved.values()]).isfinite().all(0)
            for motion, frames in moved.items():
                apart = (frames - truth).abs()
                errors[motion].append([apart[lead - 1][known[lead - 1]].mean().item() for lead in LEADS])
        for motion in MOTIONS:
            cells = " | ".join(f"{value:.4f}" for value in np.mean(errors[motion], axis=0))
            print(f"| {name} | {motion} | {cells} | {statistics.median(seconds[motion]):.2f} |", flush=True)


if __name__ == "__main__":
    main()
