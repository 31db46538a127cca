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
# # A nowcast of rain
#
# This example goes from the files of a weather service to the probability of rain in the next hour, with the released
# model [`radar-rain`](../cards/radar-rain.md). It uses the Dutch composite (KNMI) of 26 August 2010, in the folder
# named by `FRAMECAST_DATA`, from a service that the model has not been trained on. The example needs the extras `radar`
# and `motion`.

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

import framecast as fc
from framecast.videos.motion import advect

source = Path(os.environ["FRAMECAST_DATA"]) / "radar-rain" / "knmi"
imported = fc.import_data(source, "knmi.zarr", unit="mm/h", dry_below=0.1, coarsen=2, progress=False)
print(imported.understood)
print(f"{imported.frames} frames of {imported.height}×{imported.width} pixels, up to {imported.high[0]:.0f} mm/h")

# %% [markdown]
# The service provides rain accumulated over five minutes. With `unit="mm/h"` the import converts it to rates
# (reflectivity is converted by Z = 200 R^1.6, unless `zr` says otherwise), and all values below 0.1 mm/h are set to
# exactly zero; pixels are then averaged to 2 km, those of the model.
#
# The model receives the last frame advected along its motion to each lead time, and draws the remaining changes, one
# member per network evaluation. The forecast is issued at 06:30 from the four frames up to then; the following hour is
# in the archive and is stored with the forecast.

# %%
fc.forecast("radar-rain", "knmi.zarr", "nowcast.zarr", time="2010-08-26T06:30", members=20, progress=False)
nowcast = fc.open_forecast("nowcast.zarr").isel(sample=0, channel=0)
minutes = nowcast["lead_time"].values / np.timedelta64(1, "m")
rows, columns = slice(60, 316), slice(60, 316)
members, truth = (nowcast[name].isel(y=rows, x=columns).values for name in ("forecast", "truth"))
motion = nowcast["motion"].isel(y=rows, x=columns).values

# %% mystnb={"image": {"alt": "Rain now with its motion, the chance of 2 mm/h in 30 minutes, what came, and a member"}}
figure, axes = plt.subplots(1, 4, figsize=(12, 3.4), layout="constrained", sharex=True, sharey=True)
last = nowcast["past"].isel(past_channel=0, past_time=-1, y=rows, x=columns).values
in30 = int(np.flatnonzero(minutes == 30)[0])
rain = {"vmin": 0, "vmax": 10, "origin": "lower", "cmap": "viridis"}
axes[0].imshow(last, **rain)
step = 24
y, x = np.mgrid[step // 2 : 256 : step, step // 2 : 256 : step]
axes[0].quiver(x, y, *motion[:, y, x], color="white", angles="xy", width=0.006)
chance = axes[1].imshow((members[:, in30] >= 2).mean(0), vmin=0, vmax=1, origin="lower", cmap="magma")
axes[2].imshow(truth[in30], **rain)
shown = axes[3].imshow(members[0, in30], **rain)
for each, title in zip(
    axes, ("06:30, with its motion", "P(2 mm/h) at 07:00", "observed at 07:00", "a member at 07:00"), strict=True
):
    each.set_title(title)
    each.set_axis_off()
figure.colorbar(chance, ax=axes[1], shrink=0.8)
figure.colorbar(shown, ax=axes[3], shrink=0.8, label="mm/h")
plt.show()

# %% [markdown]
# How good is the forecast? One hour of one night says little; [Comparing any forecasts](../judging.md) has the scores
# of the model on two events beside STEPS of pysteps. Here it is compared with advected rain alone, whose probability
# is 0 or 1:

# %%
moved = advect(torch.from_numpy(last), torch.from_numpy(motion), len(minutes)).numpy()
known = np.isfinite(truth) & np.isfinite(members).all(0) & np.isfinite(moved)
for threshold in (0.5, 2.0, 5.0):
    happened = (truth >= threshold)[known].astype(float)
    for name, probability in (("members", (members >= threshold).mean(0)), ("moved on", moved >= threshold)):
        brier, rate = np.mean((probability[known] - happened) ** 2), happened.mean()
        skill = 1 - brier / (rate * (1 - rate))
        print(f"{threshold:3g} mm/h, in {rate:.1%} of the pixels: Brier skill of {name} {skill:.2f}")

# %% [markdown]
# The members can be used in pysteps: `framecast netcdf nowcast.zarr nowcast.nc --layout pysteps` writes the file that
# `pysteps.io.import_netcdf_pysteps` reads, for blending with a weather model as an external nowcast.
# A model of one's own events is trained as `radar-rain` was: `examples/radar-rain.yaml`.
