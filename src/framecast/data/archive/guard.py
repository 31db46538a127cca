"""An untrusted Zarr store may be damaged, declare more data than fit into memory, or name code to run.

Every store that framecast opens is opened as a `GuardedStore`, which checks each document before Zarr reads it: only
known codecs (`framecast.data.archive.codecs`), no Python objects, and sizes that agree with its files.
"""

import asyncio
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import LocalStore

from framecast.core.errors import DataError, FramecastError
from framecast.core.reading import check_regular, parse_json, read_bytes
from framecast.core.text import one_line
from framecast.data.archive.codecs import MOST_CHUNK_BYTES, TEXT, V2, V3, Packing, find_packing

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

MOST_READ_BYTES = 2**30
"""Bytes of a chunk on disk, or of a shard that is read as a whole."""

_ARRAYS = ("zarr.json", ".zarray")
_DOCUMENTS = (*_ARRAYS, ".zattrs", ".zgroup", ".zmetadata")
_SMALL_CLAIM = 2**30
_MOST_RATIO = 10**5
"""Largest ratio of declared to stored bytes. Constant frames are compressed to a ten-thousandth."""

_FEW_CHUNKS = 4096
_CHUNKS_PER_FILE = 256
_MOST_INNER_CHUNKS = 2**20


class GuardedStore(LocalStore):
    """A Zarr store whose documents are checked before they are used.

    With ``read_only`` declared sizes are checked too; a store that is being written declares more than it contains.

    Raises:
        DataError: on reading a document that names an unknown codec or Python objects, is too long, or declares too
            much; a chunk with a false size; a pipe, a device or a socket.
    """

    def __init__(self, root: Path | str, *, read_only: bool = False) -> None:
        super().__init__(root, read_only=read_only)
        self._packings: dict[Path, set[Packing]] = {}

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return what is stored under ``key``."""
        return await asyncio.to_thread(self.get_sync, key, prototype=prototype, byte_range=byte_range)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Return parts of what is stored under keys."""
        return await asyncio.gather(*(self.get(key, prototype, part) for key, part in key_ranges))

    def get_sync(
        self, key: str, *, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return what is stored under ``key``."""
        if ".." in key.split("/"):
            raise DataError(f"{self.root} names {key!r}, outside of it")
        path = self.root / key
        try:
            content = self._document(path) if path.name in _DOCUMENTS else self._chunk(path, byte_range)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        return (prototype or zarr.core.buffer.default_buffer_prototype()).buffer.from_bytes(content)

    def _document(self, path: Path) -> bytes:
        content = _read_document(path)
        for folder, packing in find_packings(content, path, claims=self.read_only):
            self._packings.setdefault(folder, set()).add(packing)
        return content

    def _chunk(self, path: Path, part: ByteRequest | None) -> bytes:
        content = _read_part(path, part)
        for packing in self._packings[self._array(path)]:
            try:
                packing.check(memoryview(content), part)
            except ValueError as error:
                raise DataError(f"{path} is damaged ({error}): copy it again, or write it again") from None
        return content

    def _array(self, path: Path) -> Path:
        """Return the folder of the array that a chunk belongs to; one just made was never read."""
        for folder in path.parents:
            for name in () if folder in self._packings else _ARRAYS:
                if (folder / name).is_file():
                    self._document(folder / name)
            if folder in self._packings:
                return folder
        raise DataError(f"{path} belongs to no array")


def open_store(path: str | Path, *, group: str = "", mode: str = "r", **options: Any) -> zarr.Group:
    """Return the Zarr group in the folder ``path``, guarded; see `zarr.open_group`."""
    store = GuardedStore(Path(path), read_only=mode == "r")
    return zarr.open_group(store, path=group, mode=mode, **options)  # type: ignore[arg-type]


def find_packings(content: bytes, path: Path, *, claims: bool) -> Iterator[tuple[Path, Packing]]:
    """Yield the folder of each array that a metadata document at ``path`` describes, and how its chunks are packed.

    With ``claims`` sizes are compared with the files that are there.

    Raises:
        DataError: it cannot be trusted.
    """
    for folder, metadata in _arrays(parse_json(content, where=str(path)), path.parent):
        if folder == path.parent and len(content) > MOST_METADATA_BYTES:
            raise DataError(
                f"{folder} has {len(content)} bytes of metadata; at most {MOST_METADATA_BYTES} describe a variable"
            )
        yield folder, _check_array(metadata, folder, claims=claims)


def _read_part(path: Path, part: ByteRequest | None) -> bytes:
    """Return the bytes of the file at ``path`` that ``part`` asks for."""
    size = check_regular(path)
    start, end = 0, size
    if isinstance(part, RangeByteRequest):
        start, end = part.start, min(part.end, size)
    elif isinstance(part, OffsetByteRequest):
        start = part.offset
    elif isinstance(part, SuffixByteRequest):
        start = max(0, size - part.suffix)
    if end - start > MOST_READ_BYTES:
        raise DataError(f"{path} has {end - start} bytes in one piece; at most {MOST_READ_BYTES} are read")
    with path.open("rb") as stream:
        stream.seek(start)
        return stream.read(max(0, end - start))


def _read_document(path: Path) -> bytes:
    """Return a metadata document. Of a long one the consolidated metadata are left out: nodes are read one by one."""
    if check_regular(path) <= MOST_DOCUMENT_BYTES:
        return read_bytes(path, most=MOST_DOCUMENT_BYTES)
    with path.open("rb") as stream:
        head, found, _ = stream.read(MOST_DOCUMENT_BYTES).partition(b'"consolidated_metadata"')
    if not found:
        raise DataError(f"{path} has {path.stat().st_size} bytes of metadata; at most {MOST_DOCUMENT_BYTES} are read")
    return head + b'"node_type": "group"}'


def _arrays(document: Any, folder: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Yield the metadata of the arrays that a ``zarr.json``, ``.zarray`` or ``.zmetadata`` in ``folder`` describes."""
    if not isinstance(document, Mapping):
        raise DataError(f"the metadata of {folder} are {type(document).__name__}; they must be a JSON object")
    inside = document.get("consolidated_metadata", document)
    inside = inside.get("metadata") if isinstance(inside, Mapping) else None
    if isinstance(inside, Mapping):
        for name, node in inside.items():
            place = folder / name
            if ".." in place.parts[len(folder.parts) :] or Path(name).is_absolute():
                raise DataError(f"the metadata of {folder} name {name!r}, outside of it")
            yield from _arrays(node, place.parent if place.name in _DOCUMENTS else place)
    if document.get("node_type") == "array" or ("chunks" in document and "dtype" in document):
        yield folder, document


def _check_array(document: Mapping[str, Any], folder: Path, *, claims: bool) -> Packing:
    """Return how the chunks of an array are packed; for ``claims`` its sizes are compared with its files."""
    try:
        shape = [int(size) for size in document["shape"]]
        if "chunks" in document:
            chunks = inner = [int(size) for size in document["chunks"]]
            itemsize = np.dtype(_v2_type(document["dtype"])).itemsize
            packing = _check_v2(document, folder)
        else:
            chunks = [int(size) for size in document["chunk_grid"]["configuration"]["chunk_shape"]]
            itemsize = _v3_itemsize(document["data_type"])
            inner, packing = _check_v3(document["codecs"], folder, chunks)
    except DataError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        raise DataError(f"the metadata of {folder} cannot be used ({type(error).__name__}: {error})") from None
    if min((*shape, 0)) < 0 or min((*chunks, *inner, 1)) < 1 or not len(shape) == len(chunks) == len(inner):
        raise DataError(f"{folder} has the shape {shape} in chunks of {chunks}: that is impossible")
    size = math.prod(inner) * itemsize
    if size > MOST_CHUNK_BYTES or packing.chunks > _MOST_INNER_CHUNKS:
        raise DataError(f"{folder} has chunks of {size} bytes; at most {MOST_CHUNK_BYTES} are read: write smaller ones")
    total = math.prod(shape) * itemsize
    if len(shape) <= 1 and total > MOST_TABLE_BYTES:
        raise DataError(f"{folder} claims {total} bytes along one dimension; at most {MOST_TABLE_BYTES} are read")
    if claims:
        count = math.prod(-(-size // chunk) for size, chunk in zip(shape, chunks, strict=True))
        _check_claims(folder, count, total)
    return packing


def _check_v2(document: Mapping[str, Any], folder: Path) -> Packing:
    codecs = [codec for codec in (*(document.get("filters") or ()), document.get("compressor")) if codec is not None]
    for codec in codecs:
        _check_codec(codec["id"], V2, folder)
        for key in {"dtype", "astype"} & set(codec):
            if np.dtype(codec[key]).hasobject:
                raise DataError(f"{folder} has a filter for Python objects, which are never read")
    text = document["dtype"] == "|O" and any(codec["id"] == TEXT for codec in codecs)
    if np.dtype(_v2_type(document["dtype"])).hasobject and not text:
        raise DataError(f"{folder} contains Python objects, which are never read: store text or numbers")
    return find_packing((codec["id"], codec) for codec in codecs)


def _v2_type(given: Any) -> Any:
    """Return a type as NumPy takes it: fields are tuples, which JSON has not."""
    return [tuple(field) for field in given] if isinstance(given, list) else given


def _check_v3(codecs: list[Any], folder: Path, chunks: list[int]) -> tuple[list[int], Packing]:
    """Return the shape of the chunks that are decoded as a whole, those in a shard where there are shards."""
    named = [
        (codec, {}) if isinstance(codec, str) else (codec["name"], codec.get("configuration") or {}) for codec in codecs
    ]
    for name, _ in named:
        _check_codec(name, V3, folder)
    if "sharding_indexed" not in dict(named):
        return chunks, find_packing(named)
    [(_, shard)] = named
    inner = [int(size) for size in shard["chunk_shape"]]
    count = math.prod(-(-size // part) for size, part in zip(chunks, inner, strict=True))
    same, packing = _check_v3(shard["codecs"], folder, inner)
    index = [(codec["name"], (codec.get("configuration") or {}).get("endian")) for codec in shard["index_codecs"]]
    plain = index[:1] == [("bytes", "little")] and index[1:] in ([], [("crc32c", None)])
    if same != inner or packing.chunks or not plain or shard.get("index_location", "end") != "end":
        raise ValueError("nested shards, and a shard index that is compressed or comes first, are not supported")
    return inner, replace(packing, chunks=count, index=16 * count + 4 * (len(index) - 1))


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
            f"{folder} names the codec {str(name)[:60]!r}, which is not supported ({', '.join(sorted(known))}): "
            "convert the data with the program that wrote them"
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
        f"{folder} claims {chunks} chunks of {total} bytes together and has {files} files of {size} bytes: it is "
        "truncated, or its metadata are wrong"
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
    """Turn any error that a library raises for damaged data at ``place`` into a `DataError`.

    Zarr, HDF5 and their codecs raise many kinds. Exhausted memory stays what it is, and so does a missing permission.
    """
    try:
        yield
    except (FramecastError, MemoryError, PermissionError):
        raise
    except Exception as error:
        reason = one_line(error, most=200) or type(error).__name__
        raise DataError(f"{place} is damaged ({reason}): copy it again, or write it again") from None


def check_frame(path: Path, height: int, width: int, channels: int = 1) -> None:
    """Raise `DataError` if frames are declared that are too large to be processed."""
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
    """Raise `DataError` if a sequence has more frames than any archive, or variables of other lengths."""
    if frames > MOST_FRAMES:
        raise DataError(f"{place} claims {frames} frames; at most {MOST_FRAMES} are possible: divide the sequence")
    for name in {"time", "quality", "label"} & set(arrays):
        if arrays[name].shape != (frames,):
            raise DataError(
                f"{name} of {place} has shape {list(arrays[name].shape)}; it must have one entry for each of "
                f"{frames} frames"
            )
