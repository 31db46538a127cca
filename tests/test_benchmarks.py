"""Every script of benchmarks/ can be read by the package that it measures."""

import re
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"

IMPORT_ALL = """
import importlib, pathlib, sys
for script in sorted(pathlib.Path(sys.path[0] or '.').glob('*.py')):
    importlib.import_module(script.stem)
    print(script.stem)
"""


def test_every_script_is_importable():
    """In one process: names that the package no longer has would end it."""
    run = subprocess.run([sys.executable, "-c", IMPORT_ALL], cwd=BENCHMARKS, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-500:]
    assert run.stdout.split() == sorted(script.stem for script in BENCHMARKS.glob("*.py"))


def test_every_script_is_listed():
    listed = re.findall(r"^\| \[(\w+)\.py\]", (BENCHMARKS / "README.md").read_text(encoding="utf-8"), re.M)
    assert sorted(listed) == sorted(script.stem for script in BENCHMARKS.glob("*.py"))
