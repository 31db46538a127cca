"""Training from scratch and from a released model on little data of another kind: one table.

    framecast import aia171-193-tracks-2012-07-19/tracks_15min.nc tracks.zarr --coarsen 4 --independent \
        --unit 1
    python benchmarks/fine_tuning.py tracks.zarr --start sun-171 --channel 193 --out fine_tuning.json

The archive is divided by region. For every number of steps a network like the model's is trained on the training side,
once from random weights (learning rate 0.002) and once from the model's (0.0003), both with a cosine decay; then the
same validation windows are forecast. ``--fewer N`` takes N regions of the training side alone. CRPS differences are
paired, with the 95 % interval of a bootstrap over windows; each row is one seed. A row that the file holds is not
repeated.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import torch

from ablations import RESIDUALS, difference, judge
from framecast.data.archive.reader import Archive
from framecast.data.climatology import sample_climatology
from framecast.data.datasets import WindowDataset
from framecast.models.config import attach, build_network
from framecast.models.forecaster import Forecaster
from framecast.training import TrainingState, fit
from framecast.training.prepare import ArchiveData, Prepared, prepare
from framecast.training.recipe import load_recipe
from framecast.training.start import load_start

FROM = {"nothing": 0.002, "the model": 0.0003}


def prepared(options: argparse.Namespace, origin: str, steps: int, regions: int | None) -> Prepared:
    """Return what a run starts from, with so many regions of the training side."""
    changes = [
        f"training.start={options.start}",
        f"data.past_channels=['{options.channel}']",
        f"data.future_channels=['{options.channel}']",
        "data.curve=linear",
        "data.split={kind: region}",
        f"training.steps={steps}",
        f"training.learning_rate={FROM[origin]}",
        f"training.warmup={max(1, steps // 10)}",
        "training.flips=[x, y]",
        "sampling.precision=float32",
        "sampling.steps=8",
    ]
    found = prepare(load_recipe("fine-tune", changes), Archive.open(options.archive))
    if regions is None:
        return found
    assert isinstance(found.data, ArchiveData)
    train = found.data.sides["train"]
    kept = sorted({window.sequence for window in train})[:regions]
    few = replace(train, windows=tuple(window for window in train if window.sequence in kept))
    return replace(found, data=replace(found.data, sides=found.data.sides | {"train": few}))


def run(options: argparse.Namespace, origin: str, steps: int, regions: int | None) -> dict[str, object]:
    """Train and judge."""
    ready = prepared(options, origin, steps, regions)
    windows, validation = ready.dataset("train"), ready.dataset("validation")
    assert isinstance(windows, WindowDataset) and isinstance(validation, WindowDataset)
    torch.manual_seed(0)
    network = build_network(ready.model)
    if origin != "nothing":
        assert ready.start is not None
        load_start(network, ready.model, ready.start)
    generator = attach(ready.model, network)
    state = TrainingState(network, ready.recipe.training)
    began = time.process_time()
    for _ in fit(state, generator, ready.model.conditioning, windows, ready.recipe.training) if steps else ():
        pass
    seconds = time.process_time() - began
    with state.ema.within(network):
        residuals = sample_climatology(windows, most=RESIDUALS, seed=0).residuals
        figures = judge(Forecaster(ready.model, generator), validation, residuals)
    return {"windows": len(windows), "steps": steps, "training_seconds": seconds, **figures}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--start", default="sun-171")
    parser.add_argument("--channel", required=True)
    parser.add_argument("--steps", nargs="*", type=int, default=[50, 200, 600])
    parser.add_argument("--fewer", nargs="*", type=int, default=[2])
    parser.add_argument("--out", type=Path, default=Path("fine_tuning.json"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = json.loads(options.out.read_text()) if options.out.is_file() else {}
    for regions in (None, *options.fewer):
        for steps in options.steps:
            for origin in FROM:
                name = f"{origin}, {steps} steps, {'all' if regions is None else regions} regions"
                if name not in found:
                    found[name] = run(options, origin, steps, regions)
                    options.out.write_text(json.dumps(found, indent=1) + "\n")
                    print(name, flush=True)
    first = next(iter(found.values()))
    print("| from | windows | CRPS | against the first | below dressed persistence | spread / error | training |")
    print("|---|---|---|---|---|---|---|")
    for name, own in found.items():
        cells = (name, own["windows"], f"{own['crps']:.3f}", difference(own, first), f"{own['below_dressed']:.1%}")
        print("", *cells, f"{own['spread_error']:.2f}", f"{own['training_seconds']:.0f} s", "", sep=" | ")


if __name__ == "__main__":
    main()
