"""Preparing that is killed, or whose workers die, ends in the same bytes as if nothing had happened."""

import os
import random
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree

import pytest

from framecast.core.errors import ConfigError
from framecast.domains.solar.parallel import one_by_one, worker_pool
from framecast.domains.solar.prepare import prepare

OPTIONS = {"size": 128, "pixel": 9.6, "spacing": 45.0, "minimum_frames": 2}  # blocks of 16 frames
FRAMES = 36


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, write_sun: Callable[..., list[Path]]) -> Path:
    """Half-hourly images, one of them without pixels."""
    path = tmp_path_factory.mktemp("sun")
    files = write_sun(path, hours=[0.5 * k for k in range(FRAMES)], size=128, scale=19.2, extension=False)
    files[21].write_bytes(files[21].read_bytes()[:40_000])
    return path


@pytest.fixture(scope="module")
def undisturbed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "sun.zarr"
    prepare(folder, path, **OPTIONS)
    return path


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def killed(folder: Path, out: Path, *, at: int, delay: float, how: signal.Signals) -> None:
    """Prepare in a child that is killed after ``at`` frames and a little more, whatever it does then."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(delay, lambda: os.kill(os.getpid(), how))

    def watch(stage: str, done: int, total: int) -> None:
        if stage == "frames" and done >= at and timer.ident is None:
            timer.start()
        if stage == "frames" and done == total:
            signal.pause()  # it is killed before it ends, however fast it is

    try:
        prepare(folder, out, progress=watch, **OPTIONS)
    finally:
        os._exit(1)


@pytest.mark.slow
def test_killed_at_random_points_it_goes_on_to_the_same_bytes(folder: Path, undisturbed: Path, tmp_path: Path) -> None:
    expected, chance, went_on = bytes_of(undisturbed), random.Random(0), 0
    for attempt in range(10):
        out = tmp_path / "sun.zarr"
        how = (signal.SIGKILL, signal.SIGINT)[attempt % 2]
        for _ in range(chance.choice((1, 1, 2))):  # sometimes it is killed again
            killed(folder, out, at=chance.randrange(1, FRAMES - 8), delay=chance.uniform(0, 0.05), how=how)
            assert not out.exists()
        summary = prepare(folder, out, **OPTIONS)
        went_on += summary.resumed > 0
        assert bytes_of(out) == expected
        assert [item.path.name for item in summary.rejected] == [sorted(folder.iterdir())[21].name]
        assert [p.name for p in tmp_path.iterdir()] == ["sun.zarr"]
        rmtree(out)
    assert went_on >= 2  # the others were killed before the first block was whole


@pytest.mark.slow
@pytest.mark.thorough
def test_interrupted_late_it_need_not_cut_everything_again(folder: Path, undisturbed: Path, tmp_path: Path) -> None:
    def interrupt(stage: str, done: int, _: int) -> None:
        if (stage, done) == ("frames", 33):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(folder, tmp_path / "sun.zarr", progress=interrupt, **OPTIONS)
    seen: list[tuple[int, int]] = []
    summary = prepare(
        folder,
        tmp_path / "sun.zarr",
        progress=lambda stage, done, total: seen.append((done, total)) if stage == "frames" else None,
        **OPTIONS,
    )
    assert summary.resumed >= 10
    assert len(seen) == FRAMES - 1 - summary.resumed
    assert seen[-1] == (FRAMES - 1, FRAMES - 1)
    assert bytes_of(tmp_path / "sun.zarr") == bytes_of(undisturbed)


@pytest.mark.slow
def test_a_worker_that_dies_loses_nothing(folder: Path, undisturbed: Path, tmp_path: Path) -> None:
    """Two workers of a cluster at an address; one is killed while it reads."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster:
        victims = [nanny.pid for nanny in cluster.workers.values()]

        def kill_one(stage: str, done: int, _: int) -> None:
            if (stage, done) == ("frames", 8):
                os.kill(victims[0], signal.SIGKILL)

        prepare(folder, tmp_path / "sun.zarr", scheduler=cluster.scheduler_address, progress=kill_one, **OPTIONS)
    assert bytes_of(tmp_path / "sun.zarr") == bytes_of(undisturbed)


@pytest.mark.slow
def test_local_processes_make_the_same(folder: Path, undisturbed: Path, tmp_path: Path) -> None:
    prepare(folder, tmp_path / "sun.zarr", workers=2, **OPTIONS)
    assert bytes_of(tmp_path / "sun.zarr") == bytes_of(undisturbed)


def test_one_worker_needs_no_cluster_and_takes_jobs_as_they_are_needed() -> None:
    taken = []

    def jobs():
        for k in range(5):
            taken.append(k)
            yield k

    with worker_pool(1) as pool:
        assert pool is one_by_one
        results = pool(str, jobs())
        assert (next(results), taken) == ("0", [0])
        assert list(results) == ["1", "2", "3", "4"]


def test_an_address_at_which_nothing_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    from framecast.domains.solar import parallel

    monkeypatch.setattr(parallel, "PATIENCE", "1s")
    with (
        pytest.raises(ConfigError, match=r"tcp://127\.0\.0\.1:9 "),
        worker_pool(1, "tcp://127.0.0.1:9"),
    ):
        pass
