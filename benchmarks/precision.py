"""Speed of forecasts in each precision, on newer and older processors, and whether ``auto`` chooses the faster one.

    python benchmarks/precision.py                    # corona-synth at 64², 4 members × 4 evaluations; some minutes
    python benchmarks/precision.py --model sun-171 --rounds 5

Prints one table: seconds of a forecast for {this processor as it is, told to compute like one with AVX2 alone} ×
{float32, bf16, auto} × {1, 2 threads}. Each setting is a process of its own, since PyTorch and oneDNN read what they
may use when they are loaded; the processes stay and take turns, so that another program slows all of them alike.
``auto / best`` is the median over rounds of the time under auto over that of the faster precision in the same round.
Threads wait as they do under the command ``framecast``: asleep. On a processor without AVX-512 the two kinds are the
same, and the table shows how far its figures scatter.
"""

import argparse
import os
import subprocess
import sys
import time
from statistics import median

KINDS = {"default": {}, "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}}
PRECISIONS = ("float32", "bf16", "auto")
THREADS = (1, 2)


class Worker:
    """A process that forecasts when it is asked to, in one setting."""

    def __init__(self, kind: str, precision: str, threads: int, options: argparse.Namespace) -> None:
        command = [sys.executable, __file__, "--worker", precision, "--model", options.model]
        command += ["--members", str(options.members), "--steps", str(options.steps)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | KINDS[kind] | {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"},
        )
        self.chosen = self._answer()

    def seconds(self) -> float:
        """Return how long a forecast takes."""
        assert self._process.stdin is not None
        self._process.stdin.write("again\n")
        self._process.stdin.flush()
        return float(self._answer())

    def stop(self) -> None:
        self._process.communicate()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"a process ended early with code {self._process.wait()}")
        return line.strip()


def work(options: argparse.Namespace) -> None:
    """Forecast once for each line of the input, and print the seconds it took."""
    import warnings

    import torch

    import framecast as fc

    warnings.simplefilter("ignore", fc.FramecastWarning)  # the past is noise, unlike the training data

    forecaster = fc.load(options.model)
    past = 100 * torch.rand(forecaster.frames.past_shape, generator=torch.Generator().manual_seed(0)).add(0.5)

    def forecast() -> str:
        chosen = {"members": options.members, "steps": options.steps, "precision": options.worker}
        return str(forecaster.forecast(past, seed=0, **chosen).attrs["precision"])

    print(forecast(), flush=True)  # the first time libraries choose their kernels
    for _ in sys.stdin:
        began = time.perf_counter()
        forecast()
        print(time.perf_counter() - began, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="corona-synth")
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return work(options)

    import torch

    from framecast.core.machine import processor

    print(
        f"{processor()}, torch {torch.__version__}: {options.model}, {options.members} members × {options.steps} "
        f"evaluations; medians of {options.rounds} rounds, in seconds\n"
    )
    print("| processor as | threads | float32 | bf16 | auto | chosen | auto / best |\n|---|---|---|---|---|---|---|")
    for threads in THREADS:
        for kind in KINDS:
            workers = {precision: Worker(kind, precision, threads, options) for precision in PRECISIONS}
            rounds = [{name: worker.seconds() for name, worker in workers.items()} for _ in range(options.rounds)]
            ratio = median(taken["auto"] / min(taken["float32"], taken["bf16"]) for taken in rounds)
            times = " | ".join(f"{median(taken[name] for taken in rounds):.2f}" for name in PRECISIONS)
            print(f"| {kind} | {threads} | {times} | {workers['auto'].chosen} | {ratio:.2f} |", flush=True)
            for worker in workers.values():
                worker.stop()


if __name__ == "__main__":
    main()
