"""Does a run that is killed again and again end in the weights of one that was left alone?

A small network is trained twice on a synthetic archive: undisturbed, and killed with SIGKILL (every third time with
SIGTERM) at random moments, some of them while a checkpoint is being written, each time begun again by the same command.
Weights, averages and moments are compared bit by bit.

    python benchmarks/kills.py --kills 20                        # about ten minutes on one core
    python benchmarks/kills.py --kills 5 --processes 2
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from safetensors.torch import load_file

from framecast.data.corona import write_corona
from framecast.runs import Run

CHANGES = (
    "network.width=8",
    "data.past=2",
    "data.future=3",
    "training.batch=4",
    "training.validate_every=40",
    "training.validation_windows=4",
    "training.checkpoint_every=2",
    "training.precision=float32",
    "training.averages=[0.05, 0.1]",
    "training.keep=3",
)


def begin(archive: Path, out: Path, options: argparse.Namespace) -> subprocess.Popen:
    launcher = [sys.executable, "-m"]
    if options.processes > 1:
        launcher += ["torch.distributed.run", "--standalone", "--nproc-per-node", str(options.processes), "-m"]
    command = [*launcher, "framecast", "train", "tiny", "--data", archive, "--out", out, *CHANGES]
    return subprocess.Popen(
        [*map(str, command), f"training.steps={options.steps}"],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def kill(process: subprocess.Popen, run: Path, number: int) -> str:
    """Kill the run at a random moment after it has made progress; return where it was."""
    before = Run(run).step
    while process.poll() is None and Run(run).step == before:
        time.sleep(0.005)
    time.sleep(random.uniform(0, 1.0))
    if number % 2:  # in the middle of writing: as soon as a part of a checkpoint is there
        end = time.monotonic() + 5
        while process.poll() is None and time.monotonic() < end and not list(run.glob("checkpoints/.*")):
            time.sleep(0.0002)
    if process.poll() is not None:
        return "it had ended"
    writing = " while writing" if list(run.glob("checkpoints/.*")) else ""
    chosen = signal.SIGTERM if number % 3 == 2 else signal.SIGKILL
    if chosen == signal.SIGTERM:
        process.send_signal(chosen)
    else:
        os.killpg(process.pid, chosen)
    process.wait(timeout=60)
    return f"{chosen.name} after step {Run(run).step}{writing}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random.seed(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        archive, calm, disturbed = (Path(folder) / name for name in ("corona.zarr", "calm", "disturbed"))
        write_corona(archive, regions=12, frames=8, size=(16, 24), seed=3)
        process = begin(archive, calm, options)
        _, said = process.communicate()
        if process.returncode:
            sys.exit(said)
        for number in range(options.kills):
            print(f"kill {number + 1}: {kill(begin(archive, disturbed, options), disturbed, number)}", flush=True)
        process = begin(archive, disturbed, options)
        _, said = process.communicate()
        if process.returncode:
            sys.exit(said)
        one, other = (
            load_file(run / f"checkpoints/{options.steps:08d}/state.safetensors") for run in (calm, disturbed)
        )
        same = one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
        damaged = len(list(disturbed.glob("checkpoints/damaged-*")))
        print(f"{len(one)} tensors, {'bitwise the same' if same else 'NOT the same'}; damaged checkpoints: {damaged}")
        sys.exit(not same)


if __name__ == "__main__":
    main()
