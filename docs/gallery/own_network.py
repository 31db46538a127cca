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
# # A network of your own
#
# Any `torch.nn.Module` with the right call signature can be trained. It receives the noisy future, the diffusion
# time, the past and the class (or `None`), and returns the prediction, which has the shape of the noisy future.

# %%
import numpy as np
import torch
from torch import nn

import framecast as fc


class Mixer(nn.Module):
    """Convolutions over space and time, scaled by the diffusion time."""

    def __init__(self, past_frames: int, future_frames: int, width: int = 24) -> None:
        super().__init__()
        self.enter = nn.Conv2d(past_frames + future_frames, width, 3, padding=1)
        self.time = nn.Sequential(nn.Linear(1, width), nn.SiLU(), nn.Linear(width, width))
        self.middle = nn.Sequential(nn.SiLU(), nn.Conv2d(width, width, 3, padding=1), nn.SiLU())
        self.leave = nn.Conv2d(width, future_frames, 3, padding=1)

    def forward(self, x, time, past, label):
        """x and past are ``[batch, channel, time, y, x]`` with one channel, time is ``[batch]``."""
        h = self.enter(torch.cat([x[:, 0], past[:, 0]], dim=1))
        h = self.middle(h + self.time(time[:, None].float() / 1000)[:, :, None, None])
        return self.leave(h)[:, None]


# %% [markdown]
# Synthetic data: drifting blobs.

# %%
random = np.random.default_rng(0)
y, x = np.mgrid[:32, :32]
times = np.datetime64("2024-01-01", "ns") + np.arange(12) * np.timedelta64(10, "m")
about = {"channels": ["brightness"], "unit": "K", "cadence": 600, "height": 32, "width": 32}
with fc.ArchiveWriter("blobs.zarr", **about, attrs={"independent_sequences": True}) as writer:
    for number in range(24):
        name, (row, column), speed = f"film-{number:02d}", random.uniform(8, 24, 2), random.normal(0, 0.7, 2)
        writer.create(name, times)
        for k in range(12):
            distance = (y - row - k * speed[0]) ** 2 + (x - column - k * speed[1]) ** 2
            writer.write(name, k, 200 + 50 * np.exp(-distance[None] / 20))

# %% [markdown]
# Everything else is unchanged: the diffusion, the training, the sampler, the scores.

# %%
changes = {"training": {"steps": 200, "batch": 8}, "data.past": 4, "data.future": 4}
fc.train("tiny", "blobs.zarr", out="runs/mixer", network=Mixer(4, 4), progress=False, **changes)
model = fc.load("runs/mixer", network=Mixer(4, 4))
fc.forecast(model, "blobs.zarr", "mixer.zarr", split="test", members=8, progress=False)

# %% [markdown]
# The same task with framecast's own network, and a comparison of both on the same windows:

# %%
fc.train("tiny", "blobs.zarr", out="runs/unet", network={"width": 16}, progress=False, **changes)
fc.forecast("runs/unet", "blobs.zarr", "unet.zarr", split="test", members=8, progress=False)
evaluation = fc.evaluate(["mixer.zarr", "unet.zarr"], replicates=200, progress=False)
evaluation.to_dataset()[["crps", "spread_skill"]].to_dataframe().round(3)

# %% [markdown]
# A model that contains your own code is loaded only if you pass the network or declare that you trust the code: see
# [Python](../python.md#parts-of-your-own).
