"""Draw docs/figures/corona-and-sun.png: real and synthetic active regions side by side, and their statistics.

The folder of real observations is what the environment variable FRAMECAST_DATA names.
"""

import os
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from astropy.io import fits
from scipy.ndimage import uniform_filter

from framecast.domains.corona.dynamics import region_streams
from framecast.domains.corona.region import draw_region
from framecast.domains.corona.rendering import Renderer
from framecast.domains.corona.response import expose
from framecast.domains.corona.spec import CoronaSpec
from framecast.domains.corona.writing import evolve
from framecast.domains.solar.colours import passband_colours

SIZE = 128
CHANNELS = ("171", "193", "211", "94")
SHOWN = ("2017/08/08/H0500/AIA20170808_0500_0171.fits", "2017/08/10/H1200/AIA20170810_1200_0171.fits")


def real_regions() -> np.ndarray:
    """Return the surroundings of the brightest places near the centre of the disk, DN/s ``[region, y, x]``."""
    folder = Path(os.environ["FRAMECAST_DATA"], "aia171-fulldisk-2017")
    regions = []
    for name in SHOWN:
        with fits.open(folder / name) as file:
            image = file[1].data / file[1].header["EXPTIME"]
        y, x = np.mgrid[: image.shape[0], : image.shape[1]]
        smooth = np.where(np.hypot(y - 512, x - 512) < 300, uniform_filter(image, 100), 0.0)
        for _ in range(2):
            row, column = np.unravel_index(smooth.argmax(), smooth.shape)
            regions.append(image[row - SIZE // 2 : row + SIZE // 2, column - SIZE // 2 : column + SIZE // 2])
            smooth[np.hypot(y - row, x - column) < 110] = 0.0
    order = np.argsort([-region.std() for region in regions])
    return np.array(regions)[order[:3]]


def synthetic_regions() -> np.ndarray:
    """Return three regions, DN/s ``[region, channel, y, x]``."""
    spec = CoronaSpec(channels=CHANNELS, height=SIZE, width=SIZE)
    streams = [region_streams(0, k) for k in (1, 3, 5)]
    regions = [draw_region(spec, stream.geometry) for stream in streams]
    states = evolve(spec, regions, streams, 2)[:, -1]
    return np.stack(
        [
            expose(Renderer(spec, region)(state), CHANNELS, spec.exposure, stream.photons)
            for region, state, stream in zip(regions, states, streams, strict=True)
        ]
    )


def spectrum(images: np.ndarray) -> np.ndarray:
    """Return the radially averaged power of log brightness, mean over images ``[region, y, x]``."""
    window = np.hanning(SIZE)[:, None] * np.hanning(SIZE)
    log = np.log(np.maximum(images, 1.0))
    power = np.abs(np.fft.fft2((log - log.mean(axis=(1, 2), keepdims=True)) * window)) ** 2
    ring = np.round(SIZE * np.hypot(*np.meshgrid(np.fft.fftfreq(SIZE), np.fft.fftfreq(SIZE)))).astype(int).ravel()
    count = np.bincount(ring)[: SIZE // 2]
    return np.mean([np.bincount(ring, p.ravel())[: SIZE // 2] / count for p in power], axis=0)


def main() -> None:
    """Write the figure beside this file."""
    real, synthetic = real_regions(), synthetic_regions()
    figure = plt.figure(figsize=(10, 4.4), layout="constrained")
    pictures, charts = figure.subfigures(1, 2, width_ratios=(2.05, 1))
    rows = [("real 171 Å", "171", real), *((f"{c} Å", c, synthetic[:, k]) for k, c in enumerate(CHANNELS))]
    axes = pictures.subplots(3, len(rows))
    for column, (name, channel, images) in enumerate(rows):
        top = np.quantile(images, 0.998)
        for axis, image in zip(axes[:, column], images, strict=True):
            axis.imshow(
                np.sqrt(image.clip(0, top)), cmap=passband_colours(channel), origin="lower", vmin=0, vmax=top**0.5
            )
            axis.set(xticks=[], yticks=[])
        axes[0, column].set_title(name, fontsize=10)
    spectra, histogram = charts.subplots(2, 1)
    for name, images, colour in (("real", real, "black"), ("synthetic", synthetic[:, 0], "#0072B2")):
        spectra.loglog(np.arange(1, SIZE // 2), spectrum(images)[1:], color=colour, label=name)
        levels = np.log10(np.maximum(images, 1.0)).ravel()
        histogram.hist(levels, 60, density=True, histtype="step", color=colour)
    spectra.set(xlabel="waves per frame", ylabel="power of log brightness")
    spectra.legend(frameon=False)
    histogram.set(xlabel="log10 of DN/s, 171 Å", yticks=[])
    figure.savefig(Path(__file__).with_name("corona-and-sun.png"), dpi=80)


if __name__ == "__main__":
    main()
