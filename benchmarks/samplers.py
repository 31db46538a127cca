"""Sample quality against network evaluations: which sampler and how many steps a forecast needs.

    python benchmarks/samplers.py [--out samplers.json] [--steps 800] [--windows 12] [--members 8]

Trains a small network on a synthetic archive (once on every diffusion time, once for each Fast-DDPM grid), then
forecasts windows of regions it never saw with every sampler and number of network evaluations, and prints the fair
CRPS of each, in per cent of what 1000 steps of DDPM reach with the same weights, with the 95 % interval of that ratio
over windows, and the spread/skill ratio. Seeds are fixed: a member starts from the same noise in every forecast.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from framecast.checkpoint import load
from framecast.data.archive import Archive
from framecast.data.corona import oracle_ensemble, write_corona
from framecast.data.dataset import WindowDataset
from framecast.forecaster import Forecaster
from framecast.recipes import load_recipe
from framecast.sampler import DDIM, DDPM, AnySampler, DPMSolverPP, UniPC
from framecast.sampling import SamplingOptions
from framecast.scores import crps, ensemble_mean, ensemble_variance
from framecast.times import AnyGrid, FastDDPMUniform, LogSNR, Trailing
from framecast.workflows.forecast import sample_key
from framecast.workflows.prepare import prepare
from framecast.workflows.train import train

SAMPLERS: dict[str, tuple[AnySampler, AnyGrid]] = {
    "DDPM, trailing": (DDPM(), Trailing()),
    "DDIM, trailing": (DDIM(), Trailing()),
    "DPM-Solver++ 2M, trailing": (DPMSolverPP(), Trailing()),
    "UniPC, trailing": (UniPC(), Trailing()),
    "DDPM, log-SNR": (DDPM(), LogSNR()),
    "DDIM, log-SNR": (DDIM(), LogSNR()),
    "DPM-Solver++ 2M, log-SNR": (DPMSolverPP(), LogSNR()),
    "DPM-Solver++ 2M SDE, log-SNR": (DPMSolverPP(stochastic=True), LogSNR()),
    "UniPC, log-SNR": (UniPC(), LogSNR()),
}
EVALUATIONS = (4, 6, 8, 10, 15, 25, 50, 100, 1000)
FAST = (10, 25, 100)
REFERENCE = ("DDPM, trailing", 1000)

RECIPE = (
    "network.kind=video-unet",
    "network.width=24",
    "network.patch=4",
    "data.future_channels=['193']",
    "data.split.kind=region",
    "training.batch=16",
    "training.learning_rate=0.002",
    "training.ema=0.995",
    "training.flips=[x, y]",
    "training.validate_every=500",
    "training.checkpoint_every=100000",
)


def trained(folder: Path, archive: Archive, steps: int, grid: int | None) -> Forecaster:
    """Return a forecaster trained on ``archive``, on every row or on a Fast-DDPM grid."""
    changes = [*RECIPE, f"training.steps={steps}"]
    if grid:
        for section in ("diffusion", "sampling"):
            changes += [f"{section}.grid.kind=fast-ddpm-uniform", f"{section}.grid.steps={grid}"]
        changes += [f"sampling.steps={len(FastDDPMUniform(steps=grid).rows(1000))}"]
    out = folder / f"run-{grid}"
    for _ in train(prepare(load_recipe("tiny", changes), archive), out):
        pass
    return load(out)


def cases(forecasters: dict[int | None, Forecaster]) -> Iterator[tuple[str, int, Forecaster, SamplingOptions]]:
    """Yield name, network evaluations, forecaster and options of every forecast, the reference first."""
    full = forecasters[None]
    order = [REFERENCE, *((name, n) for name in SAMPLERS for n in EVALUATIONS if (name, n) != REFERENCE)]
    for name, evaluations in order:
        if evaluations < 1000 or name in ("DDPM, trailing", "DDIM, trailing"):
            sampler, grid = SAMPLERS[name]
            yield name, evaluations, full, SamplingOptions(sampler=sampler, grid=grid, steps=evaluations)
    for steps, forecaster in forecasters.items():
        if steps:
            rows = len(FastDDPMUniform(steps=steps).rows(1000))
            options = SamplingOptions(sampler=DDIM(), grid=FastDDPMUniform(steps=steps), steps=rows)
            yield "Fast-DDPM (own weights)", rows, forecaster, options


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=None, help="also write the figures as JSON")
    parser.add_argument("--steps", type=int, default=800, help="training steps of each network")
    parser.add_argument("--windows", type=int, default=12)
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--folder", type=Path, default=None, help="keep archive and runs here, and go on with them")
    options = parser.parse_args()
    temporary = tempfile.TemporaryDirectory() if options.folder is None else None
    folder = options.folder or Path(temporary.name)
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "corona.zarr").exists():
        write_corona(folder / "corona.zarr", regions=64, frames=36, size=32, seed=0)
    archive = Archive.open(folder / "corona.zarr")
    forecasters = {grid: trained(folder, archive, options.steps, grid) for grid in (None, *FAST)}
    test = prepare(load_recipe("tiny", RECIPE), archive).sides["test"]
    chosen = [test[k * len(test) // options.windows] for k in range(options.windows)]
    frames = forecasters[None].frames
    windows = WindowDataset(archive, chosen, frames)

    def score(ensemble: torch.Tensor, index: int) -> float:
        return crps(ensemble, windows[index].future).mean().item()

    def spread_and_error(ensemble: torch.Tensor, index: int) -> tuple[float, float]:
        error = ensemble_mean(ensemble) - windows[index].future
        return ensemble_variance(ensemble).mean().item(), error.square().mean().item()

    persistence = [(windows[k].future - windows[k].past[:1, -1:]).abs().mean().item() for k in range(len(chosen))]
    oracle = [
        score(torch.from_numpy(oracle_ensemble(archive, w, frames=frames, members=options.members, seed=0)), k)
        for k, w in enumerate(chosen)
    ]
    rows = []
    reference: np.ndarray | None = None
    for name, evaluations, forecaster, sampling in cases(forecasters):
        begin = time.perf_counter()
        ensembles = [
            forecaster.draw(
                windows[k].past, members=range(options.members), seed=0, sample_key=sample_key(window), options=sampling
            )
            for k, window in enumerate(chosen)
        ]
        seconds = time.perf_counter() - begin
        values = np.array([score(ensemble, k) for k, ensemble in enumerate(ensembles)])
        spread, error = np.mean([spread_and_error(ensemble, k) for k, ensemble in enumerate(ensembles)], axis=0)
        reference = values if reference is None else reference
        low, high = interval(values, reference)
        rows.append(
            {
                "sampler": name,
                "evaluations": evaluations,
                "crps": values.mean(),
                "percent_of_reference": 100 * values.mean() / reference.mean(),
                "interval": [low, high],
                "spread_skill": np.sqrt(spread / error),
                "seconds": seconds,
            }
        )
        print(f"{name:30}{evaluations:6d}  CRPS {values.mean():8.3f}  {seconds:7.1f} s", flush=True)
    print(table(rows))
    print(f"persistence {np.mean(persistence):.3f}, oracle {np.mean(oracle):.3f} DN/s")
    if options.out:
        record = {"persistence": np.mean(persistence), "oracle": np.mean(oracle), "rows": rows}
        options.out.write_text(json.dumps(record, indent=1, default=float) + "\n")


def interval(values: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of ``mean(values) / mean(reference)`` over windows, in per cent."""
    picks = np.random.default_rng(0).integers(len(values), size=(2000, len(values)))
    ratios = 100 * values[picks].mean(axis=1) / reference[picks].mean(axis=1)
    low, high = np.percentile(ratios, [2.5, 97.5])
    return float(low), float(high)


def table(rows: list[dict]) -> str:
    """Return the figures as a Markdown table: CRPS in per cent of the reference (95 % interval), spread/skill."""
    columns = sorted({row["evaluations"] for row in rows})
    lines = ["", "| evaluations | " + " | ".join(map(str, columns)) + " |", "|---" * (len(columns) + 1) + "|"]
    for name in dict.fromkeys(row["sampler"] for row in rows):
        cells = {row["evaluations"]: row for row in rows if row["sampler"] == name}
        texts = [cell(cells[n]) if n in cells else "" for n in columns]
        lines.append(f"| {name} | " + " | ".join(texts) + " |")
    return "\n".join(lines)


def cell(row: dict) -> str:
    """Return one figure of the table."""
    low, high = row["interval"]
    return f"{row['percent_of_reference']:.1f} ({low:.1f}…{high:.1f}), {row['spread_skill']:.2f}"


if __name__ == "__main__":
    main()
