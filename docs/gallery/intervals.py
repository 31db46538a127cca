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
# # Reading intervals
#
# Users of a forecast rarely need pixels. They need quantities computed from each member, such as the peak of the
# total intensity, its time, or the integral. The values of the members give an interval, and a calibration shows how
# reliable it is.

# %%
import matplotlib.pyplot as plt
import numpy as np

import framecast as fc

fc.write_corona("corona.zarr", regions=8, frames=12, size=64, seed=11)
archive, model = fc.open_archive("corona.zarr"), fc.load("corona-synth")
pasts = [archive.sequence(name)["intensity"].isel(time=slice(0, 6)).load() for name in archive.sequences]
ensembles = [model.forecast(past, members=20, seed=0) for past in pasts]

# %% [markdown]
# The plain 90 % interval extends from the 5 % to the 95 % quantile of the members. `model.intervals` returns the
# intervals of every derived quantity, either plain or recalibrated; the latter were widened (or narrowed) so that
# they have their nominal coverage on windows on which the model was not trained.

# %%
plain = model.intervals(ensembles[0], calibrated=False)
recalibrated = model.intervals(ensembles[0])
recalibrated

# %%
for name in ("peak", "integral"):
    if name in plain:
        for kind, found in (("plain", plain), ("recalibrated", recalibrated)):
            low, high = found[name].sel(level=0.9).values.squeeze()
            print(f"{name:9} {kind:13} 90 % interval: {low:.4g} to {high:.4g} {found[name].attrs.get('units', '')}")

# %% [markdown]
# How often does the truth lie inside? For a 90 % interval it should be nine times in ten, over many windows; eight
# windows cannot distinguish 80 % from 95 %, which is why [the report](../report.md) gives every coverage with an
# interval.

# %% mystnb={"image": {"alt": "Peak of the total intensity in eight regions: intervals and what was observed"}}
figure, axes = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
inside = 0
for number, (name, ensemble) in enumerate(zip(archive.sequences, ensembles, strict=True)):
    future = archive.sequence(name)["intensity"].isel(time=slice(6, 12)).sel(channel="94")
    came = float(future.sum(["y", "x"]).max())
    low, high = np.quantile(ensemble.sum(["y", "x"]).max("lead_time"), [0.05, 0.95])
    inside += low <= came <= high
    axes.plot([number, number], [low, high], color="tab:blue", linewidth=5, alpha=0.5, solid_capstyle="butt")
    axes.plot(number, came, color="black", marker="o", markersize=4)
axes.plot([], [], color="tab:blue", linewidth=5, alpha=0.5, label="90 % interval of the members")
axes.plot([], [], color="black", marker="o", markersize=4, linestyle="", label="observed")
axes.set(xlabel="region", ylabel="peak of the total intensity in DN/s", yscale="log")
axes.legend(frameon=False)
plt.show()
print(f"{inside} of {len(ensembles)} observed peaks lie in their 90 % interval")
