"""A picture of docs/solar.md: real active regions, each followed for days, and one of them at the limb.

    python docs/figures/regions.py SRC_DIR docs/pictures/regions.png

SRC_DIR holds hourly full-disk images of 171 Å.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import sunpy.visualization.colormaps  # noqa: F401  (registers sdoaia171)
from matplotlib.colors import PowerNorm
from PIL import Image

from framecast.domains.solar.cut import cut
from framecast.domains.solar.observations import match, scan
from framecast.domains.solar.reader import read_image
from framecast.domains.solar.tracks import Passage, follow, grid

PIXEL, SIZE, REGIONS, STEP = 4.8, 64, 3, 24
LOOK = {"cmap": "sdoaia171", "norm": PowerNorm(0.5, vmin=0, vmax=1444), "origin": "lower"}


def main(source: Path, target: Path) -> None:
    """Draw the brightest regions of the first image that are seen on five days, and the first of them at the limb."""
    frames = [slot.frames[0] for slot in match(scan(source).frames, [171]).slots]
    moments = list(range(0, 5 * STEP, STEP))
    images = [read_image(frames[k].path) for k in moments]
    passages = follow(grid(frames, angle=62.0, spacing=12.0), frames, angle=62.0)
    seen = [p for p in passages if set(moments) <= set(p.indices.tolist())]
    brightest = sorted(seen, key=lambda p: -float(np.median(region(images[2], p, moments[2]))))
    chosen = apart(brightest, moments[2])[:REGIONS]
    figure, axes = plt.subplots(REGIONS + 1, len(moments), figsize=(9.2, 7.8), layout="constrained")
    for row, passage in zip(axes, chosen, strict=False):
        for place, image, k in zip(row, images, moments, strict=True):
            drawn = place.imshow(region(image, passage, k).clip(0), **LOOK)
            at = int(np.searchsorted(passage.indices, k))
            place.set_title(f"{passage.x[at]:.0f}″, {passage.y[at]:.0f}″".replace("-", "−"), fontsize=8)
        row[0].set_ylabel(passage.track.name.rsplit("_", 1)[0].replace("_", "\n"), fontsize=8)
    for column, (place, image) in enumerate(zip(axes[-1], images, strict=True)):
        x = image.header.observer.limb * np.cos(np.radians(8 + 4 * column))
        y = image.header.observer.limb * np.sin(np.radians(8 + 4 * column))
        limb = image.header.observer.limb if column % 2 == 0 else None
        view = {"pixel": PIXEL, "height": SIZE, "width": SIZE, "limb": limb}
        shown = cut(image.rate, image.header.pointing, [x], [y], **view)[0]
        place.imshow(shown.clip(0), **LOOK)
        place.set_facecolor("0.8")
        place.set_title("limb, masked" if limb else "limb, kept", fontsize=8)
    for place in axes.ravel():
        place.set(xticks=[], yticks=[])
    figure.colorbar(drawn, ax=axes, label="DN/s", fraction=0.025)
    figure.savefig(target, dpi=100)
    with Image.open(target) as picture:
        small = picture.convert("RGB").quantize(256, method=Image.Quantize.MAXCOVERAGE)
    small.save(target, optimize=True)


def region(image, passage: Passage, index: int) -> np.ndarray:
    """Cut a region out of ``image``, moment ``index`` of the series."""
    at = int(np.searchsorted(passage.indices, index))
    view = {"pixel": PIXEL, "height": SIZE, "width": SIZE}
    return cut(image.rate, image.header.pointing, [passage.x[at]], [passage.y[at]], **view)[0]


def apart(passages: list[Passage], index: int) -> list[Passage]:
    """Return those of ``passages`` that do not overlap one before them."""
    chosen: list[Passage] = []
    for passage in passages:
        at = int(np.searchsorted(passage.indices, index))
        here = np.array([passage.x[at], passage.y[at]])
        others = [np.array([p.x[k], p.y[k]]) for p in chosen if (k := int(np.searchsorted(p.indices, index))) >= 0]
        if all(np.abs(here - other).max() > PIXEL * SIZE for other in others):
            chosen.append(passage)
    return chosen


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
