"""How the cost of one network evaluation grows with members, frames, size, width and cores: a table and a picture.

One thing is changed at a time from a base (8 members at once, 6 frames of 64², width 32, one core, bf16 autocast).
Every round measures the base and each point of a curve, one after another; a cost is the median of its ratios to the
base of the same round. Steps need no curve: n steps are n evaluations. At the end it says which operators the
time of the base goes to. Run it on a machine that does nothing else, or the second core is no second core.

    python benchmarks/cost.py --out docs/pictures/cost.png        # some minutes
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from framecast.networks import PaletteVideo, VideoUNetConfig


@dataclass(frozen=True)
class Case:
    """One evaluation: what is measured."""

    network: str
    members: int = 8
    frames: int = 6
    size: int = 64
    width: int = 32
    threads: int = 1


CURVES: dict[str, tuple[int, ...]] = {
    "members": (1, 2, 4, 8, 16),
    "frames": (3, 6, 12, 24),
    "size": (32, 64, 128),
    "width": (16, 32, 64),
    "threads": (1, 2),
}
NETWORKS = ("video-unet", "palette-video")


def evaluation(case: Case) -> Callable[[], None]:
    """Return a call that evaluates the network once for all members of the case."""
    config = (VideoUNetConfig if case.network == "video-unet" else PaletteVideo)(width=case.width)
    network = config.build(past_channels=1, future_channels=1).eval()
    shape = (case.members, 1, case.frames, case.size, case.size)
    x, past, t = torch.randn(shape), torch.randn(shape), torch.full((case.members,), 500.0)

    def once() -> None:
        torch.set_num_threads(case.threads)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            network(x, t, past)

    return once


def seconds(call: Callable[[], None]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def curve(base: Case, name: str, rounds: int) -> dict[int, float]:
    """Return the cost of each point of a curve over that of the base."""
    calls = {value: evaluation(replace(base, **{name: value})) for value in CURVES[name]}
    reference = evaluation(base)
    for call in (reference, *calls.values()):
        call()
    ratios: dict[int, list[float]] = {value: [] for value in calls}
    for _ in range(rounds):
        unit = seconds(reference)
        for value, call in calls.items():
            ratios[value].append(seconds(call) / unit)
    return {value: statistics.median(all_of) for value, all_of in ratios.items()}


def exponent(costs: dict[int, float]) -> float:
    """Return p of the last two points, cost ∝ valueᵖ."""
    (first, low), (last, high) = sorted(costs.items())[-2:]
    return math.log(high / low) / math.log(last / first)


def share_of_operators(case: Case, most: int = 6) -> list[tuple[str, float]]:
    """Return the operators that take the most time of their own, and their shares."""
    call = evaluation(case)
    call()
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        call()
    events = sorted(profiler.key_averages(), key=lambda event: -event.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in events)
    return [(event.key.removeprefix("aten::"), event.self_cpu_time_total / total) for event in events[:most]]


def draw(costs: dict[str, dict[str, dict[int, float]]], path: Path) -> None:
    """Draw every curve with both axes logarithmic, and the line of proportion."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(CURVES), figsize=(13, 3.2), sharey=True, layout="constrained")
    for axis, name in zip(axes, CURVES, strict=True):
        for network, marker in zip(NETWORKS, "os", strict=True):
            points = costs[network][name]
            axis.plot(list(points), list(points.values()), marker=marker, label=network)
        values = CURVES[name]
        base = getattr(Case("video-unet"), name)
        power = -1 if name == "threads" else 2 if name in ("size", "width") else 1
        ideal = [(value / base) ** power for value in values]
        axis.plot(values, ideal, color="0.6", linestyle=":", label=f"∝ {name}{ {1: '', 2: '²', -1: '⁻¹'}[power] }")
        axis.set(xscale="log", yscale="log", xlabel=name, xticks=values)
        axis.set_xticks(values, labels=[str(value) for value in values])
        axis.minorticks_off()
        axis.legend(fontsize=7, frameon=False)
    axes[0].set_ylabel("cost over the base")
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="where the picture goes")
    options = parser.parse_args()
    costs = {network: {name: curve(Case(network), name, options.rounds) for name in CURVES} for network in NETWORKS}
    for network, curves in costs.items():
        print(f"\n{network}: 8 members, 6 frames of 64², width 32, one core = 1")
        for name, points in curves.items():
            cells = "  ".join(f"{value}: {cost:.2f}" for value, cost in points.items())
            print(f"  {name:8s} {cells}   (∝ {name}^{exponent(points):.1f} at the end)")
        shares = ", ".join(f"{name} {share:.0%}" for name, share in share_of_operators(Case(network)))
        print(f"  the time goes to {shares}")
    if options.out:
        draw(costs, options.out)


if __name__ == "__main__":
    main()
