# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Forecasting one region of the Sun
#
# How to go from the observatory's archive to an ensemble of possible futures of one region, step by step.
# `framecast solar predict` does all of this in one command; here every step is shown separately, with a picture.
#
# The images are those of the Atmospheric Imaging Assembly (AIA) on NASA's Solar Dynamics Observatory. They are fetched
# from JSOC's synoptic archive, or from any server of the same layout: set `FRAMECAST_JSOC_URL`.

# %%
import os
import tempfile
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")  # of astropy about units in old headers, of tqdm about notebooks

import astropy.units as u
import matplotlib.pyplot as plt
import numpy as np
import sunpy.map
import torch
import xarray as xr
from astropy.coordinates import SkyCoord
from matplotlib_inline.backend_inline import set_matplotlib_formats

import framecast as fc
from framecast.domains.solar.fetch import fetch
from framecast.domains.solar.observations import scan
from framecast.domains.solar.prepare import prepare
from framecast.domains.solar.projection import unproject
from framecast.domains.solar.sources import SynopticSource
from framecast.domains.solar.tracks import Track
from framecast.verification.quantities import integral, peak, time_of_peak, total
from framecast.verification.scores import central_interval

set_matplotlib_formats("jpeg", pil_kwargs={"quality": 85})  # a small notebook

MODEL = os.environ.get("FRAMECAST_MODEL", "sun-171")  # a released model, or the folder of a run of your own
TIME = np.datetime64("2017-08-13T12:00")  # the last frame that is seen, UTC
CENTER = (170.0, -130.0)  # the middle of the region in that frame: helioprojective x and y in arcsec
folder = Path(tempfile.mkdtemp())

# %% [markdown]
# ## The model
#
# A model stores what its inputs and outputs are: the number of frames, their cadence and wavelengths.

# %%
forecaster = fc.load(MODEL)
frames = forecaster.frames
step = np.timedelta64(int(frames.cadence), "s")
print(f"{forecaster.name}: {frames.past} frames of {', '.join(frames.past_channels)} Å every {step} are seen,")
print(f"{frames.future} frames are forecast, {frames.height} x {frames.width} pixels each, in {forecaster.unit}")

# %% [markdown]
# ## Fetch the images
#
# The past frames that the model needs, and the later ones for comparison. Every file is opened and checked before it
# gets its final name, a second call downloads only what is missing, and unavailable frames are listed.

# %%
times = [TIME + k * step for k in range(1 - frames.past, frames.future + 1)]
wavelengths = [int(channel) for channel in frames.past_channels]
report = fetch(times, wavelengths, folder / "images", source=SynopticSource())
print(f"{len(report.frames)} requested, {report.fetched} downloaded, {len(report.missing)} missing")

# %% [markdown]
# ## Look at the Sun
#
# The last past frame, drawn by sunpy, with the model's field of view around the region as a box.

# %%
PIXEL = 4.8  # arcsec, as in the model's training
catalogue = scan(folder / "images")
last = min(catalogue.frames, key=lambda frame: abs(frame.time - TIME))
disk = sunpy.map.Map(last.path)
half = u.Quantity([frames.width, frames.height]) * PIXEL / 2 * u.arcsec
x, y = CENTER * u.arcsec
corner = SkyCoord(x - half[0], y - half[1], frame=disk.coordinate_frame)

figure = plt.figure(figsize=(5, 5), dpi=80)
axes = figure.add_subplot(projection=disk)
disk.plot(axes=axes, clip_interval=(1, 99.7) * u.percent)
disk.draw_limb(axes=axes, color="white", linewidth=0.5)
disk.draw_quadrangle(corner, width=2 * half[0], height=2 * half[1], axes=axes, edgecolor="deepskyblue", linewidth=1.5)
plt.show()

# %% [markdown]
# ## Follow the region
#
# The point at the centre of the box is tracked through the Sun's differential rotation, and its
# surroundings are cut from every image with one interpolation. Exposure is divided out: frames are in DN/s.

# %%
longitude, latitude = (float(angle) for angle in unproject(*CENTER, last.observer))
track = Track(name="region", longitude=longitude, latitude=latitude, reference=last.time)
prepare(
    folder / "images",
    folder / "region.zarr",
    size=(frames.height, frames.width),
    pixel=PIXEL,
    wavelengths=wavelengths,
    tracks=[track],
    minimum_frames=1,
)
region = fc.Archive.open(folder / "region.zarr").sequence("region")
print(f"Carrington longitude {longitude:.1f}°, latitude {latitude:+.1f}°")
print(f"{region.sizes['time']} frames; its middle moves from x = {region.hpc_x[0]:.0f}″ to {region.hpc_x[-1]:.0f}″")

# %%
past = region["intensity"].isel(time=slice(0, frames.past))
light = {
    "cmap": "sdoaia171",
    "origin": "lower",
    "vmin": 0,
    "vmax": float(past.quantile(0.998)),
    "interpolation": "bicubic",
}


def show(rows: dict[str, xr.DataArray], hours: np.ndarray) -> None:
    """Show videos in rows, frames in columns."""
    _, axes = plt.subplots(
        len(rows), len(hours), figsize=(1.25 * len(hours), 1.3 * len(rows)), dpi=80, squeeze=False, layout="constrained"
    )
    for line, (name, video) in zip(axes, rows.items(), strict=True):
        line[0].set_ylabel(name, fontsize=8)
        for cell, frame, hour in zip(line, video, hours, strict=True):
            cell.imshow(np.sqrt(np.clip(frame, 0, None)), **light | {"vmax": light["vmax"] ** 0.5})
            cell.set(xticks=[], yticks=[])
            if line[0] is axes[0, 0]:
                cell.set_title(f"{hour:+.0f} h", fontsize=8)
    plt.show()


hours = (past["time"].values - last.time) / np.timedelta64(1, "h")
show({"seen": past.isel(channel=0).values}, hours)

# %% [markdown]
# ## Draw the ensemble
#
# Twenty possible futures. The same seed gives the same members, and member 7 is the same in an ensemble of 10 and 50.

# %%
ensemble = forecaster.forecast(past, members=20, seed=0)
ensemble

# %%
truth = region["intensity"].isel(time=slice(frames.past, None), channel=0).values
members = ensemble.isel(channel=0).values
lead = ensemble["lead_time"].values / np.timedelta64(1, "h")
rows = {f"member {k + 1}": members[k] for k in range(3)} | {"mean": members.mean(axis=0)}
complete = len(truth) == frames.future
show({"observed": truth} | rows if complete else rows, lead)

# %% [markdown]
# The members look like the Sun at every lead time and diverge with lead time; their mean blurs, as it should.
#
# ## Forecast intervals
#
# Derived quantities are computed for each member, so that their spread gives an interval.

# %%
curves = total(torch.from_numpy(members))
seen = total(torch.from_numpy(past.isel(channel=0).values))
figure, axes = plt.subplots(figsize=(6, 3.2), dpi=80)
joined = torch.cat([seen[-1:].expand(len(curves), 1), curves], dim=1)
axes.plot([0, *lead], joined.T, color="tab:blue", alpha=0.2, linewidth=0.8)
for level, alpha in ((0.9, 0.2), (0.5, 0.3)):
    low, high = central_interval(joined, level)
    axes.fill_between(
        [0, *lead], low, high, color="tab:blue", alpha=alpha, linewidth=0, label=f"{level:.0%} of the forecast"
    )
axes.plot(hours, seen, color="black")
if complete:
    came = total(torch.from_numpy(truth.copy()))
    axes.plot([0, *lead], torch.cat([seen[-1:], came]), color="black", marker=".", label="observed")
axes.axvline(0, color="grey", linewidth=0.8)
axes.set(xlabel="hours from the last frame seen", ylabel=f"flux ({forecaster.unit})")
axes.legend(frameon=False, fontsize=8)
plt.show()

# %%
names = {peak: "maximum flux (DN/s)", integral: "fluence (DN/s h)", time_of_peak: "time of the maximum (h)"}
print(f"{'':26}{'median':>11}{'90 % interval':>26}{'observed':>12}")
for quantity, name in names.items():
    drawn = quantity(torch.from_numpy(members), frames.cadence)
    low, high = (float(end) for end in central_interval(drawn, 0.9))
    value = f"{float(quantity(torch.from_numpy(truth.copy()), frames.cadence)):12.5g}" if complete else ""
    print(f"{name:26}{float(drawn.median()):11.5g}{f'{low:.5g} to {high:.5g}':>26}{value}")

# %% [markdown]
# ## The same in one command
#
#     framecast solar predict sun-171 --time 2017-08-13T12:00 --center 170,-130 --members 20 --out prediction
#
# writes the film, the fan charts, the intervals as a table and a page that shows them all. An interrupted
# command resumes, and in real time it shows the forecast before the observations are available.
