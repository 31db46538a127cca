"""Whether data have changed: digests of values, and of the files in a folder."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from framecast.core.errors import DataError


def digest(*parts: Any) -> str:
    """Return the SHA-256 of ``parts``: JSON values, or what has a text of its own."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def files_below(path: Path) -> list[Path]:
    """Return all files in the folder ``path`` at any depth, sorted; of a file, itself."""
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def sizes_below(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the name and the size of every file below the folder ``path``, without an object for each.

    Links to folders are not followed: they may lead around in circles.
    """
    root = str(path)
    waiting = [root]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif entry.is_file():
                    yield entry.path[len(root) + 1 :].replace(os.sep, "/"), entry.stat().st_size


def fingerprint_files(files: Iterable[Path], root: Path) -> str:
    """Return a digest of the names, sizes and times of change of files, which is fast and detects every rewrite.

    The place of ``root``, the folder that they are in, does not matter. One that is missing is an `OSError`.
    """
    return digest(*([file.relative_to(root).as_posix(), (it := file.stat()).st_size, it.st_mtime_ns] for file in files))


class ChangedError(DataError):
    """Files changed while they were read, so the result is invalid."""


class Unchanged:
    """Detects files that change while they are read.

    Args:
        paths: files, and folders with everything below them.

    Attributes:
        fingerprint: of the files at the beginning.
    """

    def __init__(self, *paths: str | Path) -> None:
        self._paths = [Path(path) for path in paths]
        self.fingerprint = self._look()

    def check(self) -> None:
        """Raise `ChangedError` if a file was changed, added or removed since the beginning."""
        if self._look() != self.fingerprint:
            places = f"{self._paths[0]}{' or another source' if len(self._paths) > 1 else ''}"
            raise ChangedError(f"{places} changed while it was read: rerun the command when nothing writes to it")

    def _look(self) -> str:
        try:
            looks = [
                fingerprint_files(files_below(path), path if path.is_dir() else path.parent) for path in self._paths
            ]
        except FileNotFoundError:
            return "missing"
        return looks[0] if len(looks) == 1 else digest(*looks)
