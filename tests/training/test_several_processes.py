"""Two processes under torchrun, on the CPU, talking through gloo."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from framecast.data.forecasts import open_forecast
from framecast.training.run import Run

pytest.importorskip("accelerate")

pytestmark = pytest.mark.thorough


def start(*arguments, code="from framecast.cli import main; main()") -> subprocess.Popen:
    """Start two processes of ``code``, by default of the command line, with a group of their own."""
    script = ["--no-python", sys.executable, "-c", code, *map(str, arguments)]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *script]
    return subprocess.Popen(
        launcher,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def children(process: subprocess.Popen) -> list[int]:
    """Return the processes that the launcher has started so far."""
    found = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


def end(process: subprocess.Popen, *, seconds: float = 240.0) -> str:
    """Return what the processes said, after they have ended; whatever is left of them is killed."""
    try:
        said, _ = process.communicate(timeout=seconds)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    return said


def difference(one: Path, other: Path) -> float:
    """Return the largest difference between the states at step 6 of two runs."""
    ours, theirs = (load_file(path / "checkpoints/00000006/state.safetensors") for path in (one, other))
    assert ours.keys() == theirs.keys()
    return max(float((ours[name].double() - theirs[name].double()).abs().max()) for name in ours)


def validations(run: Path) -> list[float]:
    return [record["loss"] for record in Run(run).records() if record["event"] == "validation"]


@pytest.mark.slow
def test_two_processes_train_and_forecast_as_one(small_archive, small_changes, small_run, tmp_path):
    both = """
import sys
from framecast.cli import run
run_folder, archive, out, *changes = sys.argv[1:]
assert run(["train", "tiny", "--data", archive, "--out", run_folder, *changes]) == 0
assert run(["forecast", run_folder, archive, out, "--members", "3", "--limit", "3", "--seed", "4"]) == 0
"""
    run, out = tmp_path / "run", tmp_path / "two.zarr"
    process = start(run, small_archive, out, *small_changes, code=both)
    said = end(process)
    assert process.returncode == 0, said
    assert said.count("6 steps on 2 processes") == 1
    # The same batches, times and noise: what is left is the order in which gradients are added.
    assert difference(run, small_run) < 1e-6
    assert validations(run) == pytest.approx(validations(small_run), rel=1e-6)
    assert [r["processes"] for r in Run(run).records() if r["event"] == "session"] == [2]
    # Three windows: one for each process, the third divided by members.
    alone = tmp_path / "one.zarr"
    from framecast.cli import run as command

    assert (
        command(["forecast", *map(str, (run, small_archive, alone)), "--members", "3", "--limit", "3", "--seed", "4"])
        == 0
    )
    with open_forecast(alone) as one, open_forecast(out) as two:
        assert one.keys() == two.keys()
        for name in one:
            assert np.array_equal(one[name].values, two[name].values), name


@pytest.mark.slow
def test_divided_weights_make_the_same_checkpoint_and_one_process_goes_on_from_it(
    small_archive, small_changes, small_run, tmp_path
):
    three_steps = """
import sys
from framecast.data.archive.reader import Archive
from framecast.core.distributed import join
from framecast.training.recipe import load_recipe
from framecast.training.prepare import prepare
from framecast.training.train import run_training
archive, out, *changes = sys.argv[1:]
asked = iter([False, False, True])
prepared = prepare(load_recipe("tiny", changes), Archive.open(archive))
for _ in run_training(prepared, out, stop=lambda: next(asked), processes=join(cpu=True)):
    pass
"""
    run, changes = tmp_path / "run", [*small_changes, "training.shard=true", "training.averages=[0.1]"]
    process = start(small_archive, run, *changes, code=three_steps)
    said = end(process)
    assert process.returncode == 0, said
    assert Run(run).step == 3
    from framecast.cli import run as command

    assert command(["train", "tiny", "--data", str(small_archive), "--out", str(run), *changes]) == 0
    assert [r["processes"] for r in Run(run).records() if r["event"] == "session"] == [2, 1]
    ours, theirs = (load_file(path / "checkpoints/00000006/state.safetensors") for path in (run, small_run))
    assert theirs.keys() <= ours.keys()
    assert all(torch.allclose(ours[name].double(), theirs[name].double(), atol=1e-6) for name in theirs)


@pytest.mark.slow
def test_a_process_that_dies_takes_the_others_with_it_and_the_run_goes_on(small_archive, small_changes, tmp_path):
    changes = [
        *small_changes,
        "training.steps=100000",
        "training.checkpoint_every=20",
        "training.validate_every=100000",
    ]
    command = ("train", "tiny", "--data", small_archive, "--out", tmp_path / "run", *changes)
    process = start(*command)
    wait_for_checkpoint(tmp_path / "run", process)
    os.kill(children(process)[-1], signal.SIGKILL)
    began = time.monotonic()
    end(process, seconds=60)
    assert time.monotonic() - began < 60
    assert process.returncode != 0
    step = Run(tmp_path / "run").step
    assert step >= 20
    again = start(*command)
    wait_for_checkpoint(tmp_path / "run", again, beyond=step)
    again.send_signal(signal.SIGTERM)  # a preemptible node: torchrun passes it on
    said = end(again, seconds=60)
    assert "resumes from step" in said
    assert "stopped by SIGTERM" in said
    sessions = [record for record in Run(tmp_path / "run").records() if record["event"] == "session"]
    assert [record["step"] for record in sessions] == [0, step]


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["while libraries load", "in training"])
def test_nobody_goes_on_without_the_launcher(small_archive, small_changes, tmp_path, moment):
    changes = [
        *small_changes,
        "training.steps=100000",
        "training.checkpoint_every=20",
        "training.validate_every=100000",
    ]
    module = "import runpy; runpy.run_module('framecast', run_name='__main__')"
    process = start("train", "tiny", "--data", small_archive, "--out", tmp_path / "run", *changes, code=module)
    if moment == "in training":
        wait_for_checkpoint(tmp_path / "run", process)
    else:
        while len(children(process)) < 2 or not all(map(loads, children(process))):
            time.sleep(0.02)
    workers = children(process)
    os.kill(process.pid, signal.SIGKILL)
    until = time.monotonic() + 60
    while any(alive(worker) for worker in workers) and time.monotonic() < until:
        time.sleep(0.1)
    left = [worker for worker in workers if alive(worker)]
    for worker in left:
        os.kill(worker, signal.SIGKILL)
    assert len(workers) == 2
    assert not left


def loads(process: int) -> bool:
    """Whether a process has begun to load torch, as the command does after a look at what started it."""
    return "/libtorch" in Path(f"/proc/{process}/maps").read_text()


def alive(process: int) -> bool:
    """Whether there is such a process, and it has not ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def wait_for_checkpoint(run: Path, process: subprocess.Popen, *, beyond: int = 0) -> None:
    for _ in range(1200):
        if process.poll() is not None:
            pytest.fail(f"the run ended too early: {end(process)}")
        if Run(run).step > beyond:
            return
        time.sleep(0.1)
    end(process, seconds=1)
    pytest.fail("no checkpoint was written in two minutes")
