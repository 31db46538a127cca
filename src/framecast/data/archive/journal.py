"""What is done of a long job: one line for each step, read again by the same job after it was killed.

A step is entered when its result is on disk, so that whatever the moment of the interruption, what the journal says
is there. A line cut short by it is as if never written.
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from framecast.core.errors import FramecastError
from framecast.core.files import lock


def journal_path(path: Path) -> Path:
    """Return the hidden neighbour of ``path`` that is the journal of its making."""
    return path.absolute().with_name(f".{path.name}.journal")


class Journal:
    """An open journal; as long as it is, no other process can open it.

    Args:
        path: the file; it is made if there is none.

    Attributes:
        entries: what it said when it was opened, in order.

    Raises:
        FramecastError: another process has it open.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._stream = _open(path)
        self.entries, whole = _read(path)
        self._stream.truncate(whole)
        self._stream.seek(whole)

    def clear(self) -> None:
        """Forget all entries."""
        self.entries = []
        self._stream.seek(0)
        self._stream.truncate(0)

    def add(self, **entry: Any) -> None:
        """Enter one step, JSON values."""
        self._stream.write((json.dumps(entry, separators=(",", ":")) + "\n").encode())
        self._stream.flush()

    def close(self) -> None:
        """Let others open it."""
        self._stream.close()

    def remove(self) -> None:
        """Take it away: the job is done."""
        self._path.unlink(missing_ok=True)
        self.close()


def _open(path: Path) -> Any:
    stream = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+b")
    try:
        lock(stream.fileno())
    except BlockingIOError:
        stream.close()
        name = path.with_name(path.name.removeprefix(".").removesuffix(".journal"))
        raise FramecastError(f"{name} is being written by another process: let it end, or stop it") from None
    return stream


def _read(path: Path) -> tuple[list[dict[str, Any]], int]:
    """Return the whole entries at ``path``, and the bytes they take."""
    entries, whole = [], 0
    for line in path.read_bytes().splitlines(keepends=True):
        entry = None
        with suppress(ValueError):
            entry = json.loads(line)
        if not isinstance(entry, dict) or not line.endswith(b"\n"):
            break
        entries.append(entry)
        whole += len(line)
    return entries, whole
