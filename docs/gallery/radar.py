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
# # Rain from radar
#
# Ten evenings of Dutch weather radar (KNMI, every 5 min, 2 km), in the folder named by `FRAMECAST_DATA`. Rain
# extrapolated with a single motion vector is compared with persistence over the next hour.

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy import ndimage

import framecast as fc

source = Path(os.environ["FRAMECAST_DATA"]) / "knmi-radar-2021" / "radar_5min_2km.nc"
fc.import_data(source, "radar.zarr", scale=0.5, offset=-32, coarsen=2, multiple=8, independent=True, progress=False)
archive = fc.open_archive("radar.zarr")
print(f"{len(archive)} sequences of {archive.height}×{archive.width} pixels, in {archive.unit}")

# %% [markdown]
# Reflectivity is converted to rain rate by Z = 200 R^1.6 (Marshall and Palmer 1948). Every evening gives one window:
# three frames, ten minutes apart, and the six that follow.


# %%
def rain(reflectivity: np.ndarray) -> np.ndarray:
    rate = (10 ** (reflectivity / 10) / 200) ** (1 / 1.6)
    return np.where(rate < 0.05, 0, rate)


def move_on(past: np.ndarray) -> np.ndarray:
    """Return the last frame moved by the shift at which it is most like the one before."""
    before, last = (np.log1p(frame) - np.log1p(frame).mean() for frame in past[-2:])
    match = np.fft.ifft2(np.fft.fft2(last) * np.conj(np.fft.fft2(before))).real
    shift = np.array(np.unravel_index(match.argmax(), match.shape))
    shift = np.where(shift > np.array(match.shape) // 2, shift - np.array(match.shape), shift)
    return np.stack([ndimage.shift(past[-1], k * shift, order=1, cval=0) for k in range(1, 7)])


windows = [rain(archive.sequence(name)["intensity"].values[:17:2, 0]) for name in archive.sequences]
truth = np.stack([window[3:] for window in windows])[:, None]
forecasts = {
    "persistence": np.stack([np.repeat(window[2:3], 6, axis=0) for window in windows]),
    "extrapolation": np.stack([move_on(window[:3]) for window in windows]),
}

# %%
scores = {
    name: fc.score(values[:, None, None], truth, cadence=600, unit="mm/h", thresholds=[0.5], replicates=500)
    for name, values in forecasts.items()
}
for name, found in scores.items():
    low, high = found["crps_interval"].sel(interval=95).values
    print(f"{name:14} CRPS {found['crps'].item():.4f} mm/h (95 % interval {low:.4f} to {high:.4f})")

# %% mystnb={"image": {"alt": "CRPS by lead time of persistence and of extrapolation over the next hour"}}
figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
for (name, found), marker in zip(scores.items(), "os", strict=True):
    axes.plot(np.arange(10, 61, 10), found["crps_by_lead"].values.squeeze(), marker=marker, label=name)
axes.set(xlabel="lead time in minutes", ylabel="CRPS in mm/h", ylim=(0, None))
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# The evenings were nearly dry, and ten are few. [Comparing any forecasts](../judging.md) shows the same comparison
# with more windows, with STEPS of pysteps as an ensemble, and with paired intervals of the differences.
