import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from framecast.core.errors import FramecastError
from framecast.core.files import (
    clear,
    held,
    new_file,
    new_folder,
    partial_path,
    publish,
    refuse_existing,
    write_atomically,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class TestNewFolder:
    def test_it_appears_when_it_is_complete(self, tmp_path):
        with new_folder(tmp_path / "deep" / "out") as folder:
            (folder / "a.txt").write_text("a")
            assert not (tmp_path / "deep" / "out").exists()
        assert names(tmp_path / "deep") == ["out"]
        assert (tmp_path / "deep" / "out" / "a.txt").read_text() == "a"

    @pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit, OSError])
    def test_an_interruption_leaves_nothing(self, tmp_path, error):
        with pytest.raises(error), new_folder(tmp_path / "out") as folder:
            (folder / "a.txt").write_text("a")
            raise error
        assert names(tmp_path) == []

    def test_an_interruption_leaves_what_was_there(self, tmp_path):
        with new_folder(tmp_path / "out") as folder:
            (folder / "old.txt").write_text("old")
        with pytest.raises(KeyboardInterrupt), new_folder(tmp_path / "out", overwrite=True) as folder:
            (folder / "new.txt").write_text("new")
            raise KeyboardInterrupt
        assert names(tmp_path) == ["out"]
        assert names(tmp_path / "out") == ["old.txt"]

    def test_overwriting_replaces_the_whole(self, tmp_path):
        for name in ("old", "new"):
            with new_folder(tmp_path / "out", overwrite=True) as folder:
                (folder / name).write_text(name)
        assert names(tmp_path) == ["out"]
        assert names(tmp_path / "out") == ["new"]

    @pytest.mark.parametrize("name", ["file", "link"])
    def test_a_file_or_a_link_is_not_lost_to_a_folder(self, tmp_path, name):
        (tmp_path / "target").mkdir()
        (tmp_path / "target" / "keep").write_text("keep")
        (tmp_path / "link").symlink_to(tmp_path / "target")
        (tmp_path / "file").write_text("file")
        with pytest.raises(FramecastError, match=f"{name} is a {name}"), new_folder(tmp_path / name, overwrite=True):
            pass
        assert names(tmp_path) == ["file", "link", "target"]
        assert names(tmp_path / "link") == ["keep"]
        assert (tmp_path / "file").read_text() == "file"

    def test_an_existing_name_is_refused_before_anything_is_done(self, tmp_path):
        (tmp_path / "out").mkdir()
        with pytest.raises(FramecastError, match=r"out exists already: .*--overwrite"), new_folder(tmp_path / "out"):
            pytest.fail("the block must not run")
        assert names(tmp_path) == ["out"]

    def test_a_folder_below_a_file_is_refused(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(FramecastError, match="not a writable folder"):
            refuse_existing(tmp_path / "file" / "out", overwrite=False)

    @pytest.mark.skipif(os.name != "posix", reason="needs the POSIX kill signal")
    def test_after_a_kill_the_name_is_free_and_the_rest_is_cleared_by_the_next(self, tmp_path):
        program = f"""
            import os, signal
            from framecast.core.files import new_folder
            with new_folder({str(tmp_path / "out")!r}) as folder:
                (folder / "half.txt").write_text("half")
                os.kill(os.getpid(), signal.SIGKILL)
        """
        subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=False)
        assert names(tmp_path) == [".out.partial"]
        with new_folder(tmp_path / "out") as folder:
            assert names(folder) == []
        assert names(tmp_path) == ["out"]


class TestWriteAtomically:
    @pytest.mark.parametrize("content", ["text äöü\n", b"\x00\xff"])
    def test_the_content_is_written(self, tmp_path, content):
        for _ in range(2):
            write_atomically(tmp_path / "file", content)
        expected = content.encode() if isinstance(content, str) else content
        assert (tmp_path / "file").read_bytes() == expected
        assert names(tmp_path) == ["file"]

    def test_a_failure_leaves_the_old_file(self, tmp_path, monkeypatch):
        write_atomically(tmp_path / "file", "old")

        def full_disk(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.fsync", full_disk)
        with pytest.raises(OSError, match="No space left"):
            write_atomically(tmp_path / "file", "new")
        assert (tmp_path / "file").read_text() == "old"
        assert names(tmp_path) == ["file"]

    @pytest.mark.thorough
    def test_a_reader_never_sees_a_part(self, tmp_path):
        """Another process reads all the while; every time it finds one of the whole contents."""
        path = tmp_path / "file"
        contents = {letter * 400_000 for letter in "ab"}
        write_atomically(path, "a" * 400_000)
        program = f"""
            from framecast.core.files import write_atomically
            for k in range(60):
                write_atomically({str(path)!r}, "ab"[k % 2] * 400_000)
        """
        with subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)]) as process:
            while process.poll() is None:
                assert path.read_text() in contents
        assert process.returncode == 0


def test_what_stood_there_comes_back_if_it_cannot_be_replaced(tmp_path, monkeypatch):
    path, rename = tmp_path / "old", Path.rename
    path.mkdir()
    (path / "a").write_text("a")

    def fail(self, target):
        if Path(target) == path and self.name != ".old.replaced":
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(KeyboardInterrupt), new_folder(path, overwrite=True) as folder:
        (folder / "b").write_text("b")
    assert [file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file()] == ["old/a"]


def test_publishing_puts_a_folder_in_place_of_another(tmp_path):
    for name in ("out", ".out.partial"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text(name)
    assert partial_path(tmp_path / "out") == tmp_path / ".out.partial"
    publish(tmp_path / ".out.partial", tmp_path / "out")
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == [".out.partial"]


def test_a_folder_is_held_by_one_at_a_time(tmp_path):
    with held(tmp_path, doing="writing x"):
        with pytest.raises(FramecastError, match="another process is writing x"), held(tmp_path, doing="writing x"):
            pytest.fail("the block must not run")
        program = f"""
            import sys
            from pathlib import Path
            from framecast.core.errors import FramecastError
            from framecast.core.files import held
            try:
                with held(Path({str(tmp_path)!r}), doing="writing x"):
                    pass
            except FramecastError:
                sys.exit(7)
        """
        assert subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=False).returncode == 7
    with held(tmp_path, doing="writing x"):
        pass


def test_a_folder_that_was_given_its_final_name_meanwhile_is_not_held(tmp_path, monkeypatch):
    """Between the moment at which it is opened and that at which it is locked."""
    (tmp_path / "partial").mkdir()
    monkeypatch.setattr("framecast.core.files.lock", lambda _: (tmp_path / "partial").rename(tmp_path / "final"))
    with pytest.raises(FramecastError, match="another process"), held(tmp_path / "partial", doing="writing x"):
        pytest.fail("the block must not run")


def test_clearing_a_folder_keeps_it_and_deletes_no_link_s_target(tmp_path):
    (tmp_path / "out" / "sub").mkdir(parents=True)
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("x")
    (tmp_path / "out" / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "out" / "sub" / "file").write_text("x")
    inode = (tmp_path / "out").stat().st_ino
    clear(tmp_path / "out", last="sub")
    assert names(tmp_path / "out") == []
    assert (tmp_path / "out").stat().st_ino == inode
    assert names(tmp_path / "kept") == ["file"]


def test_a_new_file_is_written_by_one_process_at_a_time(tmp_path):
    path = tmp_path / "x.nc"
    (tmp_path / ".x.nc.partial").write_bytes(b"of an earlier version, killed")
    with new_file(path) as partial:
        partial.write_bytes(b"first")
        with pytest.raises(FramecastError, match="another process is writing"), new_file(path):
            pytest.fail("the block must not run")
        assert not path.exists()
    assert path.read_bytes() == b"first"
    with pytest.raises(FramecastError, match="exists already"), new_file(path):
        pytest.fail("the block must not run")
    with pytest.raises(KeyboardInterrupt), new_file(path, overwrite=True) as partial:
        partial.write_bytes(b"sec")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"first"
    assert names(tmp_path) == ["x.nc"]
