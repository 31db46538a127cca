"""Headers that were read before: reading one takes 5 ms, and there are 200 000 of them in 15 years of observations.

For each folder that was scanned a file in the cache (`framecast.core.machine.cache_folder`) keeps what was read, with
the size and time of change of each file. It may be deleted at any time, and entries of other versions of the code are
not used.
"""

import json
import os
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from framecast.core.environment import source_checksum
from framecast.core.errors import DataError, FramecastError
from framecast.core.files import write_atomically
from framecast.core.fingerprint import digest
from framecast.core.machine import cache_folder
from framecast.domains.solar.disk_pictures import read_picture_header
from framecast.domains.solar.image import FrameHeader, Pointing
from framecast.domains.solar.options import Disk
from framecast.domains.solar.projection import Observer
from framecast.domains.solar.reader import read_header

WORTH_KEEPING = 200
"""Headers that must have been read anew before the cache is written: fewer are read again as fast."""

Known = FrameHeader | str
"""Result of reading a file: its header, or why it cannot be used."""


def read_headers(paths: list[Path], *, disk: Disk | None = None) -> list[Known]:
    """Read the headers of ``paths``: a job for a worker. ``disk`` stands for those of pictures without one."""
    return [_look(path, disk) for path in paths]


def _look(path: Path, disk: Disk | None) -> Known:
    try:
        header = read_header(path) if disk is None else read_picture_header(path, disk)
        header.check_exposure()
    except DataError as error:
        return str(error)
    return header


class HeaderCache:
    """Cached headers of the files below a folder.

    Args:
        folder: the folder.
        disk: how files that are pictures without a header show the Sun.
    """

    def __init__(self, folder: Path, disk: Disk | None = None) -> None:
        self._folder = folder.resolve()
        told = () if disk is None else (repr(disk),)
        self._file = cache_folder() / "headers" / f"{digest(str(self._folder), source_checksum(), *told)[:24]}.json"
        self._entries: dict[str, list[Any]] = {}
        self._fresh = 0
        with suppress(OSError, ValueError):
            entries = json.loads(self._file.read_text(encoding="utf-8"))
            self._entries = entries if isinstance(entries, dict) else {}

    def get(self, path: Path) -> Known | None:
        """Return the cached header of ``path``, if still valid."""
        entry = self._entries.get(self._name(path))
        with suppress(OSError, KeyError, TypeError, ValueError, IndexError, OverflowError):
            if entry is not None and entry[:2] == _stamp(path):
                return _revived(path, entry[2]) if isinstance(entry[2], dict) else str(entry[2])
        return None

    def put(self, path: Path, known: Known) -> None:
        """Remember what was read of ``path``."""
        with suppress(OSError):
            self._entries[self._name(path)] = [*_stamp(path), known if isinstance(known, str) else _plain(known)]
            self._fresh += 1

    def save(self) -> None:
        """Write the cache if that is worthwhile and possible."""
        if self._fresh >= WORTH_KEEPING:
            with suppress(OSError, FramecastError):  # perhaps another process is writing it
                self._file.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(self._file, json.dumps(self._entries, separators=(",", ":")))
                self._fresh = 0

    def _name(self, path: Path) -> str:
        return os.path.relpath(path.absolute(), self._folder)


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _plain(header: FrameHeader) -> dict[str, Any]:
    return asdict(header) | {"path": None, "time": int(header.time.astype("datetime64[ns]").astype(np.int64))}


def _revived(path: Path, plain: dict[str, Any]) -> FrameHeader:
    def tuples(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: tuples(own) for name, own in value.items()}
        return tuple(map(tuples, value)) if isinstance(value, list) else value

    made = tuples(plain)
    made |= {"path": path, "time": np.datetime64(made["time"], "ns"), "pointing": Pointing(**made["pointing"])}
    return FrameHeader(
        **made | {"observer": Observer(**made["observer"]), "disk": made["disk"] and Disk(**made["disk"])}
    )
