"""Draw docs/figures/corona.png: a synthetic region in three channels, and the oracle's forecast of its 94 Å flux."""

import tempfile
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from framecast.data.archive.reader import Archive
from framecast.data.windows import find_windows
from framecast.domains.corona.oracle import oracle_ensemble
from framecast.domains.corona.writing import write_corona
from framecast.domains.solar.colours import passband_colours
from framecast.videos.frames import FrameSpec

CHANNELS = ("193", "211", "94")
CEILING = {"193": 4000.0, "211": 2000.0, "94": 400.0}
SEQUENCE, FIRST = "region-0001", 21


def main() -> None:
    """Write the figure beside this file."""
    frames = FrameSpec(
        past_channels=CHANNELS, future_channels=CHANNELS, past=6, future=6, cadence=7200.0, height=96, width=96
    )
    with tempfile.TemporaryDirectory() as folder:
        write_corona(Path(folder, "sun.zarr"), regions=2, frames=34, size=96, seed=0)
        archive = Archive.open(Path(folder, "sun.zarr"))
        window = next(w for w in find_windows(archive, frames) if w.sequence == SEQUENCE and w.indices[0] == FIRST)
        video = archive.read(SEQUENCE, window.indices)
        members = oracle_ensemble(archive, window, frames=frames, members=50, seed=0)

    figure = plt.figure(figsize=(10, 8.2), layout="constrained")
    pictures, chart = figure.subfigures(2, 1, height_ratios=(3, 1.25))
    axes = pictures.subplots(3, 6)
    for row, (channel, frame) in enumerate(zip(CHANNELS, video, strict=True)):
        for column, axis in enumerate(axes[row]):
            index = 2 * column
            stretched = np.sqrt(frame[index].clip(0.0, CEILING[channel]))
            axis.imshow(stretched, cmap=passband_colours(channel), origin="lower", vmin=0, vmax=CEILING[channel] ** 0.5)
            axis.set(xticks=[], yticks=[])
            if row == 0:
                axis.set_title(f"{2 * (index - 5):+d} h")
        axes[row, 0].set_ylabel(f"{channel} Å")

    axis = chart.subplots()
    hours = 2.0 * np.arange(-5, 7)
    flux, flux_members = video[2].sum(axis=(1, 2)), members[:, 2].sum(axis=(2, 3))
    start = np.broadcast_to(flux[5], (len(members), 1))
    fan = np.concatenate([start, flux_members], axis=1)
    for low, high, shade in ((0.05, 0.95, 0.25), (0.25, 0.75, 0.35)):
        bounds = np.quantile(fan, [low, high], axis=0)
        label = f"oracle, central {round(100 * (high - low))} %"
        axis.fill_between(hours[5:], *bounds, color="#009E73", alpha=shade, linewidth=0, label=label)
    axis.plot(hours, flux, color="black", marker="o", markersize=4, label="truth")
    axis.axvline(0.0, color="grey", linewidth=0.8)
    axis.set(yscale="log", xlabel="hours from the issue time", ylabel="94 Å flux (DN/s)")
    axis.legend(frameon=False, loc="upper left")
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=64)


if __name__ == "__main__":
    main()
