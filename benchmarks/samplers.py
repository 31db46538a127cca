"""Sample quality against network evaluations: which sampler and how many steps a forecast needs.

    python benchmarks/samplers.py [--out samplers.json] [--steps 800] [--windows 12] [--members 8]
    python benchmarks/samplers.py sun-171 sun.zarr          # a trained model, on the test side of its archive

Without a model, trains a small network on a synthetic archive (once on every diffusion time, once for each Fast-DDPM
grid) and goes through every sampler and number of network evaluations. A given model is judged in the few ways that
somebody would use. Forecasts windows of the test side and prints the fair CRPS of each way, in per cent of what 1000
steps of DDPM reach with the same weights, with the 95 % interval of that ratio over windows, and the spread/skill
ratio. Seeds are fixed: a member starts from the same noise in every forecast.
"""

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from framecast.data.archive.reader import Archive
from framecast.data.datasets import WindowDataset
from framecast.data.windows import Window, find_windows
from framecast.diffusion.sampler import DDIM, DDPM, AnySampler, DPMSolverPP, UniPC
from framecast.diffusion.sampling import SamplingOptions
from framecast.diffusion.times import AnyGrid, FastDDPMUniform, LogSNR, Trailing
from framecast.domains.corona.oracle import has_oracle, oracle_ensemble
from framecast.domains.corona.writing import write_corona
from framecast.models.archive_forecast import sample_key
from framecast.models.checkpoint import load, read_config
from framecast.models.forecaster import Forecaster
from framecast.models.header import find_model
from framecast.models.members import Draw
from framecast.training.prepare import prepare
from framecast.training.recipe import load_recipe
from framecast.training.train import run_training
from framecast.verification.scores import crps, ensemble_mean, ensemble_variance

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
USED = (
    ("DPM-Solver++ 2M, log-SNR", 8),
    ("DPM-Solver++ 2M, log-SNR", 12),
    ("DPM-Solver++ 2M, log-SNR", 25),
    ("UniPC, log-SNR", 12),
    ("DDIM, trailing", 25),
    ("DDIM, trailing", 50),
)
"""Of a given model: name and network evaluations."""

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
    for _ in run_training(prepare(load_recipe("tiny", changes), archive), out):
        pass
    return load(out)


class Case(NamedTuple):
    """One way of drawing."""

    name: str
    evaluations: int
    forecaster: Forecaster
    options: SamplingOptions


class Subject(NamedTuple):
    """What is judged: windows, and the ways of drawing their forecasts, the reference first."""

    archive: Archive
    chosen: list[Window]
    cases: list[Case]


def small_network(folder: Path, options: argparse.Namespace) -> Subject:
    """Train the small networks; return every sampler and number of evaluations."""
    if not (folder / "corona.zarr").exists():
        write_corona(folder / "corona.zarr", regions=64, frames=36, size=32, seed=0)
    archive = Archive.open(folder / "corona.zarr")
    full = trained(folder, archive, options.steps, None)
    order = [REFERENCE, *((name, n) for name in SAMPLERS for n in EVALUATIONS if (name, n) != REFERENCE)]
    cases = []
    for name, evaluations in order:
        if evaluations < 1000 or name in ("DDPM, trailing", "DDIM, trailing"):
            sampler, grid = SAMPLERS[name]
            cases.append(Case(name, evaluations, full, SamplingOptions(sampler=sampler, grid=grid, steps=evaluations)))
    for steps in FAST:
        grid = FastDDPMUniform(steps=steps)
        rows = len(grid.rows(1000))
        drawing = SamplingOptions(sampler=DDIM(), grid=grid, steps=rows)
        cases.append(Case("Fast-DDPM (own weights)", rows, trained(folder, archive, options.steps, steps), drawing))
    return Subject(archive, prepare(load_recipe("tiny", RECIPE), archive).data.sides["test"], cases)


def given_model(options: argparse.Namespace) -> Subject:
    """Return a trained model, drawn from in its own precision, in the ways that somebody would use."""
    folder = find_model(options.model)
    config, forecaster = read_config(folder), load(folder)
    archive = Archive.open(options.archive)
    windows = find_windows(archive, config.frames, stride=config.stride, max_masked=config.max_masked)
    cases = []
    for name, evaluations in (REFERENCE, *USED):
        sampler, grid = SAMPLERS[name]
        drawing = replace(config.sampling, sampler=sampler, grid=grid, steps=evaluations)
        cases.append(Case(name, evaluations, forecaster, drawing))
    print(f"{config.name}, weights {config.weights_sha256[:12]}, {config.sampling.precision}, {options.archive}")
    return Subject(archive, config.split.divide(windows)["test"], cases)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", help="a run, a model folder, or a released model's name")
    parser.add_argument("archive", nargs="?", type=Path, help="on whose test side the model is judged")
    parser.add_argument("--out", type=Path, default=None, help="also write the figures as JSON")
    parser.add_argument("--steps", type=int, default=800, help="training steps of each small network")
    parser.add_argument("--windows", type=int, default=12)
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--folder", type=Path, default=None, help="keep archive and runs here, and go on with them")
    options = parser.parse_args()
    if options.model and not options.archive:
        parser.error("a model is judged on an archive: samplers.py MODEL ARCHIVE")
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        archive, side, cases = given_model(options) if options.model else small_network(folder, options)
        chosen = [side[k * len(side) // options.windows] for k in range(options.windows)]
        record = judge(archive, chosen, cases, options.members)
    print(table(record["rows"]))
    print(", ".join(f"{name} {value:.3f}" for name, value in record.items() if name != "rows"), archive.unit)
    if options.out:
        options.out.write_text(json.dumps(record, indent=1, default=float) + "\n")


def judge(archive: Archive, chosen: list[Window], cases: list[Case], members: int) -> dict:
    """Return the figures of every case, and what frames that stand still and, where there is one, the oracle reach."""
    frames = cases[0].forecaster.frames
    windows = WindowDataset(archive, chosen, frames)

    def score(ensemble: torch.Tensor, index: int) -> float:
        return crps(ensemble, windows[index].future).mean().item()

    def spread_and_error(ensemble: torch.Tensor, index: int) -> tuple[float, float]:
        error = ensemble_mean(ensemble) - windows[index].future
        return ensemble_variance(ensemble).mean().item(), error.square().mean().item()

    seen = [frames.past_channels.index(name) for name in frames.future_channels]
    still = [(windows[k].future - windows[k].past[seen, -1:]).abs().mean().item() for k in range(len(chosen))]
    record: dict = {"persistence": np.mean(still)}
    if has_oracle(archive):
        perfect = [oracle_ensemble(archive, window, frames=frames, members=members, seed=0) for window in chosen]
        record["oracle"] = np.mean([score(torch.from_numpy(ensemble), k) for k, ensemble in enumerate(perfect)])
    record["rows"] = []
    reference: np.ndarray | None = None
    for name, evaluations, forecaster, drawing in cases:
        begin = time.perf_counter()
        ensembles = [
            forecaster.draw(
                windows[k].past, Draw(members=range(members), seed=0, sample=sample_key(window), options=drawing)
            )
            for k, window in enumerate(chosen)
        ]
        seconds = time.perf_counter() - begin
        values = np.array([score(ensemble, k) for k, ensemble in enumerate(ensembles)])
        spread, error = np.mean([spread_and_error(ensemble, k) for k, ensemble in enumerate(ensembles)], axis=0)
        reference = values if reference is None else reference
        low, high = interval(values, reference)
        record["rows"].append(
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
    return record


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
