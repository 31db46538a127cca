"""A twenty-member forecast compared with common practice, on the same processor with the same weights: one table.

The reference practice (Francisco et al. 2024, arXiv 2410.20843) draws one member after another by 1000 steps of DDPM,
each an evaluation of a plain float32 network. Nobody wants to wait for that here: every round times a few such
evaluations and, in turn, whole forecasts as framecast makes them, and a member of the reference is put at 1000
evaluations of the round. The table gives medians of the ratios within rounds. What fewer evaluations do to the forecast
is in benchmarks/samplers.py: nothing that its CRPS could tell.

    python benchmarks/ensemble.py                            # width 32 at 64²
    python benchmarks/ensemble.py --size 128 --width 64      # the paper's size; some minutes
    python benchmarks/ensemble.py --peers                    # one evaluation of other libraries' video UNets too
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

from framecast.diffusion.sampling import SamplingOptions
from framecast.diffusion.schedule import Cosine
from framecast.generators.denoiser import Denoiser
from framecast.models.members import Draw, draw_members
from framecast.networks import PaletteVideo, VideoUNet
from networks import plain_module
from peers import installed_peers

CPU = torch.device("cpu")
CHANNELS = {"past_channels": 1, "future_channels": 1}
EVALUATIONS = 1000
"""Of the reference practice, for each member."""


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def forecast(
    options: argparse.Namespace, network: nn.Module, sampling: SamplingOptions, device: torch.device = CPU
) -> Callable[[], None]:
    """Return a call that draws all members by diffusion and brings them to the processor's memory."""
    shape = (1, options.frames, options.size, options.size)
    return drawing(Denoiser(network, Cosine(), "v").eval(), shape, options.members, sampling, device)


def drawing(
    denoiser: Denoiser, shape: tuple[int, ...], members: int, sampling: SamplingOptions, device: torch.device = CPU
) -> Callable[[], None]:
    """Return a call that draws ``members`` of ``shape`` from a past of the same shape."""
    past = torch.randn(1, *shape, device=device)

    def once() -> None:
        for _, x0 in draw_members(denoiser, past, shape, Draw(members=range(members), options=sampling)):
            x0.cpu()

    return once


def evaluation(options: argparse.Namespace, network: nn.Module) -> Callable[[], None]:
    """Return a call that evaluates ``network`` for one member."""
    shape = (1, 1, options.frames, options.size, options.size)
    x, past, t = torch.randn(shape), torch.randn(shape), torch.full((1,), 500.0)

    def once() -> None:
        with torch.inference_mode():
            network(x, t, past)

    return once


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=20)
    parser.add_argument("--frames", type=int, default=6)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--peers", action="store_true", help="also evaluate the video UNets of other libraries")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    ways = {
        f"{config.kind}, {precision}": forecast(options, config.build(**CHANNELS), SamplingOptions(precision=precision))
        for config in (PaletteVideo(width=options.width), VideoUNet(width=options.width))
        for precision in ("float32", "bf16")
    }
    plain = evaluation(options, plain_module().Reference(width=options.width, **CHANNELS).eval())
    peers = installed_peers(width=options.width, size=options.size, **CHANNELS) if options.peers else {}
    others = {name: evaluation(options, network) for name, network in peers.items()}
    for call in (plain, *others.values()):
        call()
    rounds = []
    for number in range(options.rounds):
        row = {"plain": statistics.median(seconds(plain) for _ in range(3))}
        row |= {name: seconds(call) for name, call in (ways | others).items()}
        rounds.append(row)
        print(f"round {number + 1} of {options.rounds}", flush=True)

    unit = statistics.median(row["plain"] for row in rounds)
    whole = unit * EVALUATIONS * options.members
    print(
        f"\n{options.members} members of {options.frames} frames of {options.size}², width {options.width}, "
        f"{options.threads} threads, {SamplingOptions().steps} evaluations a member"
    )
    print(f"{'reference practice: plain, float32, 1000 DDPM steps':60s}{whole / 60:9.1f} min        1×")
    for name in ways:
        ratio = statistics.median(row["plain"] * EVALUATIONS * options.members / row[name] for row in rounds)
        print(f"{name:60s}{statistics.median(row[name] for row in rounds):9.1f} s  {ratio:8.0f}×")
    for name in others:
        ratio = statistics.median(row[name] / row["plain"] for row in rounds)
        print(f"one evaluation of {name}: {ratio:.1f} times the plain network's")


if __name__ == "__main__":
    main()
