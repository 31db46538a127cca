"""A prediction of one region of the Sun as a page: that of any prediction, and the disk with the region."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib.figure import Figure

from framecast.data.archive.reader import Archive
from framecast.data.windows import TOLERANCE
from framecast.domains.solar.colours import passband_colours
from framecast.domains.solar.cut import cut, offsets
from framecast.domains.solar.image import SolarImage
from framecast.domains.solar.observations import scan
from framecast.domains.solar.radiometry import Radiometry
from framecast.domains.solar.reader import read_image
from framecast.reports import prediction
from framecast.reports.brightness import Brightness
from framecast.reports.page import Section
from framecast.reports.picture import save_figure
from framecast.reports.prediction import PAGE as PAGE
from framecast.reports.prediction import Sample
from framecast.reports.style import chart

_ACROSS = 640
_SKY = "#0b0d12"
_BOX = "#56b4e9"


def write_prediction(
    folder: Path,
    *,
    radiometry: Radiometry = Radiometry(),
    facts: dict[str, str],
    command: str = "",
    label: str = "",
) -> Path:
    """Draw ``images/``, ``region.zarr`` and ``forecast.zarr`` of ``folder``, put the page beside them; return its path.

    ``facts`` is what else the page tells of the making; ``command`` makes it again; ``label`` is what the region is
    called.
    """
    sample = with_observations(Sample.read(folder / "forecast.zarr"), folder / "region.zarr")
    figures = folder / "figures"
    figures.mkdir(exist_ok=True)
    disk = save_figure(
        _disk(folder, sample, radiometry, label),
        figures / "disk",
        caption="The last frame seen. The dotted line is the path of the region's centre through the frames at hand.",
        alt="The whole disk with a box around the region.",
        drawn=False,
    )
    return prediction.write_prediction(
        folder,
        sample,
        heading=f"A forecast of the Sun, issued {sample.issued}",
        named=lambda channel: f"{channel} Å",
        sections=[Section(name="disk", title="Location on the disk", pictures=[disk])],
        facts=facts,
        command=command,
        credits="The frames: region.zarr, the images: images/. Images: NASA/SDO and the AIA science team.",
    )


def with_observations(sample: Sample, path: Path) -> Sample:
    """Return ``sample`` with the future as it is in the archive ``path``: an issued forecast stays as it is."""
    archive = Archive.open(path)
    channels = [name for name in sample.channels if name in archive.channels]
    times, truth = archive.times(sample.sequence), sample.truth.clone()
    usable = archive.quality(sample.sequence) == 0
    for k, seconds in enumerate(sample.lead_times):
        away = np.abs(times - (sample.issue + np.timedelta64(round(seconds * 1e9), "ns")))
        row = int(away.argmin())
        if usable[row] and away[row] <= np.timedelta64(round(TOLERANCE * sample.lead_times[0] * 1e9), "ns"):
            seen = archive.read(sample.sequence, [row], channels)[:, 0]
            for own, name in zip(seen, channels, strict=True):
                truth[sample.channels.index(name), k] = torch.from_numpy(np.asarray(own))
    return replace(sample, truth=truth)


def _disk(folder: Path, sample: Sample, radiometry: Radiometry, label: str) -> Figure:
    """Return the disk in the first channel that is forecast and seen, at the last frame seen."""
    archive = Archive.open(folder / "region.zarr")
    region = archive.sequence(sample.sequence)
    wavelength = int(next((name for name in sample.channels if name in archive.channels), archive.channels[0]))
    last = scan(folder / "images").nearest(wavelength, sample.issue)
    assert last is not None  # it was found before
    pixel = float(archive.attrs["pixel_arcsec"])
    box = Box(
        x=region["hpc_x"].values.tolist(),
        y=region["hpc_y"].values.tolist(),
        now=int(np.abs(region["time"].values - sample.issue).argmin()),
        width=archive.width * pixel,
        height=archive.height * pixel,
        label=label,
    )
    return disk_picture(read_image(last.path), box, radiometry=radiometry)


@dataclass(frozen=True, kw_only=True)
class Box:
    """A region in the image.

    Its middle at successive times, in arcsec, which of them is the image's, its sides, and what it is called.
    """

    x: Sequence[float]
    y: Sequence[float]
    now: int
    width: float
    height: float
    label: str = ""


def disk_picture(image: SolarImage, box: Box, *, radiometry: Radiometry = Radiometry()) -> Figure:
    """Return the observation ``image``, north up, with the limb, the ``box`` and the path of its middle."""
    header = image.header
    limb = header.observer.limb
    pixel = 2.4 * limb / _ACROSS
    rate = radiometry.rate(image)
    view = cut(rate, header.pointing, [0.0], [0.0], pixel=pixel, height=_ACROSS, width=_ACROSS)[0]
    edge = offsets(_ACROSS, pixel)[-1] + pixel / 2
    colours = (passband_colours(str(header.wavelength)) or matplotlib.colormaps["inferno"]).with_extremes(bad=_SKY)
    figure, axes = chart(5.2, 5.0)
    axes.grid(visible=False)
    shown = np.ma.masked_invalid(Brightness.of(rate)(view))
    axes.imshow(shown, origin="lower", extent=(-edge, edge, -edge, edge), cmap=colours, vmin=0, vmax=1)
    around = np.radians(np.arange(361))
    axes.plot(limb * np.cos(around), limb * np.sin(around), color="white", linewidth=0.7, alpha=0.7)
    left, low = box.x[box.now] - box.width / 2, box.y[box.now] - box.height / 2
    corners = [(left, low), (left + box.width, low), (left + box.width, low + box.height), (left, low + box.height)]
    axes.plot(*zip(*corners, corners[0], strict=True), color=_BOX, linewidth=1.6)
    axes.plot(box.x, box.y, color=_BOX, linewidth=1.2, linestyle=":")
    axes.plot(box.x[-1], box.y[-1], color=_BOX, marker=".", markersize=6)
    if box.label:
        axes.text(left + box.width / 2, low + box.height * 1.06, box.label, color=_BOX, fontsize=9, ha="center")
    axes.set_title(
        f"{header.instrument} {header.wavelength} Å, {str(header.time)[:19].replace('T', ' ')} UTC", fontsize=9
    )
    axes.set_xlim(-edge, edge)
    axes.set_ylim(-edge, edge)
    axes.set_xlabel("Solar X (arcsec)", fontsize=9.5)
    axes.set_ylabel("Solar Y (arcsec)", fontsize=9.5)
    return figure
