"""Identity of an archive, independent of name and place: a fingerprint that is cheap to compute.

The writer keeps a digest of everything it wrote, pixels included, in the root attribute ``content_sha256``, and
`framecast.data.labels.write_labels` one of the labels. The fingerprint is made of these and of the names and sizes of
all chunk files, so that pixels changed by another program are noticed (compressed chunks change their sizes), and a
copy on another machine is the same archive.

Archives written by other programs have no such digest. Theirs is computed from the names and sizes of all files, the
content of the metadata, and the content of files spread evenly over the archive, `_MOST_BYTES` in all: a change within
an uncompressed file that is not among them is not detected.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from framecast.core.fingerprint import digest, files_below, sizes_below
from framecast.data.archive.pending import PendingSequence

CONTENT = "content_sha256"
LABELS = "labels_sha256"

_MOST_BYTES = 64 * 2**20
_METADATA = ("zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata")


def content_digest(path: Path, attrs: Mapping[str, Any], sequences: Mapping[str, PendingSequence]) -> str:
    """Return the digest of an archive about to be completed: of its variables, and the pixels of each block."""
    total = hashlib.sha256(digest({name: value for name, value in attrs.items() if name != CONTENT}).encode())
    for name, sequence in sorted(sequences.items()):
        group = path / name
        pixels = group / "intensity" / "c"
        for file in files_below(group):
            if file.parent != group and not file.is_relative_to(pixels):  # the group's own metadata are consolidated
                total.update(f"{file.relative_to(path).as_posix()}\n".encode())
                total.update(file.read_bytes())
        total.update(digest(sorted(sequence.digests.items())).encode())
    return total.hexdigest()


def fingerprint(path: Path, attrs: Mapping[str, Any], *, labels: bool = True) -> str:
    """Return a text that is the same for the same archive; see the module. Other ``labels`` may make it another."""
    sizes = sorted(sizes_below(path))
    content = attrs.get(CONTENT)
    if not isinstance(content, str):
        return digest(sizes, _sample(path, sizes))
    chunks = [(name, size) for name, size in sizes if not name.endswith(_METADATA)]
    if labels:
        return digest(content, attrs.get(LABELS), chunks)
    return digest(content, [(name, size) for name, size in chunks if name.split("/")[1:2] != ["label"]])


def _sample(path: Path, sizes: list[tuple[str, int]]) -> str:
    """Return the digest of the metadata, and of so many chunk files that it takes no time."""
    chosen = [name for name, _ in sizes if name.endswith(_METADATA)]
    others = [(name, size) for name, size in sizes if not name.endswith(_METADATA)]
    step = max(1, -(-sum(size for _, size in others) // _MOST_BYTES))
    total = hashlib.sha256()
    for name in (*chosen, *(name for name, _ in others[::step])):
        with (path / name).open("rb") as stream:
            total.update(stream.read(_MOST_BYTES))
    return total.hexdigest()
