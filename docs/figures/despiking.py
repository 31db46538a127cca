"""The figure of `docs/solar-radiometry.md`: hits in a raw image, and the image without them.

python docs/figures/despiking.py FOLDER    # the folder of real observations, as FRAMECAST_DATA names it
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from framecast.domains.solar.colours import passband_colours
from framecast.domains.solar.despike import Despiking
from framecast.domains.solar.reader import read_image

FILE = "aia304-cutouts-2022-04-02/AIA20220402_131505_0304.fits"


def main(folder: Path) -> None:
    """Write `despiking.png` beside this file."""
    raw = read_image(folder / FILE).data
    despiking = Despiking()
    hits = despiking.find(raw)
    figure = Figure(figsize=(10.5, 3.3), layout="constrained", facecolor="white")
    panels = {"as the detector saw it": raw, "hits replaced": despiking(raw), f"{hits.sum()} pixels found": hits}
    for axes, (title, image) in zip(figure.subplots(1, 3), panels.items(), strict=True):
        if image.dtype == bool:
            axes.imshow(image, origin="lower", cmap="gray_r", interpolation="nearest")
        else:
            axes.imshow(
                np.arcsinh(image / 40), origin="lower", cmap=passband_colours("304"), vmin=0, vmax=np.arcsinh(18)
            )
        axes.set_title(title, fontsize=10)
        axes.set(xticks=[], yticks=[])
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=110)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
