"""Forward pass, training step, forecast and memory on a GPU, compared with other libraries: one table.

First the ceiling: how many floating-point operations a second the device makes in a large matrix product, in bf16 and
in float32. Then, for the paper's network at the paper's size, written plainly, in framecast's layout, in TF32, under
bf16 autocast, compiled, with checkpointing, and for the networks of other libraries that are installed (peers.py):

- one evaluation of a batch, and a training step (forward, backward and optimizer), medians of interleaved rounds;
- the operations made in that time over the ceiling in bf16: their number is counted from the shapes, and what
  checkpointing computes again does not count;
- the growth of the peak of memory during a step;
- for those of framecast, a whole forecast of all members, as `framecast forecast` draws it.

Then how long the reference practice would take, and which operators the time of the bf16 network goes to.

    python benchmarks/gpu.py                                     # the paper's size on a GPU
    python benchmarks/gpu.py --device cpu --width 8 --size 32 --members 4 --batch 2 --rounds 2
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ensemble import CHANNELS, EVALUATIONS, forecast
from framecast.diffusion.sampling import SamplingOptions
from framecast.networks import PaletteVideo, VideoUNet
from framecast.networks.compiled import compile_network
from framecast.training import TrainingOptions
from framecast.training.optimiser import build_optimiser
from networks import plain_module
from operators import share_of_operators
from peers import installed_peers

Inputs = tuple[Tensor, Tensor, Tensor]


@dataclass
class Way:
    """A network and how it is run, and what was measured of it.

    Attributes:
        network: takes ``(x, time, past)``.
        precision: ``float32`` (on a GPU PyTorch's own: products exact, convolutions in TF32), ``tf32`` for both, or
            ``bf16`` autocast.
        ours: whether it draws forecasts.
        counted: operations of an evaluation and of a step are those of this way instead, which computes nothing twice.
        seconds: by what was measured, round by round.
        operations: by what was measured.
        memory: growth of the peak during a step, bytes.
    """

    network: nn.Module
    precision: str = "float32"
    ours: bool = True
    counted: "Way | None" = None
    seconds: dict[str, list[float]] = field(default_factory=dict)
    operations: dict[str, int] = field(default_factory=dict)
    memory: int = 0


def all_ways(options: argparse.Namespace, device: torch.device) -> dict[str, Way]:
    """Return every way by name, those of framecast and the plain one with the same weights."""

    def palette(*, checkpointing: bool = False) -> nn.Module:
        network = PaletteVideo(width=options.width, checkpointing=checkpointing).build(**CHANNELS)
        network.load_state_dict(weights)
        return network.to(device)

    def plain() -> nn.Module:
        network = reference.Reference(width=options.width, **CHANNELS)
        network.load_state_dict(reference.carry_over(weights, network.state_dict()))
        return network.to(device)

    def compiled(network: nn.Module) -> nn.Module:
        compile_network(network)
        return network

    torch.manual_seed(0)
    reference = plain_module()
    weights = PaletteVideo(width=options.width).build(**CHANNELS).state_dict()
    bf16 = Way(palette(), "bf16")
    ways = {
        "plain, float32": Way(plain(), ours=False),
        "plain, bf16": Way(plain(), "bf16", ours=False),
        "one layout, float32": Way(palette()),
        "one layout, TF32": Way(palette(), "tf32"),
        "one layout, bf16": bf16,
        "the same with checkpointing": Way(palette(checkpointing=True), "bf16", counted=bf16),
    }
    small = VideoUNet(width=options.width)
    ways["video-unet, bf16"] = Way(small.build(**CHANNELS).to(device), "bf16")
    if options.compile:
        ways["one layout, bf16, compiled"] = Way(compiled(palette()), "bf16", counted=bf16)
        ways["video-unet, bf16, compiled"] = Way(
            compiled(small.build(**CHANNELS).to(device)), "bf16", counted=ways["video-unet, bf16"]
        )
    for name, network in installed_peers(width=options.width, size=options.size, **CHANNELS).items():
        ways[f"{name}, bf16"] = Way(network.to(device), "bf16", ours=False)
    if device.type != "cuda":
        del ways["one layout, TF32"]
    return ways


@contextmanager
def arithmetic(device: torch.device, precision: str) -> Iterator[None]:
    """Compute in ``float32``, ``tf32`` or under ``bf16`` autocast."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    try:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def finish(device: torch.device) -> None:
    """Wait until the device has done all that it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(call: Callable[[], object], device: torch.device) -> float:
    """Return how long ``call`` takes, the device's work included."""
    finish(device)
    start = time.perf_counter()
    call()
    finish(device)
    return time.perf_counter() - start


def ceiling(device: torch.device, kind: torch.dtype) -> float:
    """Return operations a second of a large matrix product, the best of ten."""
    side = 8192 if device.type == "cuda" else 1024
    a, b = (torch.randn(side, side, device=device, dtype=kind) for _ in range(2))
    torch.mm(a, b)
    return 2 * side**3 / min(seconds(lambda: torch.mm(a, b), device) for _ in range(10))


def inputs(options: argparse.Namespace, device: torch.device, batch: int) -> Inputs:
    """Return a noisy future, a time and a past."""
    shape = (batch, 1, options.frames, options.size, options.size)
    return (
        torch.randn(shape, device=device),
        torch.full((batch,), 500.0, device=device),
        torch.randn(shape, device=device),
    )


def evaluation(way: Way, given: Inputs) -> Callable[[], object]:
    """Return a call that evaluates the network."""

    def once() -> object:
        with torch.no_grad(), arithmetic(given[0].device, way.precision):
            return way.network(*given)

    return once


def step(way: Way, given: Inputs) -> Callable[[], None]:
    """Return a call that makes a training step."""
    optimiser = build_optimiser(way.network, TrainingOptions(steps=1))

    def once() -> None:
        with arithmetic(given[0].device, way.precision):
            loss = way.network(*given).float().square().mean()
            loss.backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    return once


def whole_forecast(way: Way, options: argparse.Namespace, device: torch.device) -> Callable[[], None]:
    """Return a call that draws all members by diffusion, as many at once as fit."""
    sampling = SamplingOptions(precision="bf16" if way.precision == "bf16" else "float32")
    drawn = forecast(options, way.network, sampling, device)

    def once() -> None:
        with arithmetic(device, "tf32" if way.precision == "tf32" else "float32"):
            drawn()

    return once


def operations(call: Callable[[], object]) -> int:
    """Return how many floating-point operations of products and convolutions ``call`` makes."""
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()


def measure(name: str, way: Way, options: argparse.Namespace, device: torch.device) -> dict[str, Callable[[], object]]:
    """Warm the way up, fill in its operations and its memory, and return what is to be timed."""
    given = inputs(options, device, options.batch)
    calls: dict[str, Callable[[], object]] = {"forward": evaluation(way, given), "step": step(way, given)}
    if way.ours:
        calls["forecast"] = whole_forecast(way, options, device)
    for what, call in calls.items():
        if what != "forecast":
            way.operations[what] = way.counted.operations[what] if way.counted else operations(call)
        for _ in range(3 if "compiled" in name else 1):  # compiling, warming up, recording
            call()
    if device.type == "cuda":
        finish(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        calls["step"]()
        way.memory = torch.cuda.max_memory_allocated(device) - before
    print(f"ready: {name}", file=sys.stderr, flush=True)
    return calls


def row(name: str, way: Way, bf16: float) -> str:
    """Return a line of the table, with shares of ``bf16`` operations a second."""
    cells = name
    for what in ("forward", "step"):
        took = statistics.median(way.seconds[what])
        pace = way.operations[what] / took
        cells += f"{1e3 * took:11.2f} {pace / 1e12:8.3g} {pace / bf16:6.0%}"
    cells += f"{way.memory / 1e6:9.0f}" if way.memory else f"{'-':>9s}"
    return cells + (f"{statistics.median(way.seconds['forecast']):10.3f} s" if way.ours else f"{'-':>12s}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--frames", type=int, default=6)
    parser.add_argument("--batch", type=int, default=8, help="samples of an evaluation and of a step")
    parser.add_argument("--members", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        parser.exit(2, "gpu.py: there is no GPU that PyTorch sees; --device cpu tries the script on the processor\n")

    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
    bf16, float32 = ceiling(device, torch.bfloat16), ceiling(device, torch.float32)
    print(
        f"{name}, torch {torch.__version__}; a large product makes {bf16 / 1e12:.3g} TFLOP/s in bf16, "
        f"{float32 / 1e12:.3g} in float32\nwidth {options.width}, {options.frames} frames of {options.size}², "
        f"batch {options.batch}, forecasts of {options.members} members by {SamplingOptions().steps} evaluations",
        flush=True,
    )
    ways = all_ways(options, device)
    calls = {}
    for name, way in list(ways.items()):
        try:
            calls[name] = measure(name, way, options, device)
        except Exception as error:  # what a compiler cannot do must not cost the rest of the table
            if "compiled" not in name:
                raise
            print(f"left out: {name}: {' '.join(str(error).split())[:200]}", file=sys.stderr, flush=True)
            del ways[name]
    alone = evaluation(ways["plain, float32"], inputs(options, device, 1))
    alone()
    single = []
    for _ in range(options.rounds):
        single.append(seconds(alone, device))
        for name, way in ways.items():
            for what, call in calls[name].items():
                way.seconds.setdefault(what, []).append(seconds(call, device))

    columns = f"{'ms':>11s} {'TFLOP/s':>8s} {'share':>6s}"
    widest = max(map(len, ways))
    print(f"\n{'':{widest}s}{'forward':>27s}{'training step':>27s}{'memory':>9s}{'forecast':>12s}")
    print(f"{'':{widest}s}{columns}{columns}{'MB':>9s}")
    for name, way in ways.items():
        print(row(f"{name:{widest}s}", way, bf16))
    whole = statistics.median(single) * EVALUATIONS * options.members
    best = min((statistics.median(way.seconds["forecast"]), name) for name, way in ways.items() if way.ours)
    print(
        f"\nreference practice (plain, float32, {EVALUATIONS} DDPM steps, member after member): {whole / 60:.1f} min; "
        f"the fastest forecast, {best[1]}, is {whole / best[0]:.0f} times faster"
    )
    for what in ("forward", "step"):
        shares = ", ".join(f"{op} {share:.0%}" for op, share in share_of_operators(calls["one layout, bf16"][what]))
        print(f"the time of one layout in bf16, {what}: {shares}")


if __name__ == "__main__":
    main()
