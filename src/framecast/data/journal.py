"""What is done of a long job: one line for each step, read again by the same job after it was killed.

A journal lies within the folder that the job builds. A step is entered when its result is on disk, so that whatever
the moment of the interruption, what the journal says is there. A line cut short by it is as if never written.
"""

import fcntl
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from framecast.errors import FramecastError

NAME = "journal.jsonl"


class Journal:
    """An open journal; as long as it is, no other process can open it.

    Attributes:
        entries: what it said when it was opened, in order.
    """

    def __init__(self, path: Path, entries: Sequence[dict[str, Any]], stream: Any) -> None:
        """Use `begin` or `take_up`."""
        self.entries = list(entries)
        self._path = path
        self._stream = stream

    @classmethod
    def begin(cls, folder: Path, request: str) -> Self:
        """Begin the journal of the job that ``request`` describes, in ``folder``.

        Raises:
            FramecastError: another process writes there.
        """
        stream = _open(folder / NAME)
        stream.truncate(0)
        journal = cls(folder / NAME, [], stream)
        journal.add(request=request)
        return journal

    @classmethod
    def take_up(cls, folder: Path, request: str) -> Self | None:
        """Return the journal in ``folder`` if it is of the job that ``request`` describes; None if there is no such.

        Raises:
            FramecastError: another process writes there.
        """
        path = folder / NAME
        if not path.is_file():
            return None
        stream = _open(path)
        entries, whole = _read(path)
        if not entries or entries[0].get("request") != request:
            stream.close()
            return None
        stream.truncate(whole)
        stream.seek(whole)
        return cls(path, entries[1:], stream)

    def add(self, **entry: Any) -> None:
        """Enter one step, JSON values."""
        self._stream.write((json.dumps(entry, separators=(",", ":")) + "\n").encode())
        self._stream.flush()

    def close(self) -> None:
        """Let others open it."""
        self._stream.close()

    def remove(self) -> None:
        """Close it and take it away: the job is done."""
        self.close()
        self._path.unlink()


def _open(path: Path) -> Any:
    stream = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+b")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.close()
        name = path.parent.name.removeprefix(".").removesuffix(".partial")
        raise FramecastError(f"{name} is being written by another process: let it end, or stop it") from None
    except OSError:  # a file system without locks
        pass
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
