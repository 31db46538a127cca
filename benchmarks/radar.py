"""Rain from weather radar: scores of forecasts without a network.

    framecast import radar_5min_2km.nc radar.zarr --scale 0.5 --offset -32 --multiple 4 --independent
    python benchmarks/radar.py radar.zarr out

Reflectivity becomes rain by Z = 200 R^1.6 (Marshall & Palmer 1948), R in mm/h; below 0.05 mm/h it is dry. Rain, not
reflectivity, is then averaged over squares of pixels. Every other sequence gives the changes that dress persistence,
the rest is judged.
The forecast that is judged is an ordinary forecast file: the last frame moved on by one vector, found by
cross-correlating the last two frames (one member). Beside it stand persistence, dressed persistence and the nowcasts of
pysteps (`framecast.verification.nowcasts`): Lagrangian persistence, S-PROG and STEPS.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage

from framecast.data.archive.reader import Archive
from framecast.data.forecasts import SampleInfo, write_forecast
from framecast.data.windows import Window, find_windows
from framecast.verification.evaluation import evaluate
from framecast.verification.nowcasts import NOWCASTS, Nowcaster
from framecast.videos.frames import FrameSpec

PAST, FUTURE, CADENCE, DRY = 3, 6, 600.0, 0.05
THRESHOLDS = (0.5, 2.0, 5.0)


def rain(reflectivity: np.ndarray, coarsen: int) -> np.ndarray:
    """Return mm/h for dBZ ``[time, y, x]``, averaged over squares of ``coarsen`` pixels."""
    rate = (10 ** (reflectivity / 10) / 200) ** (1 / 1.6)
    rate = np.where(rate < DRY, 0.0, rate).astype(np.float32)
    time, height, width = rate.shape
    return rate.reshape(time, height // coarsen, coarsen, width // coarsen, coarsen).mean((2, 4))


def extrapolate(past: np.ndarray) -> np.ndarray:
    """Return the last frame moved on by the shift at which it is most like the one before, found to a pixel."""
    before, last = (np.log1p(frame) - np.log1p(frame).mean() for frame in past[-2:])
    match = np.fft.ifft2(np.fft.fft2(last) * np.conj(np.fft.fft2(before))).real
    shift = np.array(np.unravel_index(match.argmax(), match.shape))
    shift = np.where(shift > np.array(match.shape) // 2, shift - np.array(match.shape), shift)
    moved = [ndimage.shift(past[-1], shift * k, order=1, mode="constant", cval=0.0) for k in range(1, FUTURE + 1)]
    return np.stack(moved)[None]


def main() -> None:
    """Forecast, evaluate, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("out", type=Path, help="folder for the forecast files")
    parser.add_argument("--per-sequence", type=int, default=3, help="windows judged of each sequence")
    parser.add_argument("--pixel-km", type=float, default=2.0, help="side of a stored pixel")
    parser.add_argument("--nowcasts", nargs="*", default=list(NOWCASTS), help="of pysteps, to compare with")
    parser.add_argument("--coarsen", type=int, default=2, help="stored pixels along a side of a judged one")
    parser.add_argument("--members", type=int, default=20)
    arguments = parser.parse_args()

    archive = Archive.open(arguments.archive)
    channel = archive.channels[0]
    frames = FrameSpec(
        past_channels=(channel,),
        future_channels=(channel,),
        past=PAST,
        future=FUTURE,
        cadence=CADENCE,
        height=archive.height // arguments.coarsen,
        width=archive.width // arguments.coarsen,
    )
    windows = find_windows(archive, replace(frames, height=archive.height, width=archive.width))
    train = [window for window in windows if window.sequence in archive.sequences[1::2]]
    test = []
    for name in archive.sequences[::2]:
        own = [window for window in windows if window.sequence == name]
        test += [own[k * len(own) // arguments.per_sequence] for k in range(arguments.per_sequence)]

    def video(window: Window) -> np.ndarray:
        return rain(archive.read(window.sequence, window.indices, [channel])[0], arguments.coarsen)

    dressing = np.stack([video(w)[PAST:] - video(w)[PAST - 1] for w in train[:: max(1, len(train) // 60)]])[:, None]
    path = arguments.out / "extrapolation.zarr"
    side = arguments.pixel_km * arguments.coarsen
    nowcasts = [
        Nowcaster(name=name, leads=FUTURE, cadence=CADENCE, unit="mm/h", pixel_km=side, members=arguments.members)
        for name in arguments.nowcasts
    ]
    with write_forecast(
        path,
        frames=frames,
        samples=[SampleInfo(sequence=w.sequence, issue_time=w.issue_time) for w in test],
        members=arguments.members,
        unit="mm/h",
        attrs={"model": "extrapolation", "archive": archive.path.name, "split": "test", "cadence": CADENCE},
        dressing=dressing,
        baselines={each.name: each.size for each in nowcasts},
        overwrite=True,
    ) as writer:
        for k, window in enumerate(test):
            if k not in writer.done:
                values = video(window)
                past = torch.from_numpy(values[None, :PAST])
                own = {each.name: each(past, k).numpy() for each in nowcasts}
                moved = np.repeat(extrapolate(values[:PAST])[:, None], arguments.members, axis=0)
                writer.write(k, past=past.numpy(), truth=values[None, PAST:], forecast=moved, baselines=own)
    scores = evaluate(path, thresholds=THRESHOLDS).scores
    first = next(iter(scores.forecasts.values()))
    width = "5" if "fss_0.5_5" in first.scores else "1"
    header = ["forecast", "CRPS mm/h", "MAE mm/h"]
    header += [f"{what} {t:g} mm/h" for t in THRESHOLDS for what in ("1000 Brier", f"FSS ({width} px)")]
    print("| " + " | ".join(header) + " |\n|" + "---|" * len(header))
    for entry in scores.forecasts.values():
        cells = [f"{entry['crps'].value:.4f}", f"{entry['member_mae'].value:.4f}"]
        for threshold in THRESHOLDS:
            cells += [f"{1e3 * entry[f'brier_{threshold:g}'].value:.3f}"]
            cells += [f"{entry[f'fss_{threshold:g}_{width}'].value:.2f}"]
        print(f"| {entry.label} | " + " | ".join(cells) + " |")
    for pair in scores.differences:
        crps = pair.scores["crps"]
        low, high = crps.total.bounds()
        print(f"{pair.first} - {pair.second}: CRPS {float(crps.total):+.4f} ({low:.4f}, {high:.4f}) {crps.verdict}")
    print({t: first.events[f"{t:g}"].base_rate for t in THRESHOLDS}, scores.bootstrap)


if __name__ == "__main__":
    main()
