"""What the spacing of the diffusion times does to an ensemble: pixels, and the flux of whole frames.

    python benchmarks/grids.py runs/sun sun.zarr [--windows 10] [--members 12] [--steps 12]

Forecasts validation windows of a trained model with times even in time (trailing) and even in log-SNR, and prints the
fair CRPS of pixels and of the flux (sum over the frame, relative to the observed one), the spread/error ratio, and how
often the flux lies between the second lowest and second highest member beside how often it should.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from framecast.data.archive.reader import Archive
from framecast.data.datasets import WindowDataset
from framecast.data.windows import find_windows
from framecast.diffusion.sampler import DDIM, DPMSolverPP
from framecast.diffusion.sampling import SamplingOptions
from framecast.diffusion.times import LogSNR, Trailing
from framecast.models.archive_forecast import sample_key
from framecast.models.checkpoint import load, read_config
from framecast.models.header import find_model
from framecast.models.members import Draw
from framecast.verification.scores import crps, ensemble_mean, ensemble_variance


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--windows", type=int, default=10)
    parser.add_argument("--members", type=int, default=12)
    parser.add_argument("--steps", type=int, default=12)
    options = parser.parse_args()
    folder = find_model(options.model)
    config, forecaster = read_config(folder), load(folder)
    archive = Archive.open(options.archive)
    windows = find_windows(archive, config.frames, stride=config.stride, max_masked=config.max_masked)
    side = config.split.divide(windows)["validation"]
    chosen = [side[k * len(side) // options.windows] for k in range(options.windows)]
    samples = WindowDataset(archive, chosen, config.frames)
    nominal = f"coverage of the flux (nominal {(options.members - 3) / (options.members + 1):.0%})"
    print(f"| sampler, grid | CRPS | spread/error | CRPS of the flux, % | {nominal} |")
    print("|---|---|---|---|---|")
    for name, sampler in (("DPM-Solver++ 2M", DPMSolverPP()), ("DDIM", DDIM())):
        for grid in (Trailing(), LogSNR()):
            sampling = SamplingOptions(sampler=sampler, grid=grid, steps=options.steps, precision="bf16")
            figures = []
            for k, window in enumerate(chosen):
                past, future, *_ = samples[k]
                drawn = forecaster.draw(
                    past, Draw(members=range(options.members), seed=0, sample=sample_key(window), options=sampling)
                )
                figures.append(judge(drawn, future))
            score, spread, error, flux, held = np.mean(figures, axis=0)
            cells = f"{score:.2f} | {np.sqrt(spread / error):.2f} | {100 * flux:.2f} | {held:.0%}"
            print(f"| {name}, {grid.kind} | {cells} |", flush=True)


def judge(drawn: torch.Tensor, future: torch.Tensor) -> tuple[float, float, float, float, float]:
    """Return CRPS, variance, squared error, relative CRPS of the flux, and how often the flux was held."""
    flux, observed = drawn.sum(dim=(-1, -2)), future.sum(dim=(-1, -2))
    below = (flux < observed).sum(dim=0)
    held = (below >= 2) & (below <= len(drawn) - 2)
    return (
        crps(drawn, future).mean().item(),
        ensemble_variance(drawn).mean().item(),
        (ensemble_mean(drawn) - future).square().mean().item(),
        (crps(flux, observed) / observed).mean().item(),
        held.float().mean().item(),
    )


if __name__ == "__main__":
    main()
