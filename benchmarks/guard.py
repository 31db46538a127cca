"""How often does the out-of-domain guard flag held-out windows, and data that the model was never meant for?

    framecast reference MODEL ARCHIVE
    python benchmarks/guard.py MODEL ARCHIVE [--side test] [--data DIR]

MODEL has its guard (a run has, once it has ended). Every window of the side is looked at, or as many as ``--limit``
says, evenly spaced. With ``--data``, the four cases of docs/failures.md as well, which a model of the Sun must tell
from its training; a model of several channels is given the same video for each. At most 1 % of held-out windows should
be objected to.
"""

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
import torch

from failures import domains
from framecast.data.archive.reader import Archive
from framecast.data.datasets import WindowDataset
from framecast.models.archive_forecast import plan_forecast
from framecast.models.checkpoint import load
from framecast.models.guard import grid_of
from framecast.models.selection import Selection


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("archive", type=Path)
    parser.add_argument("--side", default="test")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--data", type=Path, help="observations of other instruments")
    options = parser.parse_args()
    forecaster, archive = load(options.model), Archive.open(options.archive)
    plan = plan_forecast(forecaster, archive, Selection(split=options.side, limit=options.limit))
    windows, grid = WindowDataset(archive, plan.chosen, plan.frames, cache_bytes=2**30), grid_of(archive)
    reasons = [forecaster.objection(windows[k].past, grid=grid) for k in range(len(plan.chosen))]
    spoken = [(window.id, reason) for window, reason in zip(plan.chosen, reasons, strict=True) if reason]
    share = f"{len(spoken)} ({len(spoken) / len(reasons):.2%})"
    print(f"| windows of the {options.side} side | {len(reasons)} | objected to: {share} |")
    kinds = Counter(part.split(" is ")[0] for _, reason in spoken for part in reason.split("; "))
    for kind, count in kinds.most_common():
        print(f"|  {kind} | | {count} |")
    for name, reason in spoken[:3]:
        print(f"  such as {name}: {reason}")
    for name, video in domains(options.data) if options.data else ():
        past = np.repeat(video[None, : plan.frames.past], len(plan.frames.past_channels), axis=0)
        reason = forecaster.objection(torch.from_numpy(past))
        print(f"| {name} | 1 | {reason or 'NO OBJECTION'} |")


if __name__ == "__main__":
    main()
