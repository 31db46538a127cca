"""Atomic output: files and folders are written under a temporary name and renamed when they are complete.

A folder (an archive, a forecast, a report) is built beside its destination under a hidden name, locked meanwhile so
that no two processes write the same. Renaming within one folder is atomic on every file system in use.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from framecast.core.errors import FramecastError

_MARKER_BYTES = 2**24
"""Bytes of a marker that are looked at: the root of an old archive may have hundreds of megabytes."""


@dataclass(frozen=True)
class Kind:
    """How a folder written by framecast is recognised: by the file ``marker`` in it, and a ``text`` in that file."""

    name: str
    marker: str
    text: str = ""

    def describes(self, path: Path) -> bool:
        """Whether the folder ``path`` is empty or of this kind."""
        if not path.is_dir():
            return False
        if not any(path.iterdir()):
            return True
        marker = path / self.marker
        if not marker.is_file():
            return False
        with marker.open("rb") as stream:
            return self.text.encode() in stream.read(_MARKER_BYTES)


ARCHIVE = Kind("archive", "zarr.json", '"format": "framecast-archive"')
FORECAST = Kind("forecast", "zarr.json", '"format": "framecast-forecast"')
RUN = Kind("run", "recipe.yaml")
REPORT = Kind("report", "scores.json")
PREDICTION = Kind("prediction", "stages.json", '"format": "framecast-prediction"')
FORECAST_PAGE = Kind("page of a forecast", "prediction.json", '"format": "framecast-prediction"')
MODEL = Kind("model", "config.json", '"format": "framecast-model"')
VIEW = Kind("exported view", "index.html", "<title>framecast view</title>")
EXPORT = Kind("export", "export.json", '"format": "framecast-export"')


def refuse_existing(path: Path, *, overwrite: bool, kind: Kind | None = None) -> None:
    """Raise if ``path`` exists and may not be replaced, or if it could not be created.

    Only output of framecast is ever replaced: with a ``kind``, ``overwrite`` applies to folders of that kind.
    """
    if path.exists() and kind is not None and not kind.describes(path):
        raise FramecastError(f"{path} exists and is not a framecast {kind.name}: choose another name")
    if path.exists() and not overwrite:
        raise FramecastError(f"{path} exists already: choose another name, or pass --overwrite to replace it")
    here = Path.cwd()
    if path.resolve() in (here, *here.parents):
        raise FramecastError(f"{path} is the working directory or one above it: choose another name")
    parent = path.absolute().parent
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise FramecastError(f"{path} cannot be written: {parent} is not a writable folder")


def clear(folder: Path, *, last: str = "") -> None:
    """Delete what is in ``folder``, the file called ``last`` at the end; the folder itself, or a link to it, stays."""
    for path in sorted(folder.iterdir(), key=lambda path: path.name == last):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def partial_path(path: Path) -> Path:
    """Return the hidden neighbour of ``path`` under which it is built until it is complete."""
    return path.absolute().with_name(f".{path.name}.partial")


def publish(partial: Path, path: Path) -> None:
    """Move the finished ``partial`` to its final name ``path``, replacing anything there.

    The previous content is restored if that fails.
    """
    if path.is_dir() and not path.is_symlink():
        discarded = path.absolute().with_name(f".{path.name}.replaced")
        shutil.rmtree(discarded, ignore_errors=True)
        path.rename(discarded)
        try:
            partial.rename(path)
        finally:
            if not path.exists():
                discarded.rename(path)
        shutil.rmtree(discarded)
    else:
        partial.replace(path)


@contextmanager
def building(path: str | Path, *, overwrite: bool = False, kind: Kind | None = None) -> Iterator[Path]:
    """Yield the hidden neighbour of the folder ``path``, held for this process; a killed one may have left files in it.

    An existing ``path`` stays untouched until `publish`, and may be replaced with ``overwrite`` if it is of ``kind``.

    Raises:
        FramecastError: another process is writing ``path``, or it exists and may not be replaced.
    """
    path = Path(path)
    with _claimed(path, lambda: _refuse_folder(path, overwrite=overwrite, kind=kind)) as partial:
        yield partial


@contextmanager
def _claimed(path: Path, check: Callable[[], None]) -> Iterator[Path]:
    """Yield the hidden neighbour of ``path``, a folder held for this process, unless ``check`` raises."""
    check()
    partial = partial_path(path)
    if partial.is_file():  # of an earlier version
        partial.unlink()
    partial.mkdir(parents=True, exist_ok=True)
    with held(partial, doing=f"writing {path}"):
        try:
            check()  # its owner may have ended just now
        except FramecastError:
            shutil.rmtree(partial)
            raise
        yield partial


def _refuse_folder(path: Path, *, overwrite: bool, kind: Kind | None) -> None:
    refuse_existing(path, overwrite=overwrite, kind=kind)
    if path.is_symlink() or path.is_file():
        raise FramecastError(
            f"{path} is a {'link' if path.is_symlink() else 'file'}, not a folder: choose another name"
        )


@contextmanager
def new_folder(path: str | Path, *, overwrite: bool = False, kind: Kind | None = None) -> Iterator[Path]:
    """Yield an empty folder that becomes ``path`` when the block ends well, and is deleted otherwise.

    For arguments and errors see `building`.
    """
    with building(path, overwrite=overwrite, kind=kind) as partial:
        clear(partial)
        try:
            yield partial
            publish(partial, Path(path))
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


@contextmanager
def new_file(path: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield where to write a file that becomes ``path`` when the block ends well; meanwhile it is held.

    Raises:
        FramecastError: another process is writing ``path``, or it exists and may not be replaced.
    """
    path = Path(path)
    with _claimed(path, lambda: refuse_existing(path, overwrite=overwrite and not path.is_dir())) as partial:
        try:
            yield partial / path.name
            (partial / path.name).replace(path)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def write_atomically(path: str | Path, content: str | bytes) -> None:
    """Write ``content`` to ``path`` so that a reader sees the old file or the new one, never a part.

    The content is on the disk before it is renamed: a power failure leaves one of the two files, complete.

    Raises:
        FramecastError: another process is writing ``path``.
    """
    path = Path(path)
    partial = partial_path(path)
    data = content.encode() if isinstance(content, str) else content
    with os.fdopen(os.open(partial, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666), "wb") as stream:
        if not _hold(stream.fileno(), partial):
            raise FramecastError(f"another process is writing {path}: rerun the command when it has finished")
        try:
            stream.truncate()
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
            if os.name != "posix":
                stream.close()  # an open file cannot be renamed there
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    flush_folder(path.absolute().parent)


def lock(descriptor: int) -> None:
    """Keep other processes from locking an open file or folder, until it is closed or this process ends in any way.

    Nothing is kept where the system or the file system has no such locks.

    Raises:
        BlockingIOError: another process has locked it.
    """
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # a network file system without locks
        pass


@contextmanager
def held(folder: Path, *, doing: str) -> Iterator[None]:
    """Keep other processes from holding ``folder`` during the block, whatever its name meanwhile; see `lock`.

    Raises:
        FramecastError: another process holds it, or held it until a moment ago and has given it its final name.
    """
    if os.name != "posix":
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if not _hold(descriptor, folder):
            raise FramecastError(f"another process is {doing}: wait until it has finished, or stop it")
        yield
    finally:
        os.close(descriptor)


def _hold(descriptor: int, path: Path) -> bool:
    """Lock an open file or folder; return whether no other process has it, and it is still what ``path`` names."""
    try:
        lock(descriptor)
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def flush_folder(path: Path) -> None:
    """Wait until the names in the folder ``path`` are on the disk, where the system can tell (not on Windows)."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
