"""A folder sealed by a list of its files: their sizes and checksums, written last and verified before use.

The list has a checksum of its own. Older lists have none, and are accepted without it.

Sealing waits until every file is on the disk, so that a folder renamed afterwards is complete even after a power
failure; a byte that changes later (a bad disk, a copy cut short) is found when the seal is checked.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framecast.core.errors import DataError
from framecast.core.files import flush_folder, write_atomically
from framecast.core.reading import read_json
from framecast.core.stored import DocumentFormat, typed

MANIFEST = "manifest.json"


@dataclass(frozen=True, kw_only=True)
class _File:
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class _Manifest:
    """What a manifest holds beside its header."""

    record: dict[str, Any]
    files: dict[str, _File]


def seal(folder: Path, format: DocumentFormat, record: Mapping[str, Any]) -> None:
    """Write the manifest of all files in the complete ``folder``, and ``record`` in it, once they are on the disk."""
    files = {}
    for path in sorted(file for file in folder.rglob("*") if file.is_file()):
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        files[path.relative_to(folder).as_posix()] = {"bytes": path.stat().st_size, "sha256": digest}
    plain = {**format.header(), "record": dict(record), "files": files}
    write_atomically(folder / MANIFEST, json.dumps({**plain, "sha256": _digest(plain)}, indent=2) + "\n")
    for path in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        flush_folder(path)


def check_seal(folder: Path, format: DocumentFormat) -> dict[str, Any]:
    """Return the record of a sealed folder after comparing every file with its size and checksum.

    Raises:
        NewerVersionError: a newer framecast wrote it.
        DataError: it has no seal, or a file is missing or differs.
    """
    path = folder / MANIFEST
    try:
        plain = format.check(read_json(path), str(path))
        own = plain.pop("sha256", None)
        manifest = typed(_Manifest, plain, where=str(path))
        if own is not None and own != _digest(plain):
            raise DataError(f"{path} was changed after it was written: its checksum differs")
        for name, expected in manifest.files.items():
            _compare(folder / name, expected.bytes, expected.sha256)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from None
    return manifest.record


def _digest(plain: Mapping[str, Any]) -> str:
    """Return the checksum of the manifest itself, whatever its spaces and the order of its keys."""
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def _compare(path: Path, size: int, digest: str) -> None:
    if not path.is_file():
        raise DataError(f"{path} is missing")
    if path.stat().st_size != size:
        raise DataError(f"{path} has {path.stat().st_size} bytes and should have {size}")
    with path.open("rb") as stream:
        if hashlib.file_digest(stream, "sha256").hexdigest() != digest:
            raise DataError(f"{path} has a checksum that differs from the recorded one")
