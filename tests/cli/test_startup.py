"""What a command loads before it says something: names of modules, not times, which depend on the machine."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.thorough

HEAVY = ("torch", "xarray", "pandas", "zarr", "matplotlib", "scipy", "jinja2", "PIL", "sunpy", "astropy")
"""Each takes from a tenth of a second to some seconds to load."""


def loaded(*arguments: str) -> set[str]:
    """Return the names of the top-level modules that ``framecast ARGUMENTS`` loads."""
    code = (
        "import sys\n"
        "from framecast.cli import run\n"
        f"code = run({list(arguments)!r})\n"
        "assert code == 0, code\n"
        "print('\\0' + ' '.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stdout.rpartition("\0")[2].split()}


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("--version",), ("forecast", "--help"), ("train", "--help"), ("solar", "predict", "--help")],
    ids=" ".join,
)
def test_help_loads_nothing_that_takes_its_time(arguments):
    assert loaded(*arguments).isdisjoint({*HEAVY, "numpy", "rich"})


def test_a_model_is_described_from_its_files_alone():
    assert loaded("info", "sun-171").isdisjoint(HEAVY)


def test_importing_the_package_loads_nothing():
    code = "import sys, framecast; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {name.partition(".")[0] for name in done.stdout.split()}.isdisjoint({*HEAVY, "numpy", "rich", "typer"})


@pytest.mark.parametrize(("before", "policy"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")])
def test_threads_that_wait_sleep_unless_told_otherwise(before, policy):
    code = (
        "import atexit, os, sys\n"
        "atexit.register(lambda: print(os.environ['OMP_WAIT_POLICY']))\n"
        "from framecast.cli import main\n"
        "sys.argv = ['framecast', '--version']\n"
        "main()"
    )
    env = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"} | before
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert done.stdout.split()[-1] == policy


LONG = [
    "demo",
    "synth a.zarr",
    "train tiny --data a.zarr --out run",
    "distill run --out fast",
    "split tiny --data a.zarr",
    "forecast sun-171 a.zarr f.zarr",
    "evaluate f.zarr --out report",
    "calibrate f.zarr run",
    "reference run a.zarr",
    "export run out --format onnx",
    "average run out --width 0.05",
    "machine",
    "solar fetch --start 2024-10-08 --end 2024-10-09 --wavelengths 171 --cadence 2h --out aia",
    "solar prepare aia a.zarr --size 64",
    "solar import-png pictures a.zarr",
    "solar label a.zarr --events goes.csv",
    "solar predict sun-171 --time 2024-10-08T23:57 --center 0,0 --out p",
]


def test_a_command_says_what_it_does_before_it_loads_what_takes_its_time(tmp_path):
    """Where the heavy libraries cannot be loaded at all, the first line is there all the same."""
    code = (
        "import contextlib, sys\n"
        f"sys.modules.update(dict.fromkeys({HEAVY!r}))\n"  # importing one of them is an error now
        "from framecast.cli import run\n"
        f"for line in {LONG!r}:\n"
        "    print('\\0', file=sys.stderr, end='', flush=True)\n"
        "    with contextlib.suppress(Exception):\n"
        "        run(line.split())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    said = done.stderr.split("\0")[1:]
    assert len(said) == len(LONG), done.stderr
    firsts = {line: (text.splitlines() or ["nothing"])[0] for line, text in zip(LONG, said, strict=True)}
    wrong = ("framecast:", "Traceback", "Usage", "nothing")
    assert not {line: first for line, first in firsts.items() if first.startswith(wrong)}
