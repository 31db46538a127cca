"""Headers that were read before: reading one takes 5 ms, and there are 200 000 of them in 15 years of observations.

For each folder that was scanned a file in the user's cache (``$XDG_CACHE_HOME/framecast/headers``, else below
``~/.cache``) keeps what was read, with the size and time of change of each file. It may be deleted at any time. What
another version of the code that reads headers has learnt is not used.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from framecast.core.errors import DataError
from framecast.core.files import write_atomically
from framecast.domains.solar import fits_header as header_module
from framecast.domains.solar import image as image_module
from framecast.domains.solar import jp2 as jp2_module
from framecast.domains.solar import reader as reader_module
from framecast.domains.solar.image import FrameHeader, Pointing
from framecast.domains.solar.projection import Observer
from framecast.domains.solar.reader import read_header

WORTH_KEEPING = 200
"""Headers that must have been read anew before the cache is written: fewer are read again as fast."""


@dataclass(frozen=True)
class CachedHeader:
    """What a file says: its header, or why it cannot be used."""

    header: FrameHeader | None = None
    reason: str = ""


def look(path: Path) -> CachedHeader:
    """Read the header of the file at ``path``."""
    try:
        header = read_header(path)
        header.check_exposure()
    except DataError as error:
        return CachedHeader(reason=str(error))
    return CachedHeader(header)


def read_headers(paths: list[Path]) -> list[CachedHeader]:
    """Read the headers of ``paths``: a job for a worker."""
    return [look(path) for path in paths]


class HeaderCache:
    """What is known of the files below a folder.

    Args:
        folder: the folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        place = hashlib.sha256(f"{self._folder}\n{_code()}".encode()).hexdigest()[:24]
        self._file = _cache_folder() / f"{place}.json"
        self._entries: dict[str, list[Any]] = {}
        self._fresh = 0
        with suppress(OSError, ValueError):
            entries = json.loads(self._file.read_text(encoding="utf-8"))
            self._entries = entries if isinstance(entries, dict) else {}

    def get(self, path: Path) -> CachedHeader | None:
        """Return what is known of ``path`` as it is now, if anything."""
        entry = self._entries.get(self._name(path))
        with suppress(OSError, KeyError, TypeError, ValueError, IndexError):
            if entry is not None and entry[:2] == _stamp(path):
                return (
                    CachedHeader(_revive(path, entry[2]))
                    if isinstance(entry[2], dict)
                    else CachedHeader(reason=str(entry[2]))
                )
        return None

    def put(self, path: Path, known: CachedHeader) -> None:
        """Remember what was read of ``path``."""
        with suppress(OSError):
            plain = known.reason if known.header is None else _plain(known.header)
            self._entries[self._name(path)] = [*_stamp(path), plain]
            self._fresh += 1

    def save(self) -> None:
        """Write it down if that is worth it and can be done."""
        if self._fresh >= WORTH_KEEPING:
            with suppress(OSError):
                self._file.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(self._file, json.dumps(self._entries, separators=(",", ":")))
                self._fresh = 0

    def _name(self, path: Path) -> str:
        return os.path.relpath(path.absolute(), self._folder)


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "framecast" / "headers"


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _plain(header: FrameHeader) -> dict[str, Any]:
    return asdict(header) | {"path": None, "time": int(header.time.astype("datetime64[ns]").astype(np.int64))}


def _revive(path: Path, plain: Mapping[str, Any]) -> FrameHeader:
    pointing, observer = plain["pointing"], plain["observer"]
    matrix = tuple(tuple(row) for row in pointing["matrix"])
    return FrameHeader(
        **{
            **plain,
            "path": path,
            "time": np.datetime64(plain["time"], "ns"),
            "shape": tuple(plain["shape"]),
            "pointing": Pointing(
                pixel=tuple(pointing["pixel"]),
                direction=tuple(pointing["direction"]),
                matrix=matrix,  # type: ignore[arg-type]
            ),
            "observer": Observer(**observer),
            "notes": tuple(plain["notes"]),
        }
    )


@cache
def _code() -> str:
    """Return a checksum of the files that read headers."""
    modules = (header_module, image_module, jp2_module, reader_module)
    sources = [Path(str(module.__file__)).read_bytes() for module in (*modules,)] + [Path(__file__).read_bytes()]
    return hashlib.sha256(b"".join(sources)).hexdigest()
