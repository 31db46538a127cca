"""How the cost of a forecast grows with members, frames, size, width and cores: a table and a picture.

Measured is one step for a whole ensemble: one evaluation of the network for every member, as many at once as framecast
draws. One thing is changed at a time from a base (8 members, 6 frames of 64², width 32, one core, bf16 autocast).
Every round measures the base and each point of a curve, one after another; a cost is the median of its ratios to the
base of the same round, in processor time, or for the cores in time that passes. Steps need no curve: n steps cost n
times one. At the end it says which operators the time of the base goes to. What else runs costs little but for the
cores: the second one has to be free.

    python benchmarks/cost.py --data cost.json --out docs/pictures/cost.png        # some minutes

With ``--data`` of an earlier run it only draws the picture again.
"""

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from framecast.models.members import chunk_size
from framecast.networks import PaletteVideo, VideoUNet
from operators import share_of_operators

Curve = dict[int, float]


@dataclass(frozen=True)
class Case:
    """One step of an ensemble: what is measured."""

    network: str
    members: int = 8
    frames: int = 6
    size: int = 64
    width: int = 32
    threads: int = 1


CURVES: dict[str, tuple[int, ...]] = {
    "members": (2, 4, 8, 16, 32),
    "frames": (3, 6, 12, 24),
    "size": (32, 64, 128),
    "width": (16, 32, 64),
    "threads": (1, 2),
}
POWERS = {"members": 1, "frames": 1, "size": 2, "width": 2, "threads": -1}
"""Of proportion: cost ∝ valueᵖ."""
NETWORKS = ("video-unet", "palette-video")


def step(case: Case) -> Callable[[], None]:
    """Return a call that evaluates the network once for every member of the case."""
    config = (VideoUNet if case.network == "video-unet" else PaletteVideo)(width=case.width)
    network = config.build(past_channels=1, future_channels=1).eval()
    shape = (1, case.frames, case.size, case.size)
    most = chunk_size(network, shape, torch.device("cpu"))
    chunks = [min(most, case.members - start) for start in range(0, case.members, most)]
    x, t = torch.randn(most, *shape), torch.full((most,), 500.0)

    def once() -> None:
        torch.set_num_threads(case.threads)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            for count in chunks:
                network(x[:count], t[:count], x[:count])

    return once


def measure(base: Case, name: str, rounds: int) -> Curve:
    """Return the cost of each point of a curve over that of the base."""
    clock = time.perf_counter if name == "threads" else time.process_time

    def spent(call: Callable[[], None]) -> float:
        start = clock()
        call()
        return clock() - start

    calls = {value: step(replace(base, **{name: value})) for value in CURVES[name]}
    reference = step(base)
    for call in (reference, *calls.values()):
        call()
    ratios: dict[int, list[float]] = {value: [] for value in calls}
    for _ in range(rounds):
        unit = spent(reference)
        for value, call in calls.items():
            ratios[value].append(spent(call) / unit)
    return {value: statistics.median(all_of) for value, all_of in ratios.items()}


def exponent(costs: Curve) -> float:
    """Return p of the last two points, cost ∝ valueᵖ."""
    (first, low), (last, high) = sorted(costs.items())[-2:]
    return math.log(high / low) / math.log(last / first)


def report(network: str, curves: dict[str, Curve], shares: list[tuple[str, float]]) -> None:
    """Print the curves of one network, and where its time goes."""
    print(f"\n{network}: 8 members, 6 frames of 64², width 32, one core = 1")
    for name, points in curves.items():
        cells = "  ".join(f"{value}: {cost:.2f}" for value, cost in points.items())
        print(f"  {name:8s} {cells}   (∝ {name}^{exponent(points):.1f} at the end)")
    print("  the time goes to " + ", ".join(f"{name} {share:.0%}" for name, share in shares), flush=True)


def draw(costs: dict[str, dict[str, Curve]], path: Path) -> None:
    """Draw every curve with both axes logarithmic, and the line of proportion."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(CURVES), figsize=(13, 3.4), sharey=True, layout="constrained")
    for axis, name in zip(axes, CURVES, strict=True):
        values, base, power = CURVES[name], getattr(Case(""), name), POWERS[name]
        for network, marker in zip(NETWORKS, "os", strict=True):
            points = costs[network][name]
            axis.plot(list(points), list(points.values()), marker=marker, label=network)
        ideal = [(value / base) ** power for value in values]
        axis.plot(values, ideal, color="0.6", linestyle=":", label=f"∝ {name}{ {1: '', 2: '²', -1: '⁻¹'}[power] }")
        axis.set(xscale="log", yscale="log", xlabel=name)
        axis.set_xticks(values, labels=[str(value) for value in values])
        axis.grid(axis="y", color="0.9")
        axis.minorticks_off()
        axis.legend(fontsize=7, frameon=False)
    ticks = [2.0**power for power in range(-2, 4)]
    axes[0].set_yticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    axes[0].set_ylabel("cost over the base")
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data", type=Path, help="keep the figures here as JSON, or take them from here")
    parser.add_argument("--out", type=Path, help="where the picture goes")
    options = parser.parse_args()
    if options.data and options.data.exists():
        stored = json.loads(options.data.read_text())
        costs = {
            network: {name: {int(value): cost for value, cost in points.items()} for name, points in curves.items()}
            for network, curves in stored.items()
        }
    else:
        costs = {}
        for network in NETWORKS:
            costs[network] = {name: measure(Case(network), name, options.rounds) for name in CURVES}
            report(network, costs[network], share_of_operators(step(Case(network)), most=6))
        if options.data:
            options.data.write_text(json.dumps(costs, indent=1) + "\n")
    if options.out:
        draw(costs, options.out)


if __name__ == "__main__":
    main()
