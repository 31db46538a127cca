"""What do threads cost when other programs run, and does it help if they sleep while they wait?

    python benchmarks/busy.py            # a minute; two cores

Prints seconds of one network evaluation (`video-unet` of width 32, 64², 8 members) by threads and `OMP_WAIT_POLICY`, on
the machine as it is and with one and two busy loops beside it: medians of rounds in which every setting has its turn.
"""

import os
import subprocess
import sys
import time
from statistics import median

SETTINGS = {
    "1 thread": {"OMP_NUM_THREADS": "1"},
    "2 threads, trying again and again (the default)": {"OMP_NUM_THREADS": "2"},
    "2 threads, asleep while they wait (PASSIVE)": {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE"},
}
LOOPS, ROUNDS = (0, 1, 2), 5


def evaluate() -> None:
    """Evaluate once for each line of the input, and print the seconds it took."""
    import torch

    from framecast.networks import VideoUNet

    network = VideoUNet(width=32, multipliers=(1, 2, 4, 4)).build(past_channels=1, future_channels=1).eval()
    x, t = torch.randn(8, 1, 6, 64, 64), torch.rand(8)
    with torch.inference_mode():
        network(x, t, x)
        print("ready", flush=True)
        for _ in sys.stdin:
            began = time.perf_counter()
            network(x, t, x)
            print(time.perf_counter() - began, flush=True)


def start(setting: dict[str, str]) -> "subprocess.Popen[str]":
    """Start a process that evaluates when asked, and wait until it can."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_", "KMP_"))}
    command = [sys.executable, __file__, "worker"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=others | setting)
    answer(process)
    return process


def answer(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def seconds(process: "subprocess.Popen[str]") -> float:
    """Return how long an evaluation takes."""
    assert process.stdin is not None
    process.stdin.write("again\n")
    process.stdin.flush()
    return float(answer(process))


def main() -> None:
    from framecast.core.machine import cores, processor

    print(f"{processor()}, {cores()} cores; seconds of an evaluation, medians of {ROUNDS} rounds\n")
    workers = {name: start(setting) for name, setting in SETTINGS.items()}
    columns = []
    for count in LOOPS:
        loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
        rounds = [{name: seconds(worker) for name, worker in workers.items()} for _ in range(ROUNDS)]
        columns.append({name: median(taken[name] for taken in rounds) for name in workers})
        for loop in loops:
            loop.kill()
            loop.wait()
    print("| | " + " | ".join(f"{count} busy loops" for count in LOOPS) + " |\n|---|" + "---|" * len(LOOPS))
    for name, worker in workers.items():
        print(f"| {name} | " + " | ".join(f"{column[name]:.2f}" for column in columns) + " |")
        worker.communicate()


if __name__ == "__main__":
    evaluate() if sys.argv[1:] == ["worker"] else main()
