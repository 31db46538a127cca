"""A run killed at random moments, by the script that does it at length."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "kills.py"


@pytest.mark.slow
def test_a_run_killed_again_and_again_ends_in_the_weights_of_one_left_alone():
    command = [sys.executable, str(SCRIPT), "--kills", "6", "--steps", "60", "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "bitwise the same" in done.stdout
    assert "SIGKILL" in done.stdout
