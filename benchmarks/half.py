"""What is lost when weights are stored in float16: the members of both, with the same noise.

    framecast export sun-171-one-shot half --format model --half
    python benchmarks/half.py sun-171-one-shot half sun.zarr [--windows 48] [--members 12]

Printed: the fair CRPS of both, the paired difference with its 95 % interval over windows, and the root mean square of
the difference of members over the spread.
"""

import argparse

import numpy as np
import torch

from framecast.data.archive.reader import Archive
from framecast.data.datasets import WindowDataset
from framecast.models.archive_forecast import plan_forecast, sample_key
from framecast.models.checkpoint import load
from framecast.models.members import Draw
from framecast.models.selection import Selection
from framecast.verification.scores import crps, ensemble_variance


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("half", help="the same model in float16")
    parser.add_argument("archive")
    parser.add_argument("--windows", type=int, default=48)
    parser.add_argument("--members", type=int, default=12)
    options = parser.parse_args()
    models = load(options.model), load(options.half)
    plan = plan_forecast(models[0], Archive.open(options.archive), Selection(split="test", limit=options.windows))
    windows = WindowDataset(plan.archive, plan.chosen, plan.frames, cache_bytes=0)
    scores, moved = [], []
    for index, window in enumerate(plan.chosen):
        past, truth, *_ = windows.sample(index)
        if not torch.isfinite(truth).all():
            continue
        drawn = []
        for model in models:
            own = model.options(precision="float32")
            drawn.append(model.draw(past, Draw(members=range(options.members), options=own, sample=sample_key(window))))
        scores.append([crps(members, truth).mean().item() for members in drawn])
        spread = ensemble_variance(drawn[0]).mean()
        moved.append(((drawn[1] - drawn[0]).square().mean() / spread).sqrt().item())
    whole, half = np.array(scores).T
    change = 100 * (half - whole) / whole.mean()
    interval = 1.96 * change.std(ddof=1) / len(change) ** 0.5
    print("| model | windows | CRPS, float32 | float16 | difference | members differ by, of the spread |")
    print("|---|---|---|---|---|---|")
    print(
        f"| {models[0].config.name} | {len(change)} | {whole.mean():.4f} | {half.mean():.4f} "
        f"| {change.mean():+.4f} ± {interval:.4f} % | {np.mean(moved):.4f} |"
    )


if __name__ == "__main__":
    main()
