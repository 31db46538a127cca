"""A rain model compared with STEPS, on events that it was not trained on.

    framecast import radar-rain rain.zarr --importer radar_rain:open_events --independent   (in the folder examples)
    framecast train examples/radar-rain.yaml --data rain.zarr --out runs/radar-rain
    python benchmarks/rain.py rain.zarr runs/radar-rain

The archive is that of `examples/radar_rain.py`. Judged are a square of each window of sequences that the model's split
leaves out: a Swiss event and a service (KNMI) of which nothing was trained on. Lagrangian persistence is the advected
last frame that the model itself is given; STEPS (Pulkkinen et al. 2019, doi:10.5194/gmd-12-4185-2019) is that of
pysteps with its Lucas-Kanade motion, 20 members each. Where STEPS says nothing, since nothing it saw arrives, no
forecast is scored. Both are timed in turns in this one run, on one thread.

It prints, for each event and for both: the fair CRPS by lead time; the fractions skill score at 2 mm/h by scale of
the probabilities of all members; how often 2 mm/h are reached at each forecast probability; the power of members over
that of the truth by wavelength; how much the mean rain of a member changes between frames, over the truth's; the
processor time of a forecast. Intervals are of the ratio of CRPS, over windows.
"""

import argparse
import io
import platform
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import framecast as fc
from framecast.data.windows import find_windows
from framecast.models.members import Draw
from framecast.verification.scores.ensemble import crps
from framecast.verification.scores.events import fractions, reliability
from framecast.verification.scores.image import power_spectrum
from framecast.videos.target import advected_frames

MEMBERS, THRESHOLD, PIXEL_KM, DRY = 20, 2.0, 2.0, 0.1
WIDTHS = (1, 3, 9, 27, 65)
"""Sides of the squares of the fractions skill score, pixels."""


def most_known(video: np.ndarray, side: int) -> tuple[slice, slice]:
    """Return the square of a frame in which most pixels are known."""
    known = np.isfinite(video[-1]).astype(float)
    total = np.pad(known.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    found = total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
    top, left = np.unravel_index(found.argmax(), found.shape)
    return slice(top, top + side), slice(left, left + side)


def steps_nowcast(past: np.ndarray, leads: int, seed: int) -> np.ndarray:
    """Return members of STEPS ``[member, lead time, y, x]`` in mm/h, NaN where it says nothing."""
    with redirect_stdout(io.StringIO()):
        from pysteps import motion, nowcasts

        seen = np.nan_to_num(past[-3:])
        decibel = np.where(seen < DRY, -15.0, 10 * np.log10(np.maximum(seen, DRY)))
        members = nowcasts.get_method("steps")(
            decibel,
            motion.get_method("LK")(decibel),
            leads,
            n_ens_members=MEMBERS,
            n_cascade_levels=6,
            precip_thr=-10.0,
            kmperpixel=PIXEL_KM,
            timestep=5,
            seed=seed,
            num_workers=1,
            fft_method="numpy",
        )
    return np.where(members < -10.0, 0.0, 10 ** (members / 10)).astype(np.float32)


def kept(folder: Path | None, name: str, make: Callable[[], np.ndarray]) -> tuple[np.ndarray, float]:
    """Return what ``make`` returns and the processor seconds it took; kept in the folder, if there is one."""
    path = None if folder is None else folder / f"{name}.npz"
    if path is not None and path.is_file():
        with np.load(path) as stored:
            return stored["members"], float(stored["seconds"])
    started = time.process_time()
    members = make()
    seconds = time.process_time() - started
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, members=members, seconds=seconds)
    return members, seconds


class Tally:
    """What is added up over the windows of one event for one forecast."""

    def __init__(self) -> None:
        self.crps: list[np.ndarray] = []
        self.fss = np.zeros((len(WIDTHS), 2))
        self.bins = torch.zeros(6, 3, dtype=torch.float64)
        self.power = torch.zeros(2, 0)
        self.jumps = torch.zeros(2)
        self.seconds: list[float] = []

    def add(self, members: np.ndarray, truth: np.ndarray, known: np.ndarray) -> None:
        """Score ``[member, lead time, y, x]`` where ``known``."""
        masked = torch.from_numpy(np.where(known, truth, np.nan))
        ensemble = torch.from_numpy(members)
        self.crps.append(crps(ensemble, masked, fair=len(members) > 1).nanmean(dim=(1, 2)).numpy())
        sums = [fractions(ensemble, masked, THRESHOLD, width=width) for width in WIDTHS]
        self.fss += np.array([[part.sum().item() for part in pair] for pair in sums])
        if len(members) > 1:
            self.bins += reliability(ensemble, masked, THRESHOLD, bins=6).double()
        filled = [torch.from_numpy(np.where(known, each, 0.0)).float() for each in (members, truth[None])]
        self.jumps += torch.stack([each.mean((-2, -1)).diff(dim=-1).square().mean() for each in filled])
        power = torch.stack([power_spectrum(each).mean((0, 1)) for each in filled])
        self.power = power if not self.power.numel() else self.power + power


def cases(archive: fc.Archive, frames: fc.FrameSpec, name: str, count: int, side: int) -> Iterator[np.ndarray]:
    """Yield ``[time, y, x]`` of evenly spaced windows of a sequence."""
    channel = archive.channels[:1]  # rain, whatever it is called
    whole = replace(frames, past_channels=channel, future_channels=channel, height=archive.height, width=archive.width)
    own = [window for window in find_windows(archive, whole, max_masked=0.9) if window.sequence == name]
    for window in [own[(2 * k + 1) * len(own) // (2 * count)] for k in range(count)]:
        video = archive.read(name, window.indices)[0]
        yield video[:, *most_known(video, side)]


def judge(model: fc.Forecaster, archive: fc.Archive, name: str, arguments: argparse.Namespace) -> None:
    """Forecast windows of one event and print its tables."""
    count, side, tile = arguments.windows, arguments.side, arguments.tile
    frames = model.frames
    tallies = {"advected": Tally(), "STEPS": Tally(), model.name: Tally()}
    for k, video in enumerate(cases(archive, frames, name, count, side)):
        past, truth = video[: frames.past], video[frames.past :]
        given = torch.from_numpy(past)[None]
        started = time.process_time()
        flow = model.motion(given)
        draw = Draw(members=range(MEMBERS), sample=k, options=model.options(precision="float32", tile=tile))
        moved = advected_frames(given, frames, flow)
        ours = model.draw(given, draw, moved=moved[None])[:, 0].numpy()
        tallies[model.name].seconds.append(time.process_time() - started)
        own = f"steps-{name}-{side}-{k}-of-{count}"
        theirs, seconds = kept(arguments.keep, own, lambda past=past, k=k: steps_nowcast(past, frames.future, seed=k))
        tallies["STEPS"].seconds.append(seconds)
        known = np.isfinite(truth) & np.isfinite(theirs).all(0) & np.isfinite(ours).all(0)
        for each, members in (("advected", moved.numpy()), ("STEPS", theirs), (model.name, ours)):
            tallies[each].add(members, truth, known)
    report(name, tallies, frames.future)


def report(name: str, tallies: dict[str, Tally], leads: int) -> None:
    """Print the tables of one event."""
    (last,) = list(tallies)[-1:]
    shown = [k for k in (1, 3, 5, 7, 9, 11) if k < leads]
    print(f"\n### {name}, {len(tallies[last].crps)} windows\n")
    print(
        "| fair CRPS, mm/h | "
        + " | ".join(f"{5 * (k + 1)} min" for k in shown)
        + " | all |\n"
        + "|---" * (len(shown) + 2)
        + "|"
    )
    for label, tally in tallies.items():
        scores = np.stack(tally.crps)
        print(f"| {label} | " + " | ".join(f"{scores[:, k].mean():.4f}" for k in shown) + f" | {scores.mean():.4f} |")
    ours, theirs = (np.stack(tallies[each].crps) for each in (last, "STEPS"))
    random = np.random.default_rng(0)
    drawn = random.integers(0, len(ours), (2000, len(ours)))
    ratio = ours[drawn].mean((1, 2)) / theirs[drawn].mean((1, 2))
    cells = " | ".join(f"{ours[:, k].mean() / theirs[:, k].mean():.3f}" for k in shown)
    low, high = np.quantile(ratio, [0.025, 0.975])
    print(f"| {last} / STEPS | {cells} | {ours.mean() / theirs.mean():.3f} ({low:.3f}, {high:.3f}) |")
    print(
        f"\n| FSS at {THRESHOLD:g} mm/h | "
        + " | ".join(f"{PIXEL_KM * w:g} km" for w in WIDTHS)
        + " |\n"
        + "|---" * 6
        + "|"
    )
    for label, tally in tallies.items():
        print(f"| {label} | " + " | ".join(f"{1 - a / b:.3f}" for a, b in tally.fss) + " |")
    print(
        f"\n| {THRESHOLD:g} mm/h observed at forecast probability | "
        + " | ".join(f"{p:.1f}" for p in np.linspace(0, 1, 6))
        + " |\n"
        + "|---" * 7
        + "|"
    )
    for label in ("STEPS", last):
        cells = [
            f"{event / points:.2f} ({p / points:.2f})" if points else ""
            for points, p, event in tallies[label].bins.tolist()
        ]
        print(f"| {label} | " + " | ".join(cells) + " |")
    rings = (128, 64, 32, 16, 8, 5)
    size = 2 * tallies[last].power.shape[1] * PIXEL_KM
    print("\n| power over the truth's at wavelength | " + " | ".join(f"{km} km" for km in rings) + " |")
    print("|---" * (len(rings) + 1) + "|")
    for label, tally in tallies.items():
        waves = size / np.arange(1, tally.power.shape[1] + 1)
        bands = [(waves < 1.42 * km) & (waves >= 0.71 * km) for km in rings]
        ratios = [tally.power[0, band].sum() / tally.power[1, band].sum() for band in map(torch.from_numpy, bands)]
        print(f"| {label} | " + " | ".join(f"{ratio:.2f}" for ratio in ratios) + " |")
    jumps = {label: float((tally.jumps[0] / tally.jumps[1]).sqrt()) for label, tally in tallies.items()}
    print("\nchange of a member's mean rain between frames, root mean square, over the truth's: ", end="")
    print(", ".join(f"{label} {jump:.2f}" for label, jump in jumps.items()))
    seconds = {label: statistics.median(tallies[label].seconds) for label in ("STEPS", last)}
    print(
        f"\nprocessor seconds of {MEMBERS} members: {seconds}; STEPS takes {seconds['STEPS'] / seconds[last]:.2f} "
        "times as long"
    )


def main() -> None:
    """Judge the events that the model's split leaves out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("model")
    parser.add_argument("--windows", type=int, default=6, help="of each event")
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--tile", type=int, default=None)
    parser.add_argument("--keep", type=Path, help="folder that keeps what STEPS says, and takes it from there again")
    parser.add_argument("--events", nargs="*", default=["mch-20170131", "knmi"])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print(f"processor: {platform.processor() or platform.machine()}")
    model, archive = fc.load(arguments.model), fc.open_archive(arguments.archive)
    for name in arguments.events:
        judge(model, archive, name, arguments)


if __name__ == "__main__":
    main()
