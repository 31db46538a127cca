"""The figure of docs/solar.md: the grid on the disk, one region followed for two days, and what tracking is worth.

    python docs/figures/solar.py SRC_DIR docs/figures/solar.png

SRC_DIR holds hourly full-disk images of 171 Å.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import sunpy.visualization.colormaps  # noqa: F401  (registers sdoaia171)
from matplotlib.patches import Rectangle
from PIL import Image

from framecast.domains.solar.cut import cut
from framecast.domains.solar.observations import match, scan
from framecast.domains.solar.reader import read_image
from framecast.domains.solar.tracks import Passage, follow, grid

PIXEL, SIZE, FIRST, STEPS = 4.8, 64, 20, (0, 12, 24, 36, 48)
LOOK = {"cmap": "sdoaia171", "vmin": 0, "vmax": 38, "origin": "lower"}


def main(source: Path, target: Path) -> None:
    """Draw the figure from the images in ``source``."""
    series = match(scan(source).frames, [171])
    frames = [slot.frames[0] for slot in series.slots]
    passages = follow(grid(frames, angle=45.0, spacing=12.0), frames, angle=45.0)
    figure = plt.figure(figsize=(11, 5.6), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.15))
    image = read_image(frames[FIRST].path)
    shown = [p for p in passages if FIRST in p.indices and FIRST + STEPS[-1] in p.indices]
    chosen = max(shown, key=lambda p: float(np.median(regions(image, p, [FIRST])[0])))
    draw_disk(left.subplots(), image, [p for p in passages if FIRST in p.indices], chosen)
    top, bottom = right.subfigures(2, 1, height_ratios=(1, 1.3))
    for axes, step in zip(top.subplots(2, len(STEPS)).T, STEPS, strict=True):
        later = read_image(frames[FIRST + step].path)
        axes[0].imshow(np.sqrt(regions(later, chosen, [FIRST + step])[0].clip(0)), **LOOK)
        axes[0].set_title(f"+{step} h", fontsize=9)
        axes[1].imshow(np.sqrt(regions(later, chosen, [FIRST])[0].clip(0)), **LOOK)
    for row, name in zip(top.axes[: 2 * len(STEPS) : len(STEPS)], ("followed", "not followed"), strict=False):
        row.set_ylabel(name, fontsize=9)
    for axes in top.axes:
        axes.set(xticks=[], yticks=[])
    draw_likeness(bottom.subplots(), frames, passages)
    figure.savefig(target, dpi=110)
    with Image.open(target) as picture:
        small = picture.convert("RGB").quantize(128)  # a third of the bytes, and the eye sees no difference
    small.save(target, optimize=True)


def regions(image, passage: Passage, indices: list[int]) -> np.ndarray:
    """Cut a region out of ``image`` at the places it has at ``indices`` of the series."""
    at = np.searchsorted(passage.indices, indices)
    view = {"pixel": PIXEL, "height": SIZE, "width": SIZE}
    return cut(image.rate, image.header.pointing, passage.x[at], passage.y[at], **view)


def draw_disk(axes, image, passages: list[Passage], chosen: Passage) -> None:
    """Draw the whole disk, the middles of all regions, and the field of view of one."""
    whole = cut(image.rate, image.header.pointing, [0.0], [0.0], pixel=4.2, height=500, width=500)[0]
    side = PIXEL * SIZE
    axes.imshow(np.sqrt(whole.clip(0)), extent=(-1050, 1050, -1050, 1050), **LOOK)
    for passage in passages:
        at = int(np.searchsorted(passage.indices, FIRST))
        axes.plot(passage.x[at], passage.y[at], "+", color="white", ms=4, mew=0.7)
        if passage is chosen:
            corner = (passage.x[at] - side / 2, passage.y[at] - side / 2)
            axes.add_patch(Rectangle(corner, side, side, fill=False, color="white", lw=1.2))
    axes.set(xlabel="arcsec west", ylabel="arcsec north")
    axes.set_title(f"{len(passages)} regions within 45°, 12° apart; one field of view of {side:.0f}″", fontsize=9)
    axes.tick_params(labelsize=8)


def draw_likeness(axes, frames, passages: list[Passage]) -> None:
    """Draw how alike two frames of a region are against the time between them."""
    hours = [1, 2, 4, 6, 9, 12, 18, 24]
    curves: dict[str, list[float]] = {"followed": [], "not followed": [], "followed backwards": []}
    first = read_image(frames[FIRST].path)
    for hour in hours:
        seen = [p for p in passages if FIRST in p.indices and FIRST + hour in p.indices]
        at = [np.searchsorted(p.indices, [FIRST, FIRST + hour]) for p in seen]
        x = np.array([p.x[k] for p, k in zip(seen, at, strict=True)]).T
        y = np.array([p.y[k] for p, k in zip(seen, at, strict=True)]).T
        view = {"pixel": PIXEL, "height": SIZE, "width": SIZE}
        before = cut(first.rate, first.header.pointing, x[0], y[0], **view)
        later = read_image(frames[FIRST + hour].path)
        for share, curve in zip((1, 0, -1), curves.values(), strict=True):
            there = x[0] + share * (x[1] - x[0]), y[0] + share * (y[1] - y[0])
            after = cut(later.rate, later.header.pointing, *there, **view)
            pairs = zip(np.sqrt(before.clip(0)), np.sqrt(after.clip(0)), strict=True)
            curve.append(float(np.nanmean([likeness(a, b) for a, b in pairs])))
    for (name, curve), style in zip(curves.items(), ("-o", "--s", ":^"), strict=True):
        axes.plot(hours, curve, style, label=name, ms=4)
        print(name, [round(value, 3) for value in curve])
    axes.set(xlabel="hours between two frames", ylabel="mean correlation of √intensity", ylim=(0, 1))
    axes.legend(fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    """Return the correlation of two frames over the pixels both have."""
    seen = np.isfinite(a + b)
    return float(np.corrcoef(a[seen], b[seen])[0, 1])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
