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
# # Scoring the forecasts of another model
#
# `fc.score` scores any ensemble in memory: NumPy arrays, tensors or xarray. This example scores two forecasts of a
# travelling wave that were not made with framecast: one whose spread matches its errors, and one that is
# overconfident.

# %%
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

import framecast as fc

random = np.random.default_rng(0)
dims = ("sample", "channel", "lead_time", "y", "x")
phase = random.uniform(0, 2 * np.pi, (40, 1, 1, 1, 1))
lead = np.arange(1, 7)[:, None, None]
wave = 10 + 3 * np.sin(phase + 0.4 * np.arange(24) - 0.5 * lead) * np.ones((24, 1))
truth = xr.DataArray(wave, dims=dims, attrs={"units": "m"})


def ensemble(error: float, claimed: float, members: int = 20) -> xr.DataArray:
    """Return members around a forecast whose phase has an error that grows with lead time."""
    wrong = phase + error * lead**0.5 * random.normal(size=(40, 1, 1, 1, 1))
    drawn = wrong + claimed * lead**0.5 * random.normal(size=(members, 40, 1, 1, 1, 1))
    values = 10 + 3 * np.sin(drawn + 0.4 * np.arange(24) - 0.5 * lead) * np.ones((24, 1))
    return xr.DataArray(values, dims=("member", *dims), attrs={"units": "m"})


forecasts = {"well calibrated": ensemble(0.15, 0.15), "overconfident": ensemble(0.15, 0.04)}
scores = {name: fc.score(members, truth, cadence=3600, replicates=500) for name, members in forecasts.items()}
scores["well calibrated"]

# %% [markdown]
# A smaller CRPS is better. Spread / error is 1 if the members differ from each other as much as the truth differs
# from their mean; a value below 1 means that the ensemble is overconfident (underdispersed).

# %%
for name, found in scores.items():
    low, high = found["crps_interval"].sel(interval=95).values
    print(f"{name:16} CRPS {found['crps'].item():.3f} m, 95 % interval {low:.3f} to {high:.3f} m;", end=" ")
    print(f"spread / error {found['spread_skill'].item():.2f}")

# %% mystnb={"image": {"alt": "CRPS by lead time: that of the overconfident forecast is higher"}}
figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
for (name, found), marker in zip(scores.items(), "os", strict=True):
    axes.plot(np.arange(1, 7), found["crps_by_lead"].values.squeeze(), marker=marker, label=name)
axes.set(xlabel="lead time in hours", ylabel="CRPS in m", ylim=(0, None))
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# For a comparison with baselines, paired intervals of the differences and a report, write the ensembles into forecast
# files: [comparing any forecasts](../judging.md).
