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
# # A two-channel simulation
#
# Two chemicals that react and diffuse (Gray and Scott 1983) form spots that grow and divide. The example goes from
# the simulation to a two-channel archive, a trained model and its scores.

# %%
import matplotlib.pyplot as plt
import numpy as np

import framecast as fc

SIZE, FRAMES = 32, 16


def simulate(random: np.random.Generator) -> np.ndarray:
    """Return concentrations ``[time, channel, y, x]`` of both chemicals, every 40 steps of the simulation."""
    feed, kill = random.uniform(0.033, 0.039), random.uniform(0.060, 0.063)
    u, v = np.ones((SIZE, SIZE)), np.zeros((SIZE, SIZE))
    for y, x in random.integers(0, SIZE - 6, (4, 2)):
        u[y : y + 6, x : x + 6], v[y : y + 6, x : x + 6] = 0.5, 0.25 + 0.1 * random.random()

    def spread(a: np.ndarray) -> np.ndarray:
        return np.roll(a, 1, 0) + np.roll(a, -1, 0) + np.roll(a, 1, 1) + np.roll(a, -1, 1) - 4 * a

    frames = []
    for step in range(400 + 40 * FRAMES):
        reaction = u * v * v
        u = u + 0.16 * spread(u) - reaction + feed * (1 - u)
        v = v + 0.08 * spread(v) + reaction - (feed + kill) * v
        if step >= 400 and step % 40 == 0:
            frames.append(np.stack([u, v]))
    return np.array(frames, dtype=np.float32)


random = np.random.default_rng(0)
times = np.datetime64("2024-01-01", "ns") + np.arange(FRAMES) * np.timedelta64(40, "s")
about = {"channels": ["u", "v"], "unit": "1", "cadence": 40, "height": SIZE, "width": SIZE}
with fc.ArchiveWriter("spots.zarr", **about, attrs={"independent_sequences": True}) as writer:
    for number in range(30):
        name = f"run-{number:02d}"
        writer.create(name, times)
        for k, frame in enumerate(simulate(random)):
            writer.write(name, k, frame)

# %% [markdown]
# `independent_sequences` declares that the simulations are independent of each other, so that whole simulations can
# be reserved for validation and test. A small network is trained briefly; a real application trains for hours.

# %%
fc.train(
    "tiny",
    "spots.zarr",
    out="runs/spots",
    network={"width": 16},
    training={"steps": 250, "batch": 8, "seed": 0},
    progress=False,
    **{"data.past": 3, "data.future": 4},
)
model = fc.load("runs/spots")
fc.forecast(model, "spots.zarr", "forecast.zarr", split="test", members=8, progress=False)
evaluation = fc.evaluate("forecast.zarr", replicates=200, progress=False)
evaluation.to_dataset()[["crps", "spread_skill"]].to_dataframe().round(3)

# %% mystnb={"image": {"alt": "Both channels: the last frame seen, and the observed and forecast frames 160 s later"}}
forecast = fc.open_forecast("forecast.zarr").load()
sample = forecast.isel(sample=0)
columns = {
    "last frame seen": sample["past"].isel(past_time=-1),
    "observed": sample["truth"].isel(lead_time=-1),
    "member 0": sample["forecast"].isel(member=0, lead_time=-1),
    "mean": sample["forecast"].mean("member").isel(lead_time=-1),
}
figure, axes = plt.subplots(2, len(columns), figsize=(7.5, 4), layout="constrained")
for number, line in enumerate(axes):
    line[0].set_ylabel(f"channel {'uv'[number]}")
    for cell, (name, frames) in zip(line, columns.items(), strict=True):
        image = cell.imshow(frames.values[number], vmin=0, vmax=(1, 0.4)[number], cmap="cividis")
        cell.set(xticks=[], yticks=[], title=name if number == 0 else "")
    figure.colorbar(image, ax=line, label="concentration")
plt.show()
