"""A stranger's Zarr store may be damaged, claim more than a machine holds, or name code to run.

Every store that framecast opens is opened as a `GuardedStore`, which looks at each document before Zarr does. A
document that passes names known codecs only (`framecast.data.archive.codecs`), holds no Python objects, and claims
sizes that its files can bear out.
"""

import contextlib
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import LocalStore

from framecast.core.errors import DataError, FramecastError
from framecast.core.reading import check_regular, parse_json, read_bytes
from framecast.core.text import one_line
from framecast.data.archive.codecs import MOST_CHUNK_BYTES, TEXT, V2, V3, check_codecs

MOST_FRAMES = 10**7
"""Frames of one sequence: nineteen years at a cadence of a minute."""

MOST_PIXELS = 2**26
"""Pixels of a frame: 8192 by 8192."""

MOST_CHANNELS = 10**4
"""Channels of a frame."""

MOST_DOCUMENT_BYTES = 2**24
"""Bytes of a group's metadata, with those of all that is in it."""

MOST_METADATA_BYTES = 2**20
"""Bytes of the metadata of one variable: a few kilobytes describe any."""

MOST_TABLE_BYTES = 2**28
"""Bytes of a variable along one dimension, which is read as a whole: times, qualities, coordinates."""

_DOCUMENTS = ("zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata")
_SMALL_CLAIM = 2**30
_MOST_RATIO = 10**5
"""Bytes that are claimed for each one on disk. Constant frames are packed to a ten-thousandth."""

_FEW_CHUNKS = 4096
_CHUNKS_PER_FILE = 256
_MOST_INNER_CHUNKS = 2**20

check_codecs()


class GuardedStore(LocalStore):
    """A folder as Zarr reads it, in which nothing is believed unseen.

    Whoever opens it ``read_only`` is protected from claims too; a store that is being filled claims what is yet to
    come.

    Raises:
        DataError: on reading a document that names an unknown codec or Python objects, is too long, or claims too much;
            on reading a pipe, a device or a socket.
    """

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return what is stored under ``key``."""
        if _is_document(key):
            return self._document(key, prototype)
        self._look(key)
        return await super().get(key, prototype, byte_range)

    def get_sync(
        self, key: str, *, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return what is stored under ``key``."""
        if _is_document(key):
            return self._document(key, prototype)
        self._look(key)
        return super().get_sync(key, prototype=prototype, byte_range=byte_range)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Return parts of what is stored under keys."""
        wanted = list(key_ranges)
        for key, _ in wanted:
            self._look(key)
        return await super().get_partial_values(prototype, wanted)

    def _look(self, key: str) -> None:
        if ".." in key.split("/"):
            raise DataError(f"{self.root} names {key!r}, which is outside of it")
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            check_regular(self.root / key)

    def _document(self, key: str, prototype: BufferPrototype | None) -> Buffer | None:
        self._look(key)
        path = self.root / key
        try:
            content = _read_document(path)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        check_node(parse_json(content, where=str(path)), path.parent, claims=self.read_only, bytes_=len(content))
        buffer = (prototype or zarr.core.buffer.default_buffer_prototype()).buffer
        return buffer.from_bytes(content)


def open_store(path: str | Path, *, group: str = "", mode: str = "r", **options: Any) -> zarr.Group:
    """Return the Zarr group in the folder ``path``, guarded; see `zarr.open_group`."""
    store = GuardedStore(Path(path), read_only=mode == "r")
    return zarr.open_group(store, path=group, mode=mode, **options)  # type: ignore[arg-type]


def _is_document(key: str) -> bool:
    return key.rpartition("/")[2] in _DOCUMENTS


def _read_document(path: Path) -> bytes:
    """Return a metadata document. Of a long one the consolidated metadata are left out: nodes are read one by one."""
    if check_regular(path) <= MOST_DOCUMENT_BYTES:
        return read_bytes(path, most=MOST_DOCUMENT_BYTES)
    with path.open("rb") as stream:
        head, found, _ = stream.read(MOST_DOCUMENT_BYTES).partition(b'"consolidated_metadata"')
    if not found:
        raise DataError(f"{path} has {path.stat().st_size} bytes of metadata; at most {MOST_DOCUMENT_BYTES} are read")
    return head + b'"node_type": "group"}'


def check_node(document: Any, folder: Path, *, claims: bool = True, bytes_: int = 0) -> None:
    """Raise `DataError` if the metadata of a group or array, and of what is in it, cannot be trusted.

    Args:
        document: the plain content of a ``zarr.json``, ``.zarray`` or ``.zmetadata``; others pass.
        folder: of the group or array.
        claims: whether sizes are compared with the files that are there.
        bytes_: length of the document.
    """
    if not isinstance(document, Mapping):
        raise DataError(f"the metadata of {folder} are {type(document).__name__}; they must be a JSON object")
    inside = document.get("consolidated_metadata", document)
    inside = inside.get("metadata") if isinstance(inside, Mapping) else None
    if isinstance(inside, Mapping):
        for name, node in inside.items():
            place = folder / name
            if ".." in place.parts[len(folder.parts) :] or Path(name).is_absolute():
                raise DataError(f"the metadata of {folder} name {name!r}, which is outside of it")
            check_node(node, place.parent if place.name in _DOCUMENTS else place, claims=claims)
    if document.get("node_type") == "array" or ("chunks" in document and "dtype" in document):
        if bytes_ > MOST_METADATA_BYTES:
            raise DataError(
                f"{folder} has {bytes_} bytes of metadata; at most {MOST_METADATA_BYTES} describe a variable"
            )
        _check_array(document, folder, claims=claims)


def _check_array(document: Mapping[str, Any], folder: Path, *, claims: bool) -> None:
    try:
        shape = [int(size) for size in document["shape"]]
        if "chunks" in document:
            _check_v2(document, folder)
            chunks = inner = [int(size) for size in document["chunks"]]
            itemsize = np.dtype(_v2_type(document["dtype"])).itemsize
        else:
            chunks = [int(size) for size in document["chunk_grid"]["configuration"]["chunk_shape"]]
            inner = _check_v3(document["codecs"], folder, chunks)
            itemsize = _v3_itemsize(document["data_type"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise DataError(f"the metadata of {folder} cannot be used ({type(error).__name__}: {error})") from None
    if min((*shape, 0)) < 0 or min((*chunks, *inner, 1)) < 1 or not len(shape) == len(chunks) == len(inner):
        raise DataError(f"{folder} has the shape {shape} in chunks of {chunks}: that is impossible")
    size = math.prod(inner) * itemsize
    if size > MOST_CHUNK_BYTES or math.prod(chunks) // math.prod(inner) > _MOST_INNER_CHUNKS:
        raise DataError(f"{folder} has chunks of {size} bytes; at most {MOST_CHUNK_BYTES} are read: write smaller ones")
    total = math.prod(shape) * itemsize
    if len(shape) <= 1 and total > MOST_TABLE_BYTES:
        raise DataError(f"{folder} claims {total} bytes along one dimension; at most {MOST_TABLE_BYTES} are read")
    if claims:
        count = math.prod(-(-size // chunk) for size, chunk in zip(shape, chunks, strict=True))
        _check_claims(folder, count, total)


def _check_v2(document: Mapping[str, Any], folder: Path) -> None:
    codecs = [codec for codec in (document.get("compressor"), *(document.get("filters") or ())) if codec is not None]
    for codec in codecs:
        _check_codec(codec["id"], V2, folder)
        for key in {"dtype", "astype"} & set(codec):
            if np.dtype(codec[key]).hasobject:
                raise DataError(f"{folder} has a filter for Python objects, which are never read")
    text = document["dtype"] == "|O" and any(codec["id"] == TEXT for codec in codecs)
    if np.dtype(_v2_type(document["dtype"])).hasobject and not text:
        raise DataError(f"{folder} holds Python objects, which are never read: store text or numbers")


def _v2_type(given: Any) -> Any:
    """Return a type as NumPy takes it: fields are tuples, which JSON has not."""
    return [tuple(field) for field in given] if isinstance(given, list) else given


def _check_v3(codecs: list[Any], folder: Path, chunks: list[int]) -> list[int]:
    """Return the shape of the chunks that are decoded as a whole: those within a shard where there are shards."""
    inner = chunks
    for codec in codecs:
        name = codec if isinstance(codec, str) else codec["name"]
        _check_codec(name, V3, folder)
        if name == "sharding_indexed":
            configuration = codec["configuration"]
            _check_v3(configuration.get("index_codecs", []), folder, chunks)
            inner = _check_v3(configuration["codecs"], folder, [int(size) for size in configuration["chunk_shape"]])
    return inner


def _v3_itemsize(kind: Any) -> int:
    """Return the bytes of an element; 16 for a text, of which the length is not told."""
    if isinstance(kind, Mapping):
        options = kind.get("configuration") or {}
        return int(options.get("length_bytes", 8)) if isinstance(options, Mapping) else 8
    if str(kind).startswith("r") and str(kind)[1:].isdecimal():
        return max(1, int(str(kind)[1:]) // 8)
    try:
        return np.dtype(kind).itemsize or 16
    except TypeError:
        return 16


def _check_codec(name: Any, known: frozenset[str], folder: Path) -> None:
    if name not in known:
        raise DataError(
            f"{folder} names the codec {str(name)[:60]!r}, which is not among those that only unpack "
            f"({', '.join(sorted(known))}): convert the data with the program that wrote them"
        )


def _check_claims(folder: Path, chunks: int, total: int) -> None:
    """Raise `DataError` if an array claims many more chunks or bytes than there are files and bytes on disk."""
    if chunks <= _FEW_CHUNKS and total <= _SMALL_CLAIM:
        return
    files = size = 0
    for file in _files(folder):
        files += 1
        size += file.stat().st_size
        if chunks <= _FEW_CHUNKS + _CHUNKS_PER_FILE * files and total <= _SMALL_CLAIM + _MOST_RATIO * size:
            return
    raise DataError(
        f"{folder} claims {chunks} chunks of {total} bytes together and has {files} files of {size} bytes: it is cut "
        "short, or not what it says"
    )


def _files(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield from _files(Path(entry.path))
                elif entry.is_file() and entry.name not in _DOCUMENTS:
                    yield entry
    except (FileNotFoundError, NotADirectoryError):
        return


@contextmanager
def undamaged(place: str | Path) -> Iterator[None]:
    """Turn whatever a library says of damaged data at ``place`` into a `DataError`.

    Zarr, HDF5 and their codecs raise many kinds. Exhausted memory stays what it is, and so does a missing permission.
    """
    try:
        yield
    except (FramecastError, MemoryError, PermissionError):
        raise
    except Exception as error:
        reason = one_line(error, most=200) or type(error).__name__
        raise DataError(f"{place} is damaged ({reason}): copy it again, or write it anew") from None


def check_frame(path: Path, height: int, width: int, channels: int = 1) -> None:
    """Raise `DataError` if frames of a size are claimed that nothing could be computed on."""
    if height * width > MOST_PIXELS:
        raise DataError(
            f"{path} claims frames of {height} by {width} pixels; at most {MOST_PIXELS} pixels are possible"
        )
    if channels > MOST_CHANNELS or channels * height * width > 8 * MOST_PIXELS:
        raise DataError(
            f"{path} claims frames of {channels} channels and {height} by {width} pixels; at most {MOST_CHANNELS} "
            f"channels and {8 * MOST_PIXELS} values are possible"
        )


def check_sequence(place: str, arrays: Mapping[str, zarr.Array], frames: int) -> None:
    """Raise `DataError` if a sequence has more frames than any archive, or variables of other lengths.

    Args:
        place: of the sequence, for errors.
        arrays: its variables.
        frames: how many frames its intensity has.
    """
    if frames > MOST_FRAMES:
        raise DataError(f"{place} claims {frames} frames; at most {MOST_FRAMES} are possible: divide the sequence")
    for name in {"time", "quality", "label"} & set(arrays):
        if arrays[name].shape != (frames,):
            raise DataError(
                f"{name} of {place} has shape {list(arrays[name].shape)}; it must have one entry for each of "
                f"{frames} frames"
            )
