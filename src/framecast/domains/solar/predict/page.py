"""A prediction of one region of the Sun as a page: that of any prediction, and the disk with the region."""

from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from framecast.data.archive.reader import Archive
from framecast.data.windows import TOLERANCE
from framecast.domains.solar.colours import passband_colours
from framecast.domains.solar.cut import cut, offsets
from framecast.domains.solar.disk_pictures import read_picture
from framecast.domains.solar.image import SolarImage
from framecast.domains.solar.observations import scan
from framecast.domains.solar.options import Disk
from framecast.domains.solar.radiometry import Radiometry
from framecast.domains.solar.reader import read_image
from framecast.reports import prediction
from framecast.reports.colours import SIGNED, Brightness, is_signed
from framecast.reports.page import Section
from framecast.reports.picture import save_figure
from framecast.reports.style import chart
from framecast.verification.samples import Sample
from framecast.videos.frames import span

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
    disk: Disk | None = None,
) -> Path:
    """Draw ``images/``, ``region.zarr`` and ``forecast.zarr`` of ``folder``, put the page beside them; return its path.

    ``facts`` are further provenance; ``command`` reproduces the page; ``label`` is the name of the region; ``disk``
    describes pictures without a header.
    """
    sample = with_observations(Sample.read(folder / "forecast.zarr"), folder / "region.zarr")
    figures = folder / "figures"
    figures.mkdir(exist_ok=True)
    whole = save_figure(
        _disk(folder, sample, radiometry, label, disk),
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
        sections=[Section(name="disk", title="Location on the disk", pictures=[whole])],
        facts=facts,
        command=command,
        credits="The frames: region.zarr, the images: images/."
        + (" Images: NASA/SDO and the AIA science team." if disk is None else ""),
    )


def with_observations(sample: Sample, path: Path) -> Sample:
    """Return ``sample`` with the future from the archive ``path``: an issued forecast is not changed."""
    archive = Archive.open(path)
    channels = [name for name in sample.channels if name in archive.channels]
    times, truth = archive.times(sample.sequence), sample.truth.clone()
    usable = archive.quality(sample.sequence) == 0
    for k, seconds in enumerate(sample.lead_times):
        away = np.abs(times - (sample.issue + span(seconds)))
        row = int(away.argmin())
        if usable[row] and away[row] <= span(TOLERANCE * sample.lead_times[0]):
            seen = archive.read(sample.sequence, [row], channels)[:, 0]
            for own, name in zip(seen, channels, strict=True):
                truth[sample.channels.index(name), k] = torch.from_numpy(np.asarray(own))
    return replace(sample, truth=truth)


def _disk(folder: Path, sample: Sample, radiometry: Radiometry, label: str, disk: Disk | None) -> Figure:
    """Return the disk in the first channel that is both past and future channel, at the last past frame."""
    archive = Archive.open(folder / "region.zarr")
    region = archive.sequence(sample.sequence)
    wavelength = int(next((name for name in sample.channels if name in archive.channels), archive.channels[0]))
    last = scan(folder / "images", disk=disk).nearest(wavelength, sample.issue)
    assert last is not None  # it was found before
    image = read_image(last.path) if last.disk is None else read_picture(last)
    figure, axes = _disk_picture(image, radiometry)
    pixel, x, y = float(archive.attrs["pixel_arcsec"]), region["hpc_x"].values, region["hpc_y"].values
    width, height = archive.width * pixel, archive.height * pixel
    now = int(np.abs(region["time"].values - sample.issue).argmin())
    left, low = x[now] - width / 2, y[now] - height / 2
    axes.add_patch(Rectangle((left, low), width, height, fill=False, edgecolor=_BOX, linewidth=1.6))
    axes.plot(x, y, color=_BOX, linewidth=1.2, linestyle=":")
    axes.plot(x[-1], y[-1], color=_BOX, marker=".", markersize=6)
    if label:
        axes.text(left + width / 2, low + height * 1.06, label, color=_BOX, fontsize=9, ha="center")
    return figure


def _disk_picture(image: SolarImage, radiometry: Radiometry) -> tuple[Figure, Axes]:
    """Return the observation ``image``, north up, with the limb."""
    header = image.header
    limb = header.observer.limb
    pixel = 2.4 * limb / _ACROSS
    rate = radiometry.rate(image)
    view = cut(rate, header.pointing, [0.0], [0.0], pixel=pixel, height=_ACROSS, width=_ACROSS)[0]
    edge = offsets(_ACROSS, pixel)[-1] + pixel / 2
    light = Brightness.of(rate, signed=is_signed(rate, header.final_unit))
    own = None if light.signed else passband_colours(str(header.wavelength))
    colours = own or matplotlib.colormaps[SIGNED if light.signed else "inferno"]
    figure, axes = chart(5.2, 5.0)
    axes.grid(visible=False)
    shown, sky = np.ma.masked_invalid(light(view)), colours.with_extremes(bad=_SKY)
    axes.imshow(shown, origin="lower", extent=(-edge, edge, -edge, edge), cmap=sky, vmin=0, vmax=1)
    around = np.radians(np.arange(361))
    axes.plot(limb * np.cos(around), limb * np.sin(around), color="white", linewidth=0.7, alpha=0.7)
    axes.set_title(
        f"{header.instrument} {header.wavelength} Å, {str(header.time)[:19].replace('T', ' ')} UTC", fontsize=9
    )
    axes.set_xlim(-edge, edge)
    axes.set_ylim(-edge, edge)
    axes.set_xlabel("Solar X (arcsec)", fontsize=9.5)
    axes.set_ylabel("Solar Y (arcsec)", fontsize=9.5)
    return figure, axes
