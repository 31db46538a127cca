"""Archives that are resumed where a process was interrupted or killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from framecast.core.errors import DataError, FramecastError
from framecast.core.resume import ResumableJob
from framecast.data.archive.reader import Archive
from framecast.data.archive.resumable import ResumableArchiveWriter
from framecast.data.archive.writer import ArchiveWriter

pytestmark = pytest.mark.thorough

HEADER = {"channels": ["171"], "unit": "DN/s", "cadence": 3600, "height": 64, "width": 64}
TIMES = np.datetime64("2024-05-01", "ns") + np.arange(150) * np.timedelta64(1, "h")
FRAMES = np.random.default_rng(0).gamma(2.0, 50.0, (150, 1, 64, 64)).astype(np.float32)


JOB = ResumableJob(kind="archive", options="r", inputs={"source": "1"})


def write(
    path: Path, *, job: ResumableJob = JOB, stop: int | None = None, error=KeyboardInterrupt, overwrite=False
) -> int:
    """Write two sequences frame by frame, but for what is done; return how many frames were written."""
    written = 0
    with ResumableArchiveWriter(path, job=job, overwrite=overwrite, **HEADER) as writer:
        for index in range(150):
            if index == stop:
                raise error("enough")
            for name in ("a", "b"):
                done = writer.done(name)
                if done is None:
                    writer.create(name, TIMES, variables={"angle": ("time", np.arange(150.0))})
                if done is None or not done[index]:
                    written += 1
                    if index == 70:
                        writer.skip(name, index)
                    else:
                        writer.write(name, index, FRAMES[index] * (1 + (name == "b")), quality=index == 3)
            writer.remember(str(index), index * 2)
        assert writer.remembered == {str(k): 2 * k for k in range(150)}
    return written


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("stop", [64, 100, 149])
def test_an_interrupted_archive_goes_on_and_ends_in_the_same_bytes(tmp_path, stop):
    assert write(tmp_path / "whole.zarr") == 300
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "again.zarr", stop=stop)
    assert not (tmp_path / "again.zarr").exists()
    assert write(tmp_path / "again.zarr") == 300 - 2 * 64 * (stop // 64)  # blocks of 64 frames are done for good
    assert bytes_of(tmp_path / "again.zarr") == bytes_of(tmp_path / "whole.zarr")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again.zarr", "whole.zarr"]
    archive = Archive.open(tmp_path / "again.zarr")
    assert archive.quality("a")[[3, 4, 70]].tolist() == [1, 0, -1]
    assert np.array_equal(archive.read("b", [10])[0, 0], 2 * FRAMES[10, 0])
    assert archive.unusable("b")[0][70, 0] == 1


def test_another_job_begins_anew(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "a.zarr", stop=100)
    assert write(tmp_path / "a.zarr", job=ResumableJob(kind="archive", options="other", inputs={"source": "1"})) == 300


def test_the_same_job_with_other_data_is_refused_and_keeps_what_is_there(tmp_path):
    changed = ResumableJob(kind="archive", options="r", inputs={"source": "2"})
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "a.zarr", stop=100)
    with pytest.raises(DataError, match=r"a.zarr .*different source.*--overwrite"):
        write(tmp_path / "a.zarr", job=changed)
    assert write(tmp_path / "a.zarr") == 172
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "b.zarr", stop=100)
    assert write(tmp_path / "b.zarr", job=changed, overwrite=True) == 300


def test_without_a_complete_block_nothing_is_left(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "a.zarr", stop=30)
    assert list(tmp_path.iterdir()) == []


def test_what_is_saved_is_said_in_a_note(tmp_path):
    with pytest.raises(KeyboardInterrupt) as stopped:
        write(tmp_path / "a.zarr", stop=100)
    [note] = stopped.value.__notes__
    assert "128 frames" in note
    assert "resumes" in note


def test_a_plain_writer_does_not_leave_its_files_to_an_older_record(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "a.zarr", stop=100)
    ArchiveWriter(tmp_path / "a.zarr", **HEADER).__enter__()
    assert not (tmp_path / ".a.zarr.journal").exists()
    assert write(tmp_path / "a.zarr") == 300


def test_an_error_in_a_long_job_keeps_what_is_done(tmp_path):
    with pytest.raises(DataError):
        write(tmp_path / "a.zarr", stop=100, error=DataError)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".a.zarr.journal", ".a.zarr.partial"]


def test_what_was_half_done_when_the_process_was_killed_is_done_again(tmp_path):
    """Half a sequence, a file that zarr was writing, and the folder gone altogether."""
    write(tmp_path / "whole.zarr")
    for k in range(2):
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path / "a.zarr", stop=100)
        partial = tmp_path / ".a.zarr.partial"
        (partial / "half").mkdir()
        (partial / "half" / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group", "attributes": {}}')
        (partial / "a" / "zarr.0123.partial").write_text("{")
        if k:
            subprocess.run(["rm", "-r", str(partial)], check=True)
        assert write(tmp_path / "a.zarr") == (300 if k else 172)
        assert bytes_of(tmp_path / "a.zarr") == bytes_of(tmp_path / "whole.zarr")
        subprocess.run(["rm", "-r", str(tmp_path / "a.zarr")], check=True)


def test_killed_while_it_finishes(tmp_path, monkeypatch):
    from framecast.data.archive import writer as module

    write(tmp_path / "whole.zarr")
    child = os.fork()
    if child == 0:  # a kill leaves no chance to tidy up
        monkeypatch.setattr(module, "consolidate", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        write(tmp_path / "a.zarr")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert write(tmp_path / "a.zarr") == 0  # every block was there already
    assert bytes_of(tmp_path / "a.zarr") == bytes_of(tmp_path / "whole.zarr")


def test_two_processes_do_not_write_the_same(tmp_path):
    code = (
        "import sys\nfrom framecast.data.archive.writer import ArchiveWriter\n"
        f"writer = ArchiveWriter(sys.argv[1], **{HEADER!r})\nwriter.__enter__()\n"
        "print('here', flush=True)\nsys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "a.zarr")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "here\n"
        with pytest.raises(FramecastError, match="another process is writing"):
            write(tmp_path / "a.zarr")
        other.kill()
    assert write(tmp_path / "a.zarr") == 300
