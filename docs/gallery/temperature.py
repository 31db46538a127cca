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
# # Temperature with a daily cycle
#
# Hourly temperature over Britain in March 2019 (ERA5, in the folder named by `FRAMECAST_DATA`). Which simple forecast
# does a network have to beat? With a daily cycle, neither persistence nor a climatology of all hours is a sufficient
# baseline.

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import framecast as fc

source = Path(os.environ["FRAMECAST_DATA"]) / "era5-t2m-uk-2019-03" / "era5_t2m_uk_2019-03_hourly.nc"
fc.import_data(source, "era5.zarr", multiple=8, progress=False)
archive = fc.open_archive("era5.zarr")
video = archive.sequence(archive.sequences[0])["intensity"].isel(channel=0).load()
hour = video["time"].dt.hour.values
train = video["time"].values < np.datetime64("2019-03-21")

# %% [markdown]
# Four forecasts for the next 24 hours, issued every six hours in the last eight days: the last frame
# (a single member), 20 training frames of any hour, 20 of the same hour of the day, and the mean daily cycle plus the
# anomaly of the last frame (a single member).

# %%
values, random = video.values, np.random.default_rng(0)
cycle = np.stack([values[train & (hour == h)].mean(0) for h in range(24)])
issues = [k for k in range(len(values) - 24) if video["time"].values[k] >= np.datetime64("2019-03-23")][::6]
lead = np.arange(1, 25)
truth = np.stack([values[k + lead] for k in issues])


def climatology(k: int, same_hour: bool) -> np.ndarray:
    """Return ``[member, time, y, x]``: training frames for each hour ahead."""
    chosen = [np.flatnonzero(train & ((hour == h) | (not same_hour))) for h in hour[k + lead]]
    return np.stack([values[random.choice(each, 20, replace=len(each) < 20)] for each in chosen], axis=1)


forecasts = {
    "persistence": np.stack([np.repeat(values[None, None, k], 24, axis=1) for k in issues]),
    "climatology, any hour": np.stack([climatology(k, same_hour=False) for k in issues]),
    "climatology, same hour": np.stack([climatology(k, same_hour=True) for k in issues]),
    "anomaly persistence": np.stack([(cycle[hour[k + lead]] + values[k] - cycle[hour[k]])[None] for k in issues]),
}
days = [str(video["time"].values[k])[:10] for k in issues]
scores = {}
for name, members in forecasts.items():
    scores[name] = fc.score(members[:, :, None], truth[:, None], cadence=3600, unit="K", blocks=days, replicates=500)
    low, high = scores[name]["crps_interval"].sel(interval=95).values
    print(f"{name:24} CRPS {scores[name]['crps'].item():.2f} K (95 % interval {low:.2f} to {high:.2f})")

# %% mystnb={"image": {"alt": "CRPS by lead time: persistence is worst half a day ahead and better again after a day"}}
figure, axes = plt.subplots(figsize=(6.5, 3.4), layout="constrained")
for (name, found), style in zip(scores.items(), ("-", "--", "-.", ":"), strict=True):
    axes.plot(lead, found["crps_by_lead"].values.squeeze(), style, linewidth=2, label=name)
axes.set(xlabel="lead time in hours", ylabel="CRPS in K", ylim=(0, None), xticks=range(0, 25, 6))
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# Half a day ahead, persistence compares noon with midnight, so skill relative to persistence alone would be
# meaningless. A network is given the hour (`forcings`) and works on standardised anomalies: what differs from each
# pixel's mean at that hour, over the standard deviation then, both fitted to the training days only. The change that
# it generates is then relative to the persistence of the anomaly.

# %%
split = {"train_end": "2019-03-21", "validation_start": "2019-03-21", "test_start": "2019-03-23"}
recipe = fc.load_recipe(
    "tiny",
    {
        "name": "network",
        "data": {
            "past": 4,
            "future": 8,
            "cadence": "3h",
            "forcings": ["hour"],
            "anomalies": ["hour"],
            "split": {"kind": "time", "validation_end": "2019-03-23", **split},
        },
        "diffusion": None,
        "one_shot": {"members": 2},
        "network": {"width": 16, "blocks": 1},
        "sampling": {"precision": "float32"},
        "training": {"steps": 80, "learning_rate": 2e-3, "warmup": 20, "ema": 0.95, "validate_every": 80},
    },
)
fc.train(recipe, "era5.zarr", out="anomalies", progress=False)
fc.forecast("anomalies", "era5.zarr", "forecast.zarr", split="test", limit=16, members=20, progress=False)
evaluation = fc.evaluate("forecast.zarr", climatology="hour", blocks="day", replicates=500, progress=False)
for entry in evaluation.scores.forecasts.values():
    low, high = entry["crps"].total.bounds()
    print(f"{entry.label:35} CRPS {entry['crps'].value:.2f} K (95 % interval {low:.2f} to {high:.2f})")

# %% [markdown]
# `climatology="hour"` (`framecast evaluate --climatology hour`) adds the climatology of the same hour and the dressed
# persistence of the anomaly. The network was trained for seconds on 20 days;
# [Comparing any forecasts](../judging.md#temperature-which-baseline-to-beat) has longer trainings.
