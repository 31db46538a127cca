"""How soon does a command answer? Time to its first line and to its end.

    python benchmarks/startup.py            # half a minute on an idle machine
    python benchmarks/startup.py --imports  # and what each imports for longer than 50 ms

Each command is a process of its own, in an empty folder; those that compute are stopped at their first line. Times are
medians of rounds in which every command has its turn, in seconds that pass: the machine has to be idle. The first round
fills the system's cache of files and is not counted.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from statistics import median

COMMANDS = {  # its goals for the first line and the end
    "--help": (0.5, 0.5),
    "info sun-171": (1.0, 2.0),
    "forecast --help": (1.0, 1.0),
    "machine": (1.0, None),
    "demo": (1.0, None),
    "forecast sun-171 missing.zarr": (1.0, None),
    "train tiny --data missing.zarr --out run": (1.0, None),
    "evaluate missing.zarr": (1.0, None),
    "import missing.nc out.zarr": (1.0, None),
}


def seconds(command: str, folder: str, *, to_its_end: bool) -> tuple[float, float]:
    """Return the seconds until the first line of ``framecast command`` and until its end, or twice the first."""
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "framecast", *command.split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        first = time.perf_counter() - began
        if to_its_end:
            process.stdout.read()
        else:
            process.kill()
    return first, time.perf_counter() - began if to_its_end else first


def imports(command: str, folder: str) -> list[tuple[int, str]]:
    """Return the milliseconds that modules take to import, with all that they import, longest first."""
    arguments = [sys.executable, "-X", "importtime", "-m", "framecast", *command.split()]
    told = subprocess.run(arguments, capture_output=True, text=True, cwd=folder).stderr
    lines = re.findall(r"import time:\s+\d+ \|\s+(\d+) \|( +)(\S+)", told)
    return sorted(((int(total) // 1000, name) for total, _, name in lines if int(total) >= 50_000), reverse=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--imports", action="store_true", help="print what takes longer than 50 ms to import")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        taken: dict[str, list[tuple[float, float]]] = {command: [] for command in COMMANDS}
        for _ in range(options.rounds + 1):
            for command, (_, end) in COMMANDS.items():
                taken[command].append(seconds(command, folder, to_its_end=end is not None))
        print("| framecast … | first line | goal | end | goal |\n|---|---|---|---|---|")
        for command, times in taken.items():
            first, end = (median(column) for column in zip(*times[1:], strict=True))
            goals = COMMANDS[command]
            ending = ("", "") if goals[1] is None else (f"{end:.2f} s", f"{goals[1]} s")
            print(f"| {command} | {first:.2f} s | {goals[0]} s | {ending[0]} | {ending[1]} |")
        for command in [c for c, (_, end) in COMMANDS.items() if end and options.imports]:
            print(f"\n{command}:", ", ".join(f"{name} {spent} ms" for spent, name in imports(command, folder)[:8]))


if __name__ == "__main__":
    main()
