"""Fair CRPS of the oracle and of persistence by lead time, on a synthetic archive.

python benchmarks/oracle.py [--regions 24] [--windows 64] [--members 20]
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from framecast.data.archive.reader import Archive
from framecast.data.windows import find_windows
from framecast.domains.corona.oracle import oracle_ensemble
from framecast.domains.corona.writing import write_corona
from framecast.verification.scores import crps
from framecast.videos.frames import FrameSpec

CHANNELS = ("193", "211", "94")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--regions", type=int, default=24)
    parser.add_argument("--windows", type=int, default=64)
    parser.add_argument("--members", type=int, default=20)
    options = parser.parse_args()
    frames = FrameSpec(
        past_channels=CHANNELS, future_channels=CHANNELS, past=6, future=6, cadence=7200.0, height=64, width=64
    )
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        write_corona(Path(folder, "sun.zarr"), regions=options.regions, frames=48, size=64, seed=0)
        print(f"archive of {options.regions} regions: {time.perf_counter() - begin:.1f} s")
        archive = Archive.open(Path(folder, "sun.zarr"))
        windows = find_windows(archive, frames)
        chosen = [windows[k] for k in np.linspace(0, len(windows) - 1, options.windows).astype(int)]
        begin = time.perf_counter()
        scores: dict[str, list[np.ndarray]] = {"persistence": [], "oracle": []}
        for window in chosen:
            past, future = np.split(archive.read(window.sequence, window.indices), [frames.past], axis=1)
            members = oracle_ensemble(archive, window, frames=frames, members=options.members, seed=0)
            scores["persistence"].append(np.abs(future - past[:, -1:]).mean(axis=(2, 3)))
            scores["oracle"].append(crps(torch.from_numpy(members), torch.from_numpy(future)).mean(dim=(2, 3)).numpy())
        print(f"{options.members} members: {(time.perf_counter() - begin) / len(chosen):.2f} s a window\n")
    print(f"{'CRPS (DN/s)':18}" + "".join(f"{lead / 3600:6.0f} h" for lead in frames.lead_times))
    for c, channel in enumerate(CHANNELS):
        for name, values in scores.items():
            print(f"{channel + ' Å ' + name:18}" + "".join(f"{value:8.2f}" for value in np.mean(values, axis=0)[c]))


if __name__ == "__main__":
    main()
