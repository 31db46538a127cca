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
# # A typhoon in the infrared
#
# Hourly images of a typhoon of October 2007 (Digital Typhoon, National Institute of Informatics, in the folder named by
# `FRAMECAST_DATA`), centred on the storm: brightness temperatures in kelvin, low where clouds are high. Clouds turn
# around the centre, so the last image is moved along its own motion first.

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import framecast as fc

source = Path(os.environ["FRAMECAST_DATA"]) / "typhoon-ir" / "200717.nc"
imported = fc.import_data(source, "typhoon.zarr", unit="K", coarsen=4, progress=False)
print(imported.understood)
print(f"{imported.frames} frames of {imported.height}×{imported.width} pixels")

# %% [markdown]
# `target: advected` gives the network the last image advected to each lead time and lets it draw what changes besides.
# The first days are for training, the last for the test.

# %%
recipe = fc.load_recipe(
    "tiny",
    {
        "name": "network",
        "target": "advected",
        "data": {"past": 4, "future": 6},
        "diffusion": None,
        "one_shot": {"members": 2},
        "network": {"width": 24, "patch": 4, "blocks": 1},
        "sampling": {"precision": "float32"},
        "training": {"steps": 100, "batch": 4, "learning_rate": 2e-3, "warmup": 20, "ema": 0.95, "validate_every": 100},
    },
)
fc.train(recipe, "typhoon.zarr", out="storm", progress=False)
fc.forecast("storm", "typhoon.zarr", "forecast.zarr", split="test", members=20, progress=False)
scores = fc.evaluate("forecast.zarr", replicates=300, progress=False).scores
for entry in scores.forecasts.values():
    print(f"{entry.label:25} CRPS by hour " + ", ".join(f"{value:.1f}" for value in entry["crps"].by_lead.value) + " K")

# %% mystnb={"image": {"alt": "The typhoon at the issue time, observed three hours later, a member, and the spread"}}
sample = fc.open_forecast("forecast.zarr").isel(sample=0, channel=0).load()
members, truth, last = sample["forecast"].values[:, 2], sample["truth"].values[2], sample["past"].values[-1, 0]
figure, axes = plt.subplots(1, 4, figsize=(12, 3.4), layout="constrained")
kelvin = {"vmin": 190, "vmax": 300, "origin": "lower", "cmap": "gray_r"}
for each, image, title in zip(axes, (last, truth, members[0]), ("now", "in 3 h", "a member"), strict=False):
    shown = each.imshow(image, **kelvin)
    each.set_title(title)
spread = axes[3].imshow(members.std(axis=0, ddof=1), origin="lower", cmap="viridis", vmin=0)
axes[3].set_title("spread")
for each in axes:
    each.set_axis_off()
figure.colorbar(shown, ax=axes[2], shrink=0.8, label="K")
figure.colorbar(spread, ax=axes[3], shrink=0.8, label="K")
plt.show()

# %% [markdown]
# How cold the tops are tells how strong the convection is. The chance that a pixel stays warmer than 220 K follows from
# the members; so does any event of a threshold (`framecast evaluate --thresholds 220`).

# %%
chance = (members >= 220).mean(axis=0)
happened = (truth >= 220).astype(float)
rate = happened.mean()
print(f"{rate:.0%} of the pixels are at 220 K or more in 3 h; Brier skill of the members:", end=" ")
print(f"{1 - np.mean((chance - happened) ** 2) / (rate * (1 - rate)):.2f}")

# %% [markdown]
# A single storm says nothing of others: a model for use is trained on many, and split by storm
# (`framecast import typhoon-ir storms.zarr --sequence file --independent`).
