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
# From the files of a weather service to the probability of rain in the next hour: the Dutch composite (KNMI) of 26
# August 2010, which `FRAMECAST_DATA` points to. A small model learns on the first four hours of one night what
# becomes of rain that is moved on, and forecasts two hours later. It needs the extras `radar` and `motion`.

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

import framecast as fc
from framecast.videos.motion import advect

source = Path(os.environ["FRAMECAST_DATA"]) / "radar-rain" / "knmi"
imported = fc.import_data(source, "knmi.zarr", unit="mm/h", dry_below=0.1, coarsen=4, progress=False)
print(imported.understood)
print(f"{imported.frames} frames of {imported.height}×{imported.width} pixels, up to {imported.high[0]:.0f} mm/h")

# %% [markdown]
# The service gives rain collected over five minutes. Asked for `mm/h`, the import makes rates of it (of reflectivity by
# Z = 200 R^1.6, unless `zr` says otherwise), and all below 0.1 mm/h is exactly dry; pixels are then averaged to 4 km.
#
# The model is told where the rain would be if it only moved on (`target: advected`), and draws what else happens, a
# member in one network evaluation. It is trained on patches, and forecasts whole frames in tiles of their size.

# %%
recipe = fc.load_recipe(
    "tiny",
    {
        "target": "advected",
        "data": {
            "past": 4,
            "future": 12,
            "patch": 64,
            "max_masked": 0.85,
            "dry": {"rain": 0.1},
            "split": {
                "kind": "time",
                "train_end": "2010-08-26T04:00",
                "validation_start": "2010-08-26T04:00",
                "validation_end": "2010-08-26T05:30",
                "test_start": "2010-08-26T05:30",
            },
        },
        "diffusion": None,
        "one_shot": {"members": 2},
        "network": {"width": 24, "patch": 4, "blocks": 1},
        "sampling": {"precision": "float32", "tile": 64},
        "training": {
            "steps": 120,
            "batch": 4,
            "learning_rate": 3e-3,
            "warmup": 20,
            "decay": "cosine",
            "ema": 0.95,
            "validate_every": 120,
            "validation_windows": 4,
        },
    },
)
fc.train(recipe, "knmi.zarr", out="nowcaster", progress=False)

# %% [markdown]
# The forecast begins at 06:30 and sees the four frames up to then; the hour that follows is in the archive, and is
# written beside it.

# %%
fc.forecast("nowcaster", "knmi.zarr", "nowcast.zarr", time="2010-08-26T06:30", members=20, progress=False)
nowcast = fc.open_forecast("nowcast.zarr").isel(sample=0, channel=0)
minutes = nowcast["lead_time"].values / np.timedelta64(1, "m")
rows, columns = slice(30, 158), slice(30, 158)
members, truth = (nowcast[name].isel(y=rows, x=columns).values for name in ("forecast", "truth"))
motion = nowcast["motion"].isel(y=rows, x=columns).values

# %% mystnb={"image": {"alt": "Rain now with its motion, the chance of 2 mm/h in 30 minutes, what came, and a member"}}
figure, axes = plt.subplots(1, 4, figsize=(12, 3.4), layout="constrained", sharex=True, sharey=True)
last = nowcast["past"].isel(past_channel=0, past_time=-1, y=rows, x=columns).values
in30 = int(np.flatnonzero(minutes == 30)[0])
rain = {"vmin": 0, "vmax": 10, "origin": "lower", "cmap": "viridis"}
axes[0].imshow(last, **rain)
step = 12
y, x = np.mgrid[step // 2 : 128 : step, step // 2 : 128 : step]
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
# How good is it? One hour of one night says little, and this training was short; `benchmarks/rain.py` judges a model
# on other events and another service, beside STEPS of pysteps. Here, against the rain that only moves on, with a
# probability of 0 or 1:

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
# The members can go on in pysteps: `framecast netcdf nowcast.zarr nowcast.nc --layout pysteps` writes the file that
# `pysteps.io.import_netcdf_pysteps` reads, for its blending with a weather model as an external nowcast.
