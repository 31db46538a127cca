"""What a training costs: measured on one and two processes here, and counted for larger machines.

The first table trains a small network for some steps with 1 and 2 processes under torchrun. On a machine that does
other work too, the processor time per window says more than the clock: what two processes need more of it than one is
what working together costs. The second table counts, without running anything, what the networks of the paper and
larger ones take: operations, weights, and bytes kept for the backward pass of one window.

    python benchmarks/scaling.py                # two minutes on two idle cores
    python benchmarks/scaling.py --count-only   # seconds
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from framecast.networks import PaletteVideo, VideoUNet

CASES = {
    "paper (palette-video 64), 128²": (PaletteVideo(width=64), 3, 1, 6, 128),
    "palette-video 64, 256²": (PaletteVideo(width=64), 3, 1, 6, 256),
    "palette-video 64, 512²": (PaletteVideo(width=64), 3, 1, 6, 512),
    "video-unet 96, 128²": (VideoUNet(width=96), 3, 1, 6, 128),
    "video-unet 96, 512²": (VideoUNet(width=96), 3, 1, 6, 512),
    "palette-video 32, 64²": (PaletteVideo(width=32), 3, 1, 6, 64),
    "tiny (video-unet 32), 32²": (VideoUNet(width=32), 3, 3, 6, 32),
}


def count(network: nn.Module, past: int, future: int, frames: int, size: int) -> tuple[float, int, float]:
    """Return operations of one forward pass, weights, and bytes kept for the backward pass, of one window.

    Everything is on the meta device: shapes without numbers.
    """
    shape = (1, 0, frames, size, size)
    x = torch.empty(shape[0], future, *shape[2:], device="meta", requires_grad=True)
    seen = torch.empty(shape[0], past, *shape[2:], device="meta")
    kept: dict[int, int] = {}
    weights = {id(p.untyped_storage()._cdata) for p in network.parameters()}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            kept[storage._cdata] = storage.nbytes()
        held.append(tensor)
        return tensor

    held: list[Tensor] = []  # so that no storage is freed and counted anew under the same address
    with FlopCounterMode(display=False) as flops, torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        network(x, torch.empty(1, device="meta"), seen)
    return flops.get_total_flops(), sum(p.numel() for p in network.parameters()), sum(kept.values())


def worker(folder: Path, steps: int) -> None:
    """Train for some steps as one of the processes; the first writes what it saw."""
    from framecast.core.distributed import join
    from framecast.data.archive.reader import Archive
    from framecast.models.config import attach, build_network
    from framecast.training import TrainingState, fit
    from framecast.training.prepare import prepare
    from framecast.training.recipe import load_recipe

    processes = join(cpu=True)
    changes = ["training.steps=100000", "training.batch=16", "data.past=6", "data.future=6"]
    prepared = prepare(load_recipe("tiny", changes), Archive.open(folder / "corona.zarr"))
    torch.manual_seed(0)
    generator = attach(prepared.model, build_network(prepared.model))
    options = prepared.recipe.training
    state = TrainingState(generator.network, options)
    windows, conditioning = prepared.dataset("train"), prepared.model.conditioning
    for progress in fit(state, generator, conditioning, windows, options, processes=processes):
        if progress.step == 3:  # warm
            began, busy = time.perf_counter(), time.process_time()
        if progress.step == 3 + steps:
            break
    mine = {"seconds": time.perf_counter() - began, "busy": time.process_time() - busy}
    everyone = processes.gather(mine)
    if processes.first:
        done = options.batch * steps
        result = {
            "windows/s": done / max(each["seconds"] for each in everyone),
            "CPU s/window": sum(each["busy"] for each in everyone) / done,
            "waited": progress.waited / progress.seconds,
        }
        (folder / f"{processes.count}.json").write_text(json.dumps(result))


def measure(steps: int) -> None:
    from framecast.domains.corona.writing import write_corona

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_corona(folder / "corona.zarr", regions=12, frames=24, size=32, seed=3)
        results = {}
        for processes in (1, 2):
            launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
            command = [*launcher, str(processes), __file__, "--worker", str(folder), "--steps", str(steps)]
            subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
            results[processes] = json.loads((folder / f"{processes}.json").read_text())
    print(f"{'processes':<12}{'windows/s':>12}{'CPU s/window':>14}{'efficiency':>12}")
    for processes, result in results.items():
        efficiency = results[1]["CPU s/window"] / result["CPU s/window"]
        print(f"{processes:<12}{result['windows/s']:>12.2f}{result['CPU s/window']:>14.4f}{efficiency:>12.0%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--count-only", action="store_true")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker, options.steps)
        return
    if not options.count_only:
        measure(options.steps)
    print(f"\n{'network':<34}{'weights':>12}{'GFLOP forward':>15}{'MB kept, float32':>18}")
    for name, (config, past, future, frames, size) in CASES.items():
        with torch.device("meta"):
            network = config.build(past_channels=past, future_channels=future)
        operations, weights, kept = count(network, past, future, frames, size)
        print(f"{name:<34}{weights:>12,}{operations / 1e9:>15.1f}{kept / 1e6:>18.0f}")


if __name__ == "__main__":
    main()
