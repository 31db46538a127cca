"""A baseline of every pixel by itself, fitted on the training windows, beside a forecast of signed fields.

python benchmarks/pixel_baseline.py forecast.zarr hmi.zarr runs/hmi

What comes is regressed, for each lead time, on the last frame and the mean of the past; a member adds the residual of
a training pixel with a mean of like size (one of 40 classes), with its sign. So quiet pixels have the narrow spread of
quiet pixels, and strong ones that of strong ones: all that the value of a pixel alone says of its future. Printed are
fair CRPS and the model's skill against it, with an interval by bootstrap over the sequences. About a minute.
"""

import argparse

import numpy as np
import torch

import framecast as fc
from framecast.data.datasets import WindowDataset
from framecast.models.archive_forecast import plan_forecast
from framecast.models.selection import Selection
from framecast.verification.scores import crps

CLASSES, WINDOWS, DRAWS = 40, 200, 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("forecast")
    parser.add_argument("archive")
    parser.add_argument("model")
    given = parser.parse_args()
    forecast = fc.open_forecast(given.forecast)
    random = np.random.default_rng(0)
    past, future = training_windows(fc.load(given.model), given.archive, random)
    seen, came = forecast["past"].values[:, :, 0], forecast["truth"].values[:, :, 0]
    drawn = forecast["forecast"].values[:, :, :, 0]
    members = drawn.shape[1]
    model, baseline = [], []
    for lead in range(came.shape[1]):
        made = pixel_members(past, future[:, lead], seen, members, random)
        truth = torch.from_numpy(came[:, lead])
        model.append(crps(torch.from_numpy(drawn[:, :, lead]).movedim(1, 0), truth).mean((-2, -1)).numpy())
        baseline.append(crps(torch.from_numpy(made), truth).mean((-2, -1)).numpy())
    model, baseline = np.stack(model, 1), np.stack(baseline, 1)  # [sample, lead]
    hours = forecast["lead_time"].values / np.timedelta64(1, "h")
    print(f"{len(model)} windows, {members} members, fair CRPS in {forecast.attrs['unit']}\n")
    print("| lead time | " + " | ".join(f"{hour:g} h" for hour in hours) + " | all |")
    print("|---" * (len(hours) + 2) + "|")
    for name, scores in (("model", model), ("pixel by pixel", baseline)):
        print(f"| {name} | " + " | ".join(f"{value:.3f}" for value in [*scores.mean(0), scores.mean()]) + " |")
    skill = 1 - model.mean(0) / baseline.mean(0)
    print("| below it | " + " | ".join(f"{value:.1%}" for value in [*skill, 1 - model.mean() / baseline.mean()]) + " |")
    low, high = interval(model.mean(1), baseline.mean(1), forecast["sequence"].values, random)
    print(f"\n95 % interval of the whole, blocks are sequences: {low:.1%} to {high:.1%}")


def training_windows(model: fc.Forecaster, archive: str, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return past and future of training windows of the first channel, ``[window, time, y, x]``."""
    plan = plan_forecast(model, fc.open_archive(archive), Selection(split="test"))
    chosen = random.choice(len(plan.train), min(WINDOWS, len(plan.train)), replace=False)
    windows = WindowDataset(plan.archive, plan.train, plan.frames, cache_bytes=0)
    samples = windows.batch(sorted(chosen.tolist()))
    return samples.past[:, 0].numpy(), samples.future[:, 0].numpy()


def pixel_members(
    past: np.ndarray, future: np.ndarray, seen: np.ndarray, members: int, random: np.random.Generator
) -> np.ndarray:
    """Return members ``[member, sample, y, x]`` for one lead time, after ``seen`` ``[sample, time, y, x]``."""
    last, mean, truth = past[:, -1].ravel(), past.mean(1).ravel(), future.ravel()
    known = np.isfinite(last + mean + truth)
    last, mean, truth = last[known], mean[known], truth[known]
    weights = np.linalg.lstsq(np.stack([last, mean], 1), truth, rcond=None)[0]
    side = np.where(mean < 0, -1.0, 1.0)
    residuals = (truth - weights[0] * last - weights[1] * mean) * side
    limits = np.quantile(np.abs(mean), np.linspace(0, 1, CLASSES + 1))[1:-1]
    own, level = np.digitize(np.abs(mean), limits), seen.mean(1)
    of_seen = np.digitize(np.abs(level), limits)
    centre = weights[0] * seen[:, -1] + weights[1] * level
    made = np.empty((members, *centre.shape))
    for number in range(CLASSES):
        here = of_seen == number
        picked = random.choice(residuals[own == number], (members, int(here.sum())))
        made[:, here] = centre[here] + np.where(level[here] < 0, -1.0, 1.0) * picked
    return made.astype(np.float32)


def interval(
    model: np.ndarray, baseline: np.ndarray, blocks: np.ndarray, random: np.random.Generator
) -> tuple[float, float]:
    """Return the 95 % interval of one minus the ratio of the means, drawing blocks with replacement."""
    names = np.unique(blocks)
    sums = np.array([[scores[blocks == name].sum() for name in names] for scores in (model, baseline)])
    drawn = sums[:, random.integers(len(names), size=(DRAWS, len(names)))].sum(-1)
    low, high = np.quantile(1 - drawn[0] / drawn[1], [0.025, 0.975])
    return float(low), float(high)


if __name__ == "__main__":
    main()
