"""Does a run that is killed repeatedly end with the weights of an uninterrupted one?

A small network is trained twice on a synthetic archive: undisturbed, and killed again and again, each time begun again
by the same command. The moments are random: steps drawn from the whole run; every other time within the writing of the
next checkpoint; every seventh time before the first step. Mostly it is SIGKILL for all processes, every third time
SIGTERM; with several processes every fourth time SIGKILL for one of them alone, and every fourth for torchrun alone.
In the end weights, averages, moments, the model, the snapshots of averages and the logged losses are compared bit by
bit.

    python benchmarks/kills.py --kills 20                        # five minutes on one core
    python benchmarks/kills.py --kills 20 --processes 2
    python benchmarks/kills.py --kills 5 --precision fp16        # with a scaled loss
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file

from framecast.domains.corona.writing import write_corona
from framecast.training.run import Run

EVERY = 7
"""Steps between two checkpoints."""

CHANGES = (
    "network.width=8",
    "data.past=2",
    "data.future=3",
    "training.batch=4",
    "training.validate_every=50",
    "training.validation_windows=4",
    f"training.checkpoint_every={EVERY}",
    "training.averages=[0.05, 0.1]",
    "training.keep=3",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        archive, calm, disturbed = (Path(folder) / name for name in ("corona.zarr", "calm", "disturbed"))
        write_corona(archive, regions=12, frames=8, size=(16, 24), seed=3)
        began = time.monotonic()
        finish(begin(archive, calm, options))
        pace = Pace.of(calm, time.monotonic() - began)
        print(f"left alone: {pace}")
        steps = sorted(chance.uniform(0, options.steps - EVERY) for _ in range(options.kills))
        for number, step in enumerate(steps):
            session = Session(archive, disturbed, options, chance)
            if number % 7 == 6:
                session.starting(pace)
            elif number % 2:
                session.writing(step)
            else:
                session.anywhere(step, pace)
            print(f"{number + 1:>3}  {session.end(number)}", flush=True)
        finish(begin(archive, disturbed, options))
        compared, different = compare(calm, disturbed, options.steps)
        damaged = len(list(disturbed.glob("checkpoints/damaged-*")))
        same = f"NOT the same: {', '.join(different[:5])}" if different else "bitwise the same"
        print(f"{compared} tensors and logged losses, {same}; damaged checkpoints: {damaged}")
        sys.exit(bool(different))


def begin(archive: Path, out: Path, options: argparse.Namespace) -> subprocess.Popen:
    launcher = [sys.executable, "-m"]
    if options.processes > 1:
        launcher += ["torch.distributed.run", "--standalone", "--nproc-per-node", str(options.processes), "-m"]
    command = [*launcher, "framecast", "train", "tiny", "--data", archive, "--out", out, *CHANGES]
    return subprocess.Popen(
        [*map(str, command), f"training.steps={options.steps}", f"training.precision={options.precision}"],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def finish(process: subprocess.Popen) -> None:
    _, said = process.communicate()
    if process.returncode:
        sys.exit(said)


@dataclass(frozen=True)
class Pace:
    """How long the parts of a session take.

    Attributes:
        start: seconds before the first step.
        step: seconds of a step, checkpoints included.
    """

    start: float
    step: float

    @classmethod
    def of(cls, run: Path, seconds: float) -> "Pace":
        """Return the pace of a finished run that took ``seconds``."""
        last = [record for record in Run(run).records() if record["event"] == "step"][-1]
        return cls(start=seconds - last["elapsed"], step=last["elapsed"] / last["step"])

    def __str__(self) -> str:
        return f"{self.start:.1f} s before the first step, {1000 * self.step:.0f} ms a step"


class Session:
    """One session of the run, that is to be killed.

    Args:
        archive: to train on.
        out: the run's folder.
        options: of the command line.
        chance: for moments.
    """

    def __init__(self, archive: Path, out: Path, options: argparse.Namespace, chance: random.Random) -> None:
        self.run, self.chance, self.processes = Run(out), chance, options.processes
        self._sittings = self._begun()
        self.process = begin(archive, out, options)
        self.moment = ""

    def starting(self, pace: Pace) -> None:
        """Wait for a moment before the first step."""
        seconds = self.chance.uniform(0, pace.start)
        self._sleep(seconds)
        self.moment = f"{seconds:.1f} s after the start"

    def anywhere(self, step: float, pace: Pace) -> None:
        """Wait until about ``step``, which may lie between two steps."""
        reached = self._reach(step)
        seconds = max(0.0, step - reached) * pace.step
        self._sleep(seconds)
        self.moment = f"{1000 * seconds:.0f} ms after checkpoint {reached}"

    def writing(self, step: float) -> None:
        """Wait for a moment within the writing of the first checkpoint after ``step``."""
        reached = self._reach(step)
        while self._alive() and not self.unfinished():
            time.sleep(0.0002)
        self._sleep(self.chance.uniform(0, 0.03))
        self.moment = f"after checkpoint {reached}"

    def end(self, number: int) -> str:
        """Send the signal, and return what was killed when and how long it took until all processes were gone."""
        files = self.unfinished()
        if not self._alive():
            return "it had ended"
        launcher, workers = self.process.pid, children(self.process.pid) if self.processes > 1 else []
        victim, chosen = "all", signal.SIGKILL
        began = time.monotonic()
        if workers and number % 4 == 3:
            victim = "one of them"
            os.kill(self.chance.choice(workers), chosen)
        elif workers and number % 4 == 1:
            victim = "torchrun alone"
            os.kill(launcher, chosen)
        elif number % 3 == 2:
            chosen = signal.SIGTERM
            self.process.send_signal(chosen)
        else:
            for process in (launcher, *workers):
                os.kill(process, chosen)
        self.process.communicate(timeout=300)
        took = time.monotonic() - began
        half = f", the next half written ({', '.join(files)})" if files else ""
        return f"{chosen.name} to {victim} {self.moment}{half}; gone in {took:.1f} s, {self.run.step} steps kept"

    def unfinished(self) -> list[str]:
        """Return the names of what is there of a checkpoint that is being written."""
        return sorted(path.name for path in self.run.path.glob("checkpoints/.*/**/*") if path.is_file())

    def _reach(self, step: float) -> int:
        """Wait until steps are being made and the last checkpoint before ``step`` is there; return which is."""
        while self._alive() and (self._begun() == self._sittings or self.run.step <= step - EVERY):
            time.sleep(0.002)
        return self.run.step

    def _begun(self) -> int:
        return sum(record["event"] == "session" for record in self.run.records())

    def _alive(self) -> bool:
        return self.process.poll() is None

    def _sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while self._alive() and (left := end - time.monotonic()) > 0:
            time.sleep(min(0.01, left))


def children(parent: int) -> list[int]:
    """Return the ids of the processes that ``parent`` started."""
    found = [task / "children" for task in Path(f"/proc/{parent}/task").iterdir()]
    return [int(child) for path in found for child in path.read_text().split()]


def compare(one: Path, other: Path, last: int) -> tuple[int, list[str]]:
    """Return how many tensors and losses of two finished runs were compared, and which are not bitwise the same.

    A file that is in one of the folders alone is named too.
    """
    held = [{str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()} for run in (one, other)]
    files = [f"checkpoints/{last:08d}/state.safetensors", f"checkpoints/{last:08d}/model/weights.safetensors"]
    files += sorted(str(path.relative_to(one)) for path in one.glob("averages/*.safetensors"))
    first, second = ({**tensors(run, files), **losses(run)} for run in (one, other))
    names = first.keys() | second.keys()
    strays = sorted(name for name in held[0] ^ held[1] if "damaged-" not in name)
    return len(names), sorted(name for name in names if first.get(name) != second.get(name)) + strays


def tensors(run: Path, files: list[str]) -> dict[str, bytes]:
    read = ((file, load_file(run / file)) for file in files)
    return {f"{name} in {file}": value.numpy().tobytes() for file, values in read for name, value in values.items()}


def losses(run: Path) -> dict[str, tuple[float, float | None]]:
    """Return losses and norms of every tenth step and of the validations."""
    told = [record for record in Run(run).records() if record["event"] in ("step", "validation")]
    return {
        f"{record['event']} {record['step']}": (record["loss"], record.get("gradient_norm"))
        for record in told
        if record["step"] % 10 == 0
    }


if __name__ == "__main__":
    main()
