"""How close float32 on a CPU comes to the processor's limits: forecasts and training steps, one table.

The rate of a network is its operations (linear maps, convolutions, attention; a training step counts three times its
forward pass) over the time taken; its share is that rate over the rate of a matrix product of 1024², measured just
before it. Every round measures every forecast and step once with the kernels of `framecast.networks.kernels` and once
with PyTorch's own operators in their place; shares and ratios are medians over rounds. On one thread the time is that
of the processor, so that what else runs counts less; on more it is time that passes, and the machine has to be idle.

The floors are what an evaluation of one member would take if nothing but its operations cost time, and if nothing did
but reading every layer's input and writing its output once: milliseconds at the measured rates.

    python benchmarks/float32.py                                  # ten minutes on one core
    python benchmarks/float32.py --threads 2
    python benchmarks/float32.py --operators                      # and where the time goes
    ATEN_CPU_CAPABILITY=default python benchmarks/float32.py      # PyTorch's operators as on an older processor
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest.mock import patch

import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from ensemble import drawing
from framecast.core.machine import keep_freed_blocks, processor
from framecast.diffusion.sampling import SamplingOptions
from framecast.diffusion.schedule import Cosine
from framecast.generators.denoiser import Denoiser
from framecast.models.members import chunk_size
from framecast.networks import PaletteVideo, VideoUNet
from operators import share_of_operators

FRAMES = 6


@dataclass(frozen=True)
class Job:
    """One row of the table: ``members`` × ``evaluations`` of a forecast, and a training step of ``batch`` windows."""

    config: VideoUNet | PaletteVideo
    size: int
    members: int
    evaluations: int
    batch: int

    def build(self) -> nn.Module:
        """Return the network with no weight left at zero."""
        network = self.config.build(past_channels=1, future_channels=1)
        for parameter in network.parameters():
            if not parameter.any():
                nn.init.normal_(parameter, std=0.05)
        return network


SUN = VideoUNet(width=32, multipliers=(1, 2, 4, 4))
"""The network of `sun-171`."""

JOBS = (
    Job(SUN, 64, members=20, evaluations=12, batch=8),
    Job(SUN, 128, members=5, evaluations=12, batch=2),
    Job(PaletteVideo(width=32), 64, members=3, evaluations=2, batch=2),
    Job(PaletteVideo(width=32), 128, members=2, evaluations=2, batch=1),
)


def cost(job: Job) -> tuple[float, float]:
    """Return the operations of one evaluation of one member, and the bytes of its layers' inputs and outputs."""
    moved = 0.0

    def count(_: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal moved
        moved += 4 * (inputs[0].numel() + output.numel())

    with torch.device("meta"):
        network = job.config.build(past_channels=1, future_channels=1)
        x, t = torch.empty(1, 1, FRAMES, job.size, job.size), torch.empty(1)
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.GroupNorm):
            module.register_forward_hook(count)
    with FlopCounterMode(display=False) as counter:
        network(x, t, x)
    return counter.get_total_flops(), moved


def forecast(job: Job) -> Callable[[], None]:
    """Return a call that draws the members."""
    generator = Denoiser(job.build().eval(), Cosine(), "v", noise_slope=0.5)
    sampling = SamplingOptions(steps=job.evaluations, precision="float32")
    return drawing(generator, (1, FRAMES, job.size, job.size), job.members, sampling)


def training_step(job: Job) -> Callable[[], None]:
    """Return a call that makes one step: loss, gradients, AdamW."""
    generator = Denoiser(job.build(), Cosine(), "v")
    optimiser = torch.optim.AdamW(generator.parameters(), fused=True)
    x0, past, noise = torch.randn(3, job.batch, 1, FRAMES, job.size, job.size)
    t = torch.linspace(0.1, 0.9, job.batch, dtype=torch.float64)

    def once() -> None:
        optimiser.zero_grad()
        generator.loss(x0, past, t=t, noise=noise).mean().backward()
        optimiser.step()

    return once


@contextmanager
def without_kernels() -> Iterator[None]:
    """Put PyTorch's own operators in the place of the kernels."""

    def plain(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return functional.conv2d(x, weight, padding=(1, 0))

    with (
        patch("framecast.networks.kernels.fuses", lambda x: False),
        patch("framecast.networks.layout.fuses", lambda x: False),
        patch("framecast.networks.layout.exact", lambda x: False),
        patch("framecast.networks.layout.temporal_convolution", plain),
    ):
        yield


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--network", choices=sorted({job.config.kind for job in JOBS}), help="only rows of this one")
    parser.add_argument("--size", type=int, help="only rows of this size")
    parser.add_argument("--operators", action="store_true", help="print where the time of each row goes")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_freed_blocks()  # as a forecast and training do
    clock = time.process_time if options.threads == 1 else time.perf_counter

    def seconds(call: Callable[[], object]) -> float:
        start = clock()
        call()
        return clock() - start

    def rates() -> tuple[float, float, float]:
        """Return operations a second of a matrix product and of a convolution, and bytes a second of a copy."""
        product = min(seconds(lambda: torch.mm(square, square)) for _ in range(5))
        convolution = min(seconds(lambda: functional.conv2d(image, weight, padding=1)) for _ in range(3))
        copy = min(seconds(lambda: target.copy_(source)) for _ in range(3))
        return 2 * 1024**3 / product, 2 * weight.numel() * 12 * 64**2 / convolution, 8 * source.numel() / copy

    square, source, target = torch.randn(1024, 1024), torch.randn(2**25), torch.empty(2**25)
    image = torch.randn(12, 64, 64, 64).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(64, 64, 3, 3).contiguous(memory_format=torch.channels_last)
    capability = torch.backends.cpu.get_cpu_capability()
    print(f"{processor()}, {capability}, {options.threads} thread(s), float32, {options.rounds} rounds")
    print(
        "| network | size | forecast, of the matrix product | faster than plain | step, of the matrix product "
        "| faster than plain | evaluation of a member | floor: operations | floor: memory |\n|" + "---|" * 9
    )
    for job in JOBS:
        if options.network not in (None, job.config.kind) or options.size not in (None, job.size):
            continue
        flops, moved = cost(job)
        work = {
            forecast(job): flops * job.members * job.evaluations,
            training_step(job): 3 * flops * job.batch,
        }
        results: dict[str, list[float]] = {name: [] for name in ("share", "ratio", "step share", "step ratio", "ms")}
        floors = []
        for call in work:
            call()
        for _ in range(options.rounds):
            taken = []
            for call, operations in work.items():
                product, _, copy = rates()
                ours = seconds(call)
                with without_kernels():
                    plain = seconds(call)
                taken.append((operations / ours / product, plain / ours, ours))
            (share, ratio, drawing), (step_share, step_ratio, _) = taken
            milliseconds = 1e3 * drawing / job.members / job.evaluations
            for name, value in zip(results, (share, ratio, step_share, step_ratio, milliseconds), strict=True):
                results[name].append(value)
            floors.append((1e3 * flops / product, 1e3 * moved / copy))
        middle = {name: statistics.median(values) for name, values in results.items()}
        operations_floor, memory_floor = (statistics.median(column) for column in zip(*floors, strict=True))
        chunk = chunk_size(job.build(), (1, FRAMES, job.size, job.size), torch.device("cpu"))
        print(
            f"| {job.config.kind} {job.config.width}, {min(chunk, job.members)} at once | {job.size}² "
            f"| {middle['share']:.0%} | {middle['ratio']:.2f}× | {middle['step share']:.0%} "
            f"| {middle['step ratio']:.2f}× | {middle['ms']:.1f} ms | {operations_floor:.1f} ms "
            f"| {memory_floor:.1f} ms |",
            flush=True,
        )
        if options.operators:
            for call, name in zip(work, ("forecast", "step"), strict=True):
                shares = ", ".join(f"{operator} {share:.0%}" for operator, share in share_of_operators(call, most=6))
                print(f"    {name}: {shares}", flush=True)
    product, convolution, copy = rates()
    print(
        f"matrix product {product / 1e9:.0f} GFLOP/s, 3×3 convolution {convolution / 1e9:.0f} GFLOP/s, "
        f"copying {copy / 1e9:.1f} GB/s read and written"
    )


if __name__ == "__main__":
    main()
