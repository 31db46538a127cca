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
# # The real Sun
#
# The released model `sun-171` forecasts one region of the Sun, tracked through solar rotation, for the next twelve
# hours. The images are a week of SDO/AIA 171 Å ([fetching](../fetch.md) explains how to download them);
# `FRAMECAST_DATA` names the folder that contains them. Data: NASA/SDO and the AIA science team.

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import framecast as fc
from framecast.domains.solar.colours import passband_colours
from framecast.domains.solar.observations import scan
from framecast.domains.solar.prepare import prepare
from framecast.domains.solar.projection import unproject
from framecast.domains.solar.tracks import Track

images = Path(os.environ["FRAMECAST_DATA"]) / "aia171-fulldisk-2017"
issued = np.datetime64("2017-08-13T12:00")  # the last frame that the model sees
x, y = 170.0, -130.0  # the region in that frame, helioprojective arcsec

# %% [markdown]
# The region is cut from every image with a single interpolation, exposure and pedestal are corrected for, and pixels
# are in DN/s.

# %%
model = fc.load("sun-171")
last = min(scan(images).frames, key=lambda frame: abs(frame.time - issued))
longitude, latitude = (float(angle) for angle in unproject(x, y, last.observer))
prepare(
    images,
    "region.zarr",
    size=64,
    wavelengths=[171],
    workers=1,
    tracks=[Track(name="region", longitude=longitude, latitude=latitude, reference=last.time)],
)
video = fc.open_archive("region.zarr").sequence("region")["intensity"].load()
at = int(abs(video["time"].values - issued).argmin())
past, future = video.isel(time=slice(at - 10, at + 1, 2)), video.isel(time=slice(at + 2, at + 13, 2))

# %%
ensemble = model.forecast(past, members=20, seed=0)
hours = ensemble["lead_time"].values / np.timedelta64(1, "h")

# %% mystnb={"image": {"alt": "Rows of frames: observed, two members, mean and spread, up to 12 h ahead"}}
rows = {
    "observed": future.isel(channel=0),
    "member 0": ensemble.isel(member=0, channel=0),
    "member 1": ensemble.isel(member=1, channel=0),
    "mean": ensemble.mean("member").isel(channel=0),
    "spread": ensemble.std("member").isel(channel=0),
}
brightest = float(past.quantile(0.998))
figure, axes = plt.subplots(len(rows), len(hours), figsize=(7.5, 6.5), layout="constrained")
for line, (name, frames) in zip(axes, rows.items(), strict=True):
    line[0].set_ylabel(name)
    for cell, frame, hour in zip(line, frames.values, hours, strict=True):
        shown = np.sqrt(np.clip(frame, 0, None))
        picture = cell.imshow(shown, origin="lower", vmin=0, vmax=brightest**0.5, cmap=passband_colours("171"))
        cell.set(xticks=[], yticks=[], title=f"{hour:+.0f} h" if line is axes[0] else "")
figure.colorbar(picture, ax=axes, label="square root of the intensity in DN/s", shrink=0.5)
plt.show()

# %%
truth = future.rename(time="lead_time").drop_vars("lead_time")
scores = fc.score(ensemble, truth, cadence=7200)
print(f"CRPS {scores['crps'].item():.1f} DN/s, spread / error {scores['spread_skill'].item():.2f}")

# %% [markdown]
# `framecast solar predict sun-171 --time 2017-08-13T12:00 --center 170,-130` does all of this in one command, with
# images downloaded from the observatory's server: [a new prediction](../predict.md). The skill of the model over a
# hundred windows is shown in [forecasting the real Sun](../sun-171.md).
