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
# # Quick start: forecast a synthetic Sun
#
# This example uses the released model `corona-synth` and a newly generated archive, so it needs neither data nor a
# network connection.

# %%
import matplotlib.pyplot as plt
import numpy as np

import framecast as fc

fc.write_corona("corona.zarr", regions=2, frames=12, size=64, seed=5)
archive = fc.open_archive("corona.zarr")
model = fc.load("corona-synth")
print(f"{model.frames.past} frames of {', '.join(model.frames.past_channels)} Å in,")
print(f"{model.frames.future} frames of {', '.join(model.frames.future_channels)} Å out, in {model.unit}")

# %% [markdown]
# An archive holds sequences of frames in physical units. The first six frames of one sequence are the past:

# %%
video = archive.sequence("region-0000")["intensity"].load()
past, future = video.isel(time=slice(0, 6)), video.isel(time=slice(6, 12)).sel(channel=["94"])
ensemble = model.forecast(past, members=12, seed=0)
ensemble

# %% mystnb={"image": {"alt": "Rows of frames: observed, two members, mean and spread, up to 12 h ahead"}}
rows = {
    "observed": future.isel(channel=0),
    "member 0": ensemble.isel(member=0, channel=0),
    "member 1": ensemble.isel(member=1, channel=0),
    "mean": ensemble.mean("member").isel(channel=0),
    "spread": ensemble.std("member").isel(channel=0),
}
brightest = float(future.quantile(0.998))
hours = ensemble["lead_time"].values / np.timedelta64(1, "h")
figure, axes = plt.subplots(len(rows), len(hours), figsize=(7.5, 6.5), layout="constrained")
for line, (name, frames) in zip(axes, rows.items(), strict=True):
    line[0].set_ylabel(name)
    for cell, frame, hour in zip(line, frames.values, hours, strict=True):
        image = cell.imshow(np.sqrt(np.clip(frame, 0, None)), origin="lower", vmin=0, vmax=brightest**0.5)
        cell.set(xticks=[], yticks=[], title=f"{hour:+.0f} h" if line is axes[0] else "")
figure.colorbar(image, ax=axes, label="square root of the intensity in DN/s", shrink=0.5)
plt.show()

# %% [markdown]
# Each member is a possible future with sharp structure; the mean is smooth where the members disagree, and the spread
# shows where this is. Quantities computed from each member have a distribution as well:

# %% mystnb={"image": {"alt": "Total intensity over time: the past, the observed future and twelve members"}}
total = ensemble.sum(["y", "x"]).isel(channel=0)
figure, axes = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
axes.plot(hours, total.values.T, color="tab:blue", alpha=0.4, linewidth=1)
axes.plot([], [], color="tab:blue", alpha=0.4, label="members")
axes.plot(np.arange(-10, 1, 2), past.sel(channel="94").sum(["y", "x"]), color="black", label="past")
axes.plot(hours, future.sum(["y", "x"]).isel(channel=0), color="black", marker=".", label="observed future")
axes.set(xlabel="lead time in hours", ylabel="total intensity in DN/s")
axes.legend(frameon=False)
plt.show()

# %%
peak = total.max("lead_time")
low, median, high = peak.quantile([0.05, 0.5, 0.95], "member").values
print(f"peak intensity: {median:.0f} DN/s, 90 % interval {low:.0f} to {high:.0f} DN/s")

# %% [markdown]
# A single window says little about a model. Forecasts of many windows are written to a file and scored against the
# baselines; see [scores](../scores.md) for the meaning of each figure and [the report](../report.md) for the
# resulting page.

# %%
fc.write_corona("more.zarr", regions=6, frames=12, size=64, seed=6)
fc.forecast(model, "more.zarr", "forecast.zarr", split="all", members=8, progress=False)
evaluation = fc.evaluate("forecast.zarr", replicates=200, progress=False)
evaluation.to_dataset()[["crps", "spread_skill"]].to_dataframe().round(3)
