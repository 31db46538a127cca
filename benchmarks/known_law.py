"""A field whose exact forecast distribution is known: how near do a network's members come to it?

    python benchmarks/known_law.py out

A tracer is stirred by four vortices, diffuses, decays and is stirred up by smooth random sources:

    dx/dt = -u·∇x + κ ∇²x - μ x,    then after every unit of time    x ← x + e,    e ~ N(0, Q)

on 32×32 pixels with closed edges. With A, the exponential of the linear operator, the state n steps after x is normal
with mean Aⁿ x and covariance Cₙ = Σ_{j<n} Aʲ Q (Aʲ)ᵀ: what any forecast from frames can know at best, since the last
frame is the whole state. The CRPS of that distribution is √(diag Cₙ / π) on average, exactly. Beside the network stand
members drawn from it, persistence and dressed persistence. The network is given the stream function as a channel that
is known in advance.
"""

import argparse
import platform
from pathlib import Path

import numpy as np
import torch
from scipy import linalg

import framecast as fc
from framecast.verification.baselines import Baseline, from_past

SIDE, SPEED, DIFFUSION, DECAY, NOISE, LENGTH = 32, 1.5, 0.08, 0.05, 0.4, 3.0
"""Pixels; largest speed, diffusivity and decay rate in pixels and steps; size and length scale of the noise."""

PAST, FUTURE, MEMBERS = 2, 6, 20


def stream() -> np.ndarray:
    """Return the stream function at the corners of the pixels, ``[33, 33]``: zero along the edges."""
    phase = 2 * np.pi * np.arange(SIDE + 1) / SIDE
    return SPEED * SIDE / (2 * np.pi) * np.sin(phase)[:, None] * np.sin(phase)


def operator() -> np.ndarray:
    """Return the matrix of -u·∇ + κ ∇² - μ: fluxes through the sides of the pixels, none through the edges."""
    psi, number = stream(), np.arange(SIDE**2).reshape(SIDE, SIDE)
    matrix = -DECAY * np.eye(SIDE**2)
    sides = [
        (number[:, :-1], number[:, 1:], -np.diff(psi, axis=0)[:, 1:-1]),  # through the side to the right: u = -dψ/dy
        (number[:-1], number[1:], np.diff(psi, axis=1)[1:-1]),  # to the one above: v = dψ/dx
    ]
    for before, after, speed in sides:
        for one, other, carried in zip(before.ravel(), after.ravel(), speed.ravel(), strict=True):
            flux = np.array([carried / 2 + DIFFUSION, carried / 2 - DIFFUSION])  # of the values on both sides
            matrix[one, [one, other]] -= flux
            matrix[other, [one, other]] += flux
    return matrix


def law() -> tuple[np.ndarray, np.ndarray]:
    """Return A and a root of Q, ``[pixel, pixel]``."""
    y, x = np.mgrid[:SIDE, :SIDE].reshape(2, -1)
    apart = (y[:, None] - y) ** 2 + (x[:, None] - x) ** 2
    size, axes = np.linalg.eigh(NOISE**2 * np.exp(-apart / (2 * LENGTH**2)))
    return linalg.expm(operator()), axes * np.sqrt(size.clip(0))


def write(path: Path, step: np.ndarray, root: np.ndarray, *, sequences: int = 120, frames: int = 24) -> None:
    """Write sequences that begin in the stationary state, with the stream function as a second channel."""
    random, corners = np.random.default_rng(0), stream()
    plane = (corners[1:, 1:] + corners[1:, :-1] + corners[:-1, 1:] + corners[:-1, :-1]) / 4
    times = np.datetime64("2000-01-01", "ns") + np.arange(frames) * np.timedelta64(1, "s")
    about = {"channels": ["tracer", "stream"], "unit": "1", "cadence": 1.0, "height": SIDE, "width": SIDE}
    with fc.ArchiveWriter(path, **about, attrs={"independent_sequences": True}) as writer:
        for number in range(sequences):
            state = np.zeros(SIDE**2)
            name = f"run-{number:03d}"
            writer.create(name, times)
            for k in range(-100, frames):
                state = step @ state + root @ random.normal(size=SIDE**2)
                if k >= 0:
                    writer.write(name, k, np.stack([state.reshape(SIDE, SIDE), plane]).astype(np.float32))


def exact(step: np.ndarray, root: np.ndarray) -> Baseline:
    """Return members drawn from the exact distribution, as a baseline of one's own."""
    random = torch.Generator().manual_seed(1)
    forward, noise = (torch.from_numpy(matrix).float() for matrix in (step, root))

    def draw(past: torch.Tensor, lead_times: list[float]) -> torch.Tensor:
        state = past[0, -1].reshape(1, -1).expand(MEMBERS, -1)
        frames = []
        for _ in lead_times:
            state = state @ forward.T + torch.randn(MEMBERS, SIDE**2, generator=random) @ noise.T
            frames.append(state.reshape(MEMBERS, SIDE, SIDE))
        return torch.stack(frames, dim=1)[:, None]

    prepare = from_past(draw, members=MEMBERS)
    return Baseline(name="exact", label="members of the exact distribution", prepare=prepare, reference=False)


def optimum(step: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Return the CRPS of the exact distribution at each lead time, averaged over the pixels."""
    spread, covariance = [], np.zeros_like(step)
    for _ in range(FUTURE):
        covariance = step @ covariance @ step.T + root @ root.T
        spread.append(np.sqrt(np.diag(covariance) / np.pi).mean())
    return np.array(spread)


def recipe(steps: int) -> dict:
    """Return what differs from the recipe `tiny`: a small one-shot model."""
    data = {"past": PAST, "future": FUTURE, "past_channels": ["tracer"], "forcings": ["stream"], "curve": "linear"}
    training = {"steps": steps, "batch": 8, "learning_rate": 2e-3, "warmup": 50, "decay": "cosine", "ema": 0.98}
    return {
        "name": "network",
        "data": data | {"split": {"kind": "region"}},
        "network": {"width": 32, "blocks": 1},
        "diffusion": None,
        "one_shot": {"members": 2, "loss": {"pooled": 0.1, "differences": 0.1}},
        "sampling": {"precision": "float32"},
        "training": training | {"validate_every": steps, "checkpoint_every": 200, "precision": "float32"},
    }


def main() -> None:
    """Simulate, train, forecast, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--windows", type=int, default=100, help="judged, of sequences that were not trained on")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    archive, run, forecast = (arguments.out / name for name in ("tracer.zarr", "run", "forecast.zarr"))
    step, root = law()
    if not archive.exists():
        write(archive, step, root)
    trained = fc.train(fc.load_recipe("tiny", recipe(arguments.steps)), archive, out=run, progress=False)
    fc.forecast(
        run, archive, forecast, split="test", limit=arguments.windows, members=MEMBERS, overwrite=True, progress=False
    )
    scores = fc.evaluate(forecast, baselines=[exact(step, root)], blocks="sequence", progress=False).scores
    best = optimum(step, root)
    print(f"processor: {platform.processor() or platform.machine()}; {trained.step} steps, {len(best)} lead times\n")
    print("| CRPS over that of the exact distribution | " + " | ".join(map(str, range(1, FUTURE + 1))) + " | all |")
    print("|---" * (FUTURE + 2) + "|")
    for entry in scores.forecasts.values():
        found = entry["crps"]
        low, high = found.total.bounds() / best.mean()
        cells = " | ".join(f"{ratio:.3f}" for ratio in found.by_lead.value / best)
        print(f"| {entry.label} | {cells} | {found.value / best.mean():.3f} ({low:.3f} … {high:.3f}) |")
    print("\nspread / error, power of a member over the truth's at wavelengths of 32, 16, 8, 4, 2 pixels:")
    for entry in scores.forecasts.values():
        if not entry.point:
            power = entry["power_ratio"].total.value[[0, 1, 3, 7, 15]]
            print(f"{entry.label}: {entry['spread_skill'].value:.3f}, " + ", ".join(f"{each:.2f}" for each in power))


if __name__ == "__main__":
    main()
