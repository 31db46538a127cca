"""A baseline for each pixel separately, fitted on training windows, compared with a forecast of signed fields.

python benchmarks/pixel_baseline.py forecast.zarr hmi.zarr runs/hmi

What comes is regressed, for each lead time, on the last frame and the mean of the past; a member adds the residual of
a training pixel with a mean of like size (one of 40 classes), with its sign. So quiet pixels have the narrow spread of
quiet pixels, and strong ones that of strong ones: all that the value of a pixel alone says of its future. Once more
with all frames of the past turned with the Sun to the lead time before, by the motion that the archive's domain knows.
Printed are fair CRPS and the model's skill against both, with intervals by bootstrap over the sequences. Some minutes.
"""

import argparse

import numpy as np
import torch

import framecast as fc
from framecast.data.datasets import WindowDataset
from framecast.data.windows import Window
from framecast.models.archive_forecast import Plan, plan_forecast
from framecast.models.selection import Selection
from framecast.verification.scores import crps
from framecast.videos.motion import KnownMotion, advect

CLASSES, WINDOWS, DRAWS = 40, 200, 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("forecast")
    parser.add_argument("archive")
    parser.add_argument("model")
    given = parser.parse_args()
    forecast = fc.open_forecast(given.forecast)
    random = np.random.default_rng(0)
    plan = plan_forecast(fc.load(given.model), fc.open_archive(given.archive), Selection(split="test"))
    windows, past, future = training_windows(plan, random)
    seen, came = forecast["past"].values[:, :, 0], forecast["truth"].values[:, :, 0]
    issued = {(window.sequence, window.issue_time.astype("datetime64[s]")): window for window in plan.chosen}
    names = zip(forecast["sequence"].values, forecast["issue_time"].values.astype("datetime64[s]"), strict=True)
    judged = [issued[str(name), time] for name, time in names]
    drawn = forecast["forecast"].values[:, :, :, 0]
    members = drawn.shape[1]
    scores: dict[str, list[np.ndarray]] = {"model": [], "pixel by pixel": [], "the same, turned with the Sun": []}
    for lead in range(came.shape[1]):
        truth = torch.from_numpy(came[:, lead])
        turned = [turn(own, plan, lead, video) for own, video in ((windows, past), (judged, seen))]
        made = {
            "model": drawn[:, :, lead].swapaxes(0, 1),
            "pixel by pixel": pixel_members(past, future[:, lead], seen, members, random),
            "the same, turned with the Sun": pixel_members(turned[0], future[:, lead], turned[1], members, random),
        }
        for name, ensemble in made.items():
            scores[name].append(crps(torch.from_numpy(ensemble), truth).mean((-2, -1)).numpy())
    by_lead = {name: np.stack(each, 1) for name, each in scores.items()}  # [sample, lead]
    model = by_lead["model"]
    hours = forecast["lead_time"].values / np.timedelta64(1, "h")
    print(f"{len(model)} windows, {members} members, fair CRPS in {forecast.attrs['unit']}\n")
    print("| lead time | " + " | ".join(f"{hour:g} h" for hour in hours) + " | all |")
    print("|---" * (len(hours) + 2) + "|")
    for name, own in by_lead.items():
        print(f"| {name} | " + " | ".join(f"{value:.3f}" for value in [*own.mean(0), own.mean()]) + " |")
        if own is not model:
            below = [*(1 - model.mean(0) / own.mean(0)), 1 - model.mean() / own.mean()]
            print("| model below it | " + " | ".join(f"{value:.1%}" for value in below) + " |")
    print("\n95 % interval of the whole, blocks are sequences:")
    for name, own in list(by_lead.items())[1:]:
        low, high = interval(model.mean(1), own.mean(1), forecast["sequence"].values, random)
        print(f"{low:.1%} to {high:.1%} below {name}")


def training_windows(plan: Plan, random: np.random.Generator) -> tuple[list[Window], np.ndarray, np.ndarray]:
    """Return training windows, their past and future of the first channel, ``[window, time, y, x]``."""
    chosen = sorted(random.choice(len(plan.train), min(WINDOWS, len(plan.train)), replace=False).tolist())
    samples = WindowDataset(plan.archive, plan.train, plan.frames, cache_bytes=0).batch(chosen)
    return [plan.train[k] for k in chosen], samples.past[:, 0].numpy(), samples.future[:, 0].numpy()


def turn(windows: list[Window], plan: Plan, lead: int, past: np.ndarray) -> np.ndarray:
    """Return the pasts ``[window, time, y, x]`` with each frame turned to where it will be at a lead time."""
    turned = torch.from_numpy(past.copy())
    for video, window in zip(turned, windows, strict=True):
        flow = KnownMotion().of_window(video[None], plan.archive, window, plan.frames)[0]
        for age, frame in enumerate(video.flip(0)):
            moved = advect(frame, flow, age + lead + 1)[-1]
            video[len(video) - 1 - age] = torch.where(torch.isfinite(moved), moved, frame)
    return turned.numpy()


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
