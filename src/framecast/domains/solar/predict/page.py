"""A prediction of one region of the Sun as a page: that of any prediction, and the disk with the region."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from framecast.data.archive.reader import Archive
from framecast.domains.solar.observations import scan
from framecast.domains.solar.predict.disk import Box, disk_picture
from framecast.domains.solar.radiometry import Radiometry
from framecast.domains.solar.reader import read_image
from framecast.reports import prediction
from framecast.reports.page import Section
from framecast.reports.picture import save_figure
from framecast.reports.prediction import Sample, minute


def write_prediction(
    folder: Path, *, radiometry: Radiometry = Radiometry(), facts: dict[str, str], command: str = ""
) -> Path:
    """Draw what is in ``folder`` (``images/``, ``region.zarr``, ``forecast.zarr``) and put the page beside it.

    Args:
        folder: what `framecast.domains.solar.predict.predict` filled.
        radiometry: as the region was made with.
        facts: what else the page tells of the making, name to text.
        command: the command line that makes it again.

    Returns:
        The path of the page.
    """
    sample = Sample.read(folder / "forecast.zarr")
    figures = folder / "figures"
    figures.mkdir(exist_ok=True)
    disk = save_figure(
        _disk(folder, sample, radiometry),
        figures / "disk",
        caption="The last frame seen. The dotted line is the path of the region's centre through the frames at hand.",
        alt="The whole disk with a box around the region.",
        drawn=False,
    )
    return prediction.write_prediction(
        folder,
        sample,
        heading=f"A forecast of the Sun, issued {minute(sample.issue)}",
        named=lambda channel: f"{channel} Å",
        sections=[Section(name="disk", title="Location on the disk", pictures=[disk])],
        facts=facts,
        command=command,
        credits="The frames: region.zarr, the images: images/. Images: NASA/SDO and the AIA science team.",
    )


def _disk(folder: Path, sample: Sample, radiometry: Radiometry) -> Figure:
    """Return the disk in the first channel that is forecast and seen, at the last frame seen."""
    archive = Archive.open(folder / "region.zarr")
    region = archive.sequence(sample.sequence)
    wavelength = int(next((name for name in sample.channels if name in archive.channels), archive.channels[0]))
    frames = [frame for frame in scan(folder / "images").frames if frame.wavelength == wavelength]
    last = min(frames, key=lambda frame: abs(frame.time - sample.issue))
    pixel = float(archive.attrs["pixel_arcsec"])
    box = Box(
        x=region["hpc_x"].values.tolist(),
        y=region["hpc_y"].values.tolist(),
        now=int(np.abs(region["time"].values - sample.issue).argmin()),
        width=archive.width * pixel,
        height=archive.height * pixel,
    )
    return disk_picture(read_image(last.path), box, radiometry=radiometry)
