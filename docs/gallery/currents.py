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
# # Ocean currents
#
# Surface currents off South Africa in 2002 (GlobCurrent, in the folder named by `FRAMECAST_DATA`): two signed channels,
# u to the east and v to the north, daily, with land as unknown pixels. How good is a forecast of vectors?

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import framecast as fc

source = Path(os.environ["FRAMECAST_DATA"]) / "agulhas-currents-2002" / "agulhas_daily_2002.nc"
imported = fc.import_data(source, "currents.zarr", multiple=8, progress=False)
print(imported.understood)

# %% [markdown]
# Both variables are in m/s and became channels of one archive. A small network sees three days and forecasts five; the
# last weeks of the year are kept for the test. Land stays unknown: it is not learnt, not forecast and not scored.

# %%
recipe = fc.load_recipe(
    "tiny",
    {
        "name": "network",
        "data": {"past": 3, "future": 5, "max_masked": 0.5},
        "diffusion": None,
        "one_shot": {"members": 2},
        "network": {"width": 16, "blocks": 1},
        "sampling": {"precision": "float32"},
        "training": {"steps": 60, "learning_rate": 2e-3, "warmup": 20, "ema": 0.95, "validate_every": 60},
    },
)
fc.train(recipe, "currents.zarr", out="drift", progress=False)
fc.forecast("drift", "currents.zarr", "forecast.zarr", split="test", limit=10, members=20, progress=False)
scores = fc.evaluate("forecast.zarr", replicates=300, progress=False).scores

# %% [markdown]
# The CRPS judges u and v one by one, so it changes when the axes are turned. The **vector energy score** does not: it
# is the length of the difference between forecast and observed vector, less what the members differ among themselves.

# %%
for entry in scores.forecasts.values():
    vector, (u, v) = entry["vector_energy_score"], entry["crps"].by_channel.value
    low, high = vector.total.bounds()
    print(f"{entry.label:20} CRPS of u {u:.4f} m/s, of v {v:.4f} m/s; of vectors {vector.value:.4f} m/s", end=" ")
    print(f"(95 % interval {low:.4f} to {high:.4f})")

# %% mystnb={"image": {"alt": "Arrows of the forecast current five days ahead over its uncertainty; land is blank"}}
sample = fc.open_forecast("forecast.zarr").isel(sample=0, lead_time=-1).load()
members, truth = sample["forecast"].values, sample["truth"].values
spread = np.sqrt(members.var(axis=0, ddof=1).sum(axis=0))
figure, axes = plt.subplots(1, 2, figsize=(11, 3.4), layout="constrained", sharey=True)
y, x = np.mgrid[0 : truth.shape[1] : 2, 0 : truth.shape[2] : 2]
for each, vectors, title in zip(axes, (members.mean(0), truth), ("mean of the members", "observed"), strict=True):
    shown = each.imshow(spread, origin="lower", cmap="viridis", vmin=0)
    each.quiver(x, y, *vectors[:, y, x], color="white", scale=25, width=0.002)
    each.set(title=f"{title}, five days ahead", xticks=[], yticks=[])
figure.colorbar(shown, ax=axes, shrink=0.8, label="spread in m/s")
plt.show()

# %% [markdown]
# One year of one region is little, and eddies change slowly: a network trained for seconds is better than plain
# persistence, and not as good as fitted persistence, which chooses among damped and dressed forms of it. The intervals
# are those of blocks of days that the evaluation found to be independent.
