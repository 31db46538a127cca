"""The paper's network in the fast layout against a plain implementation of it: time and memory, one table.

Both get the same weights and inputs. Each round measures every variant once, one after another, so that a slow moment
of the machine falls on all; the table gives medians and the median of the ratios within rounds. Memory is the growth of
the peak of the process during one training step, gradients and the libraries' work space included, each measured in a
process of its own: once as it is, and once with glibc told to give large blocks back to the system when they are freed
(MALLOC_MMAP_THRESHOLD_=1000000), which shows what is alive rather than what malloc keeps.

    python benchmarks/networks.py                                # width 32 at 64², float32 and bf16 autocast
    python benchmarks/networks.py --width 64 --size 128          # the paper's configuration
    python benchmarks/networks.py --network video-unet --batch 8
"""

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from framecast.networks import PaletteVideo, PaletteVideoDeep, VideoUNet

REFERENCE = Path(__file__).parents[1] / "tests" / "networks" / "reference.py"
VARIANTS = ("plain float32", "fast float32", "fast bf16", "fast bf16, checkpointing")


def plain_module():
    specification = importlib.util.spec_from_file_location("reference", REFERENCE)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def build(options: argparse.Namespace, variant: str) -> nn.Module:
    """Return the network of a variant; plain and fast ones share weights."""
    torch.manual_seed(0)
    configs = {"palette-video": PaletteVideo, "palette-video-deep": PaletteVideoDeep, "video-unet": VideoUNet}
    config = configs[options.network](width=options.width, checkpointing="checkpointing" in variant)
    channels = {"past_channels": 3, "future_channels": 1}
    fast = config.build(**channels)
    if not variant.startswith("plain"):
        return fast
    reference = plain_module()
    if options.network == "video-unet":
        # it has no plain form: it is compared with the plain network of the paper at width 16
        return reference.Reference(width=16, **channels)
    plain = reference.Reference(width=options.width, deep=options.network.endswith("deep"), **channels)
    plain.load_state_dict(reference.carry_over(fast.state_dict(), plain.state_dict()))
    return plain


def work(options: argparse.Namespace, variant: str, *, training: bool) -> Callable[[], None]:
    """Return a call that runs the variant once: forward, or forward and backward."""
    network = build(options, variant)
    size = (options.frames, options.size, options.size)
    x, past = torch.randn(options.batch, 1, *size), torch.randn(options.batch, 3, *size)
    t = torch.rand(options.batch) * 999

    def once() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled="bf16" in variant), torch.set_grad_enabled(training):
            loss = network(x, t, past).float().square().mean()
        if training:
            loss.backward()

    return once


def seconds(call: Callable[[], None]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def times(options: argparse.Namespace, *, training: bool) -> dict[str, list[float]]:
    """Return each variant's seconds, round by round."""
    variants = [variant for variant in VARIANTS if training or "checkpointing" not in variant]
    calls = {variant: work(options, variant, training=training) for variant in variants}
    for call in calls.values():
        call()
    rounds = [{variant: seconds(call) for variant, call in calls.items()} for _ in range(options.rounds)]
    return {variant: [one[variant] for one in rounds] for variant in variants}


def kilobytes(row: str) -> int:
    """Return a row of this process's memory account (Linux): VmRSS is now, VmHWM the peak."""
    account = Path("/proc/self/status").read_text()
    return int(next(line for line in account.splitlines() if line.startswith(row)).split()[1])


def peak_memory(options: argparse.Namespace, variant: str, *, give_back: bool) -> float:
    """Return by how many MB a training step raises the peak of a fresh process, gradients included."""
    environment = os.environ | ({"MALLOC_MMAP_THRESHOLD_": "1000000"} if give_back else {})
    arguments = [sys.executable, __file__, "--only-memory", variant]
    for name in ("network", "width", "size", "frames", "batch", "threads"):
        arguments += [f"--{name}", str(getattr(options, name))]
    return float(subprocess.run(arguments, capture_output=True, text=True, check=True, env=environment).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    networks = ["palette-video", "palette-video-deep", "video-unet"]
    parser.add_argument("--network", choices=networks, default="palette-video")
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--frames", type=int, default=6)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--only-memory", choices=VARIANTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    if options.only_memory:
        step = work(options, options.only_memory, training=True)
        before = kilobytes("VmRSS")
        step()
        print((kilobytes("VmHWM") - before) / 1024)
        return

    print(
        f"{options.network}, width {options.width}, {options.frames} frames of {options.size}², "
        f"batch {options.batch}, {options.threads} threads, {options.rounds} rounds"
    )
    forward, step = times(options, training=False), times(options, training=True)
    base = VARIANTS[0]
    print(f"{'':28s}{'forward':>10s}{'ratio':>8s}{'step':>10s}{'ratio':>8s}{'memory':>11s}{'given back':>13s}")
    for variant in VARIANTS:
        columns = ""
        for table in (forward, step):
            if variant not in table:
                columns += f"{'-':>10s}{'-':>8s}"
                continue
            ratio = statistics.median(a / b for a, b in zip(table[base], table[variant], strict=True))
            columns += f"{statistics.median(table[variant]):8.3f} s{ratio:7.2f}×"
        kept, alive = (peak_memory(options, variant, give_back=give_back) for give_back in (False, True))
        print(f"{variant:28s}{columns}{kept:8.0f} MB{alive:10.0f} MB")


if __name__ == "__main__":
    main()
